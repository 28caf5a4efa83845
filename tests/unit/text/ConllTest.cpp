// Tagged sentences: from files to batches and back.
#include "../frontend/FrontendTest.h"

using namespace sinter;
using testing::ElementsAre;

namespace {

struct File {
  explicit File(const std::string &text) : path(folder / "tags.txt") {
    std::ofstream(path) << text;
  }
  test::TemporaryFolder folder;
  std::string path;
};

std::string mistake(const std::string &text) {
  File file(text);
  try {
    data::read_conll(file.path);
  } catch (const RuntimeError &error) {
    EXPECT_THAT(error.what(), testing::StartsWith(file.path));
    return std::string(error.what()).substr(file.path.size());
  }
  return "none";
}

data::WordPiece tokenizer() {
  return data::WordPiece({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "paris", "##ian", "in", "."}, {});
}

} // namespace

TEST(Conll, ReadsColumnsAndSentences) {
  File file("\xef\xbb\xbf-DOCSTART- -X- O\r\n\r\nParis NNP\tB-LOC\r\n in   IN  O "
            "\n\n\n\n-DOCSTART- -X- O\nU.N. NNP "
            "I-ORG");
  auto sentences = data::read_conll(file.path);
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_THAT(sentences[0].words, ElementsAre("Paris", "in"));
  EXPECT_THAT(sentences[0].tags, ElementsAre("B-LOC", "O"));
  EXPECT_EQ(sentences[0].line, 3);
  EXPECT_THAT(sentences[1].words, ElementsAre("U.N."));
  EXPECT_EQ(sentences[1].line, 9);
  EXPECT_THAT(data::labels(sentences), ElementsAre("O", "B-LOC", "I-ORG"));
}

TEST(Conll, KnowsHowEntitiesBegin) {
  auto scheme = [](metrics::Tags tags) { return data::tagging_scheme({{{}, std::move(tags), 1}}); };
  EXPECT_EQ(scheme({"I-A", "I-A", "O", "I-B"}), "IO");
  EXPECT_EQ(scheme({"I-A", "B-A", "O"}), "IOB1");
  EXPECT_EQ(scheme({"B-A", "I-B"}), "IOB1");
  EXPECT_EQ(scheme({"B-A", "I-A", "B-A", "O", "B-B"}), "IOB2");
}

TEST(Conll, MistakesHaveFileAndLine) {
  EXPECT_EQ(mistake("a O\nb\n"), ": line 2: 'b' has no tag");
  EXPECT_EQ(mistake("a x O\n\nb O\n"), ": line 3: 2 columns, the lines before have 3");
  EXPECT_EQ(mistake("a O\nb X-LOC\n"), ": line 2: tag 'X-LOC' is none of O, B-TYPE and I-TYPE");
  EXPECT_EQ(mistake("a B-\n"), ": line 1: tag 'B-' is none of O, B-TYPE and I-TYPE");
  EXPECT_EQ(mistake("a O\nb\xff O\n"), ": line 2: no UTF-8 at byte 2");
  EXPECT_EQ(mistake("\n\n-DOCSTART- O\n"), ": no sentences");
  EXPECT_EQ(mistake(""), ": no sentences");
}

TEST(Conll, TagsStandAtFirstPieces) {
  std::vector<data::TaggedSentence> sentences{
      {{"Parisian", "\x02", "in", "Paris"}, {"B-LOC", "O", "O", "B-LOC"}, 1}, {{"in"}, {"O"}, 6}};
  data::TokenClasses set(sentences, tokenizer(), {"O", "B-LOC"});
  EXPECT_EQ(set.length(), 8);
  EXPECT_EQ(set.truncated(), 0);
  EXPECT_EQ(set.x().reshape({16}).text(),
            Array({2L, 4L, 5L, 6L, 4L, 3L, 0L, 0L, 2L, 6L, 3L, 0L, 0L, 0L, 0L, 0L}).text());
  constexpr int64_t no = -100;
  EXPECT_EQ(set.y().reshape({16}).text(),
            Array({no, 1L, no, 0L, 1L, no, no, no, no, 0L, no, no, no, no, no, no}).text());
  // Logits whose largest is the target's, but for the last word of the first sentence.
  Array logits = Array::zeros({2, 8, 2});
  logits.data<float>()[2 * 1 + 1] = 1;
  auto tags = set.tags(logits);
  EXPECT_THAT(tags[0], ElementsAre("B-LOC", "O", "O", "O"));
  EXPECT_THAT(tags[1], ElementsAre("O"));
  EXPECT_USER_ERROR(set.tags(Array::zeros({2, 8, 3})),
                    "data::TokenClasses: logits f32[2, 8, 3] for [2, 8, 2]");
}

TEST(Conll, CutsOffWhatIsTooLong) {
  std::vector<data::TaggedSentence> sentences{
      {{"Paris", "in", "Paris"}, {"B-LOC", "O", "B-LOC"}, 1}};
  data::TokenClasses set(sentences, tokenizer(), {"O", "B-LOC"}, {.max_length = 4});
  EXPECT_EQ(set.length(), 4);
  EXPECT_EQ(set.truncated(), 1);
  Array logits = Array::zeros({1, 4, 2});
  for (int64_t i = 1; i < 8; i += 2) logits.data<float>()[static_cast<size_t>(i)] = 1;
  EXPECT_THAT(set.tags(logits)[0], ElementsAre("B-LOC", "B-LOC", "O"));
  EXPECT_USER_ERROR(data::TokenClasses(sentences, tokenizer(), {"O", "B-LOC"}, {.length = 4}),
                    "data::TokenClasses: samples of 4 pieces, a sentence has 5");
}

TEST(Conll, TagsThatTheModelLacksHaveTheirLine) {
  std::vector<data::TaggedSentence> sentences{{{"in", "Paris"}, {"O", "B-XYZ"}, 5}};
  EXPECT_RUNTIME_ERROR(
      data::TokenClasses(sentences, tokenizer(), {"O", "B-LOC"}, {}, "test.txt"),
      testing::StrEq("test.txt: line 6: tag 'B-XYZ' is none of the model's (O, B-LOC)"));
}
