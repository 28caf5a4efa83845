// Reports of predictions, as scikit-learn and seqeval print them.
#include "FrontendTest.h"

#include <nlohmann/json.hpp>

using namespace sinter;
using nlohmann::json;

static json casesOf(const char *name) {
  std::ifstream file(std::string(SINTER_TEST_SOURCE_DIR "/oracle/metrics/") + name + ".json");
  return json::parse(file);
}

static Array indices(const json &list) { return Array(list.get<std::vector<int64_t>>()); }

TEST(Metrics, ReportsOfClassesAreThoseOfScikitLearn) {
  for (const json &one : casesOf("classes")) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    Array target = indices(one.at("target")), predicted = indices(one.at("predicted"));
    auto report = metrics::classification_report(
        target, predicted,
        {.labels = one.value("labels", std::vector<int64_t>{}),
         .target_names = one.value("target_names", std::vector<std::string>{})});
    EXPECT_EQ(report.text(), one.at("text").get<std::string>());
    if (report.accuracy) {
      EXPECT_DOUBLE_EQ(*report.accuracy, one.at("accuracy").get<double>());
      EXPECT_DOUBLE_EQ(report.micro.f1, *report.accuracy);
    }
    Array matrix = metrics::confusion_matrix(target, predicted);
    EXPECT_EQ(matrix.at(1), one.at("matrix").at(0).at(1).get<double>());
    for (size_t i = 0; i < one.at("matrix").size(); ++i)
      for (size_t k = 0; k < one.at("matrix").size(); ++k)
        EXPECT_EQ(matrix.at(static_cast<int64_t>(i * one.at("matrix").size() + k)),
                  one.at("matrix").at(i).at(k).get<double>());
  }
}

TEST(Metrics, ReportsOfEntitiesAreThoseOfSeqeval) {
  for (const json &one : casesOf("sentences")) {
    SCOPED_TRACE(one.at("name").get<std::string>());
    auto target = one.at("target").get<std::vector<metrics::Tags>>();
    for (size_t i = 0; i < target.size(); ++i) {
      json found = json::array();
      for (const metrics::Entity &entity : metrics::entities(target[i]))
        found.push_back({entity.type, entity.begin, entity.end});
      EXPECT_EQ(found, one.at("entities").at(i)) << json(target[i]);
    }
    auto report =
        metrics::entity_report(target, one.at("predicted").get<std::vector<metrics::Tags>>());
    EXPECT_EQ(report.text(), one.at("text").get<std::string>());
    EXPECT_NEAR(report.micro.f1, one.at("f1").get<double>(), 1e-12);
    EXPECT_NEAR(report.micro.precision, one.at("precision").get<double>(), 1e-12);
    EXPECT_NEAR(report.micro.recall, one.at("recall").get<double>(), 1e-12);
  }
}

TEST(Metrics, EveryLineCanBeHad) {
  auto report = metrics::classification_report(Array({int64_t(0), int64_t(1), int64_t(1)}),
                                               Array({int64_t(0), int64_t(1), int64_t(0)}));
  EXPECT_THAT(report.text(3, /*alwaysMicro=*/true), testing::HasSubstr("micro avg      0.667"));
  EXPECT_THAT(report.text(), testing::HasSubstr("accuracy                          0.667"));
  EXPECT_THAT(report.text(2), testing::HasSubstr("0.67"));
}

TEST(Metrics, PredictedClassesAreTheLargest) {
  Array logits(std::vector<float>{1, 3, 2, 5, 5, 0}, {2, 3});
  EXPECT_EQ(metrics::predicted_classes(logits).text(), "[1, 0]");
}

TEST(Metrics, MistakesAreNamed) {
  Array three({int64_t(0), int64_t(1), int64_t(2)}), two({int64_t(0), int64_t(1)});
  EXPECT_USER_ERROR(
      metrics::classification_report(three, two),
      "metrics::classification_report: targets i64[3] and predictions i64[2] differ in shape");
  EXPECT_USER_ERROR(metrics::classification_report(Array({1.f}), Array({1.f})),
                    "metrics::classification_report: f32[1] and f32[1]: class indices are integers "
                    "(metrics::predicted_classes makes them of logits)");
  EXPECT_USER_ERROR(metrics::classification_report(three, three, {.target_names = {"a"}}),
                    "metrics::classification_report: 1 names for 3 labels ([0, 1, 2])");
  EXPECT_USER_ERROR(metrics::classification_report(three, three, {.labels = {1, 1}}),
                    "metrics::classification_report: label 1 is named twice");
  EXPECT_USER_ERROR(metrics::confusion_matrix(three, three, 2),
                    "metrics::confusion_matrix: class 2 of 2");
  EXPECT_USER_ERROR(metrics::entity_report({{"O", "O"}}, {{"O"}}),
                    "metrics::entity_report: sentence 0 has 2 tags, 1 are predicted");
  EXPECT_USER_ERROR(metrics::entity_report({{"O"}}, {}),
                    "metrics::entity_report: 1 sentences and predictions of 0");
}

TEST(Metrics, AreaUnderTheCurveCountsPairs) {
  // scikit-learn's example.
  EXPECT_DOUBLE_EQ(metrics::roc_auc(Array({0L, 0L, 1L, 1L}), Array({0.1f, 0.4f, 0.35f, 0.8f})),
                   0.75);
  std::vector<float> target, score;
  uint64_t state = 5;
  for (int i = 0; i < 200; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    target.push_back((state >> 40) % 3 == 0 ? 1.0f : 0.0f);
    score.push_back(static_cast<float>((state >> 50) % 16)); // with ties
  }
  double won = 0, pairs = 0;
  for (size_t i = 0; i < target.size(); ++i)
    for (size_t j = 0; j < target.size(); ++j)
      if (target[i] == 1 && target[j] == 0) {
        won += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
        ++pairs;
      }
  EXPECT_NEAR(metrics::roc_auc(Array(target), Array(score)), won / pairs, 1e-12);
  EXPECT_TRUE(std::isnan(metrics::roc_auc(Array({1L, 1L}), Array({0.5f, 0.6f}))));
  EXPECT_USER_ERROR(metrics::roc_auc(Array({1L}), Array({0.5f, 0.6f})),
                    "metrics::roc_auc: 1 targets and 2 scores");
  EXPECT_USER_ERROR(metrics::roc_auc(Array({0L, 2L}), Array({0.5f, 0.6f})),
                    "metrics::roc_auc: sample 1 has target 2 and score 0.6000000238418579");
}
