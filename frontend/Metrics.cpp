#include "sinter/frontend/Metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace sinter::metrics {

Array predicted_classes(const Array &logits, Where where) {
  if (logits.rank() < 1 || logits.shape().back() < 1)
    throw UserError(fmt::format("metrics::predicted_classes: {} has no classes along its last "
                                "dimension",
                                logits.spec().text()),
                    where);
  int64_t classes = logits.shape().back(), rows = logits.size() / classes;
  std::vector<int64_t> best(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 1; i < classes; ++i) {
      int64_t &found = best[static_cast<size_t>(row)];
      if (logits.at(row * classes + i) > logits.at(row * classes + found)) found = i;
    }
  return Array(best).reshape({logits.shape().begin(), logits.shape().end() - 1});
}

static void checkPair(const char *name, const Array &target, const Array &predicted, Where where) {
  if (runtime::isFloat(target.dtype()) || runtime::isFloat(predicted.dtype()))
    throw UserError(fmt::format("metrics::{}: {} and {}: class indices are integers "
                                "(metrics::predicted_classes makes them of logits)",
                                name, target.spec().text(), predicted.spec().text()),
                    where);
  if (target.shape() != predicted.shape())
    throw UserError(fmt::format("metrics::{}: targets {} and predictions {} differ in shape", name,
                                target.spec().text(), predicted.spec().text()),
                    where);
}

namespace {

/// What is counted of a class.
struct Counts {
  int64_t both = 0, predicted = 0, target = 0;

  ClassScores scores() const {
    auto ratio = [](double a, double b) { return b == 0 ? 0 : a / b; };
    ClassScores s;
    s.precision = ratio(static_cast<double>(both), static_cast<double>(predicted));
    s.recall = ratio(static_cast<double>(both), static_cast<double>(target));
    s.f1 = ratio(2 * s.precision * s.recall, s.precision + s.recall);
    s.support = target;
    return s;
  }
};

ClassificationReport reportOf(std::vector<std::string> names, const std::vector<Counts> &counts) {
  ClassificationReport report;
  report.names = std::move(names);
  Counts all;
  double total = 0;
  for (const Counts &one : counts) {
    all.both += one.both, all.predicted += one.predicted, all.target += one.target;
    report.classes.push_back(one.scores());
    total += static_cast<double>(one.target);
  }
  report.micro = all.scores();
  report.macro.support = report.weighted.support = all.target;
  for (const ClassScores &one : report.classes) {
    auto add = [&](ClassScores &to, double share) {
      to.precision += share * one.precision;
      to.recall += share * one.recall;
      to.f1 += share * one.f1;
    };
    add(report.macro, 1 / static_cast<double>(report.classes.size()));
    if (total > 0) add(report.weighted, static_cast<double>(one.support) / total);
  }
  return report;
}

} // namespace

std::string ClassificationReport::text(int digits, bool alwaysMicro) const {
  size_t width = std::max<size_t>(std::string("weighted avg").size(), static_cast<size_t>(digits));
  for (const std::string &name : names) width = std::max(width, name.size());
  std::string out = fmt::format("{:>{}}  {:>9} {:>9} {:>9} {:>9}\n\n", "", width, "precision",
                                "recall", "f1-score", "support");
  auto line = [&](const std::string &name, const ClassScores &s) {
    out += fmt::format("{:>{}}  {:>9.{}f} {:>9.{}f} {:>9.{}f} {:>9}\n", name, width, s.precision,
                       digits, s.recall, digits, s.f1, digits, s.support);
  };
  for (size_t i = 0; i < names.size(); ++i) line(names[i], classes[i]);
  out += "\n";
  if (accuracy && !alwaysMicro)
    out += fmt::format("{:>{}}  {:>9} {:>9} {:>9.{}f} {:>9}\n", "accuracy", width, "", "",
                       *accuracy, digits, micro.support);
  else
    line("micro avg", micro);
  line("macro avg", macro);
  line("weighted avg", weighted);
  return out;
}

ClassificationReport classification_report(const Array &target, const Array &predicted,
                                           ReportOptions options, Where where) {
  checkPair("classification_report", target, predicted, where);
  std::set<int64_t> found;
  for (int64_t i = 0; i < target.size(); ++i)
    for (const Array *array : {&target, &predicted})
      found.insert(static_cast<int64_t>(array->at(i)));
  if (options.labels.empty()) options.labels.assign(found.begin(), found.end());
  std::map<int64_t, size_t> place;
  for (int64_t label : options.labels)
    if (!place.emplace(label, place.size()).second)
      throw UserError(fmt::format("metrics::classification_report: label {} is named twice", label),
                      where);
  if (!options.target_names.empty() && options.target_names.size() != options.labels.size())
    throw UserError(fmt::format("metrics::classification_report: {} names for {} labels ([{}])",
                                options.target_names.size(), options.labels.size(),
                                fmt::join(options.labels, ", ")),
                    where);
  if (options.target_names.empty())
    for (int64_t label : options.labels) options.target_names.push_back(std::to_string(label));
  std::vector<Counts> counts(options.labels.size());
  int64_t right = 0;
  for (int64_t i = 0; i < target.size(); ++i) {
    auto is = static_cast<int64_t>(target.at(i)), said = static_cast<int64_t>(predicted.at(i));
    auto ofIs = place.find(is), ofSaid = place.find(said);
    if (ofIs != place.end()) ++counts[ofIs->second].target;
    if (ofSaid != place.end()) ++counts[ofSaid->second].predicted;
    if (is != said) continue;
    ++right;
    if (ofIs != place.end()) ++counts[ofIs->second].both;
  }
  ClassificationReport report = reportOf(std::move(options.target_names), counts);
  std::set<int64_t> asked(options.labels.begin(), options.labels.end());
  if (std::includes(asked.begin(), asked.end(), found.begin(), found.end()) && target.size() > 0)
    report.accuracy = static_cast<double>(right) / static_cast<double>(target.size());
  return report;
}

Array confusion_matrix(const Array &target, const Array &predicted, int64_t num_classes,
                       Where where) {
  checkPair("confusion_matrix", target, predicted, where);
  int64_t least = 0, most = -1;
  for (int64_t i = 0; i < target.size(); ++i)
    for (const Array *array : {&target, &predicted}) {
      auto label = static_cast<int64_t>(array->at(i));
      least = std::min(least, label), most = std::max(most, label);
    }
  int64_t classes = num_classes ? num_classes : most + 1;
  if (least < 0 || most >= classes)
    throw UserError(
        fmt::format("metrics::confusion_matrix: class {} of {}", least < 0 ? least : most, classes),
        where);
  Array matrix = Array::zeros({classes, classes}, i64);
  auto counts = matrix.data<int64_t>();
  for (int64_t i = 0; i < target.size(); ++i)
    ++counts[static_cast<size_t>(static_cast<int64_t>(target.at(i)) * classes +
                                 static_cast<int64_t>(predicted.at(i)))];
  return matrix;
}

double roc_auc(const Array &target, const Array &scores, Where where) {
  if (target.size() != scores.size())
    throw UserError(
        fmt::format("metrics::roc_auc: {} targets and {} scores", target.size(), scores.size()),
        where);
  std::vector<std::pair<double, bool>> samples;
  double positives = 0;
  for (int64_t i = 0; i < target.size(); ++i) {
    double is = target.at(i), score = scores.at(i);
    if ((is != 0 && is != 1) || std::isnan(score))
      throw UserError(
          fmt::format("metrics::roc_auc: sample {} has target {} and score {}", i, is, score),
          where);
    samples.emplace_back(score, is == 1);
    positives += is;
  }
  std::sort(samples.begin(), samples.end());
  // The sum of the positives' ranks, ties at their mean. Mann and Whitney, 1947.
  double ranks = 0;
  for (size_t begin = 0, end = 0; begin < samples.size(); begin = end) {
    double own = 0;
    for (end = begin; end < samples.size() && samples[end].first == samples[begin].first; ++end)
      own += samples[end].second;
    ranks += own * (static_cast<double>(begin + 1 + end) / 2);
  }
  double negatives = static_cast<double>(samples.size()) - positives;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

std::vector<Entity> entities(const Tags &tags) {
  std::vector<Entity> found;
  char before = 'O';
  std::string typeBefore;
  int64_t begin = 0;
  auto in = [](char tag, const char *set) {
    return std::string(set).find(tag) != std::string::npos;
  };
  for (size_t i = 0; i <= tags.size(); ++i) {
    std::string text = i < tags.size() ? tags[i] : "O";
    char tag = text.empty() ? 'O' : text[0];
    size_t dash = text.find('-', 1);
    std::string type =
        dash != text.npos ? text.substr(dash + 1) : text.substr(std::min<size_t>(1, text.size()));
    if (type.empty()) type = "_";
    bool other = type != typeBefore;
    bool ends = in(before, "ES") || (in(before, "BI") && in(tag, "BSO")) ||
                (before != 'O' && before != '.' && other);
    bool starts = in(tag, "BS") || (in(before, "ESO") && in(tag, "EI")) ||
                  (tag != 'O' && tag != '.' && other);
    if (ends) found.push_back({typeBefore, begin, static_cast<int64_t>(i) - 1});
    if (starts) begin = static_cast<int64_t>(i);
    before = tag;
    typeBefore = type;
  }
  return found;
}

ClassificationReport entity_report(const std::vector<Tags> &target,
                                   const std::vector<Tags> &predicted, Where where) {
  if (target.size() != predicted.size())
    throw UserError(fmt::format("metrics::entity_report: {} sentences and predictions of {}",
                                target.size(), predicted.size()),
                    where);
  std::map<std::string, Counts> counts;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i].size() != predicted[i].size())
      throw UserError(
          fmt::format("metrics::entity_report: sentence {} has {} tags, {} are predicted", i,
                      target[i].size(), predicted[i].size()),
          where);
    std::vector<Entity> is = entities(target[i]), said = entities(predicted[i]);
    for (const Entity &one : is) ++counts[one.type].target;
    for (const Entity &one : said) {
      ++counts[one.type].predicted;
      if (std::find(is.begin(), is.end(), one) != is.end()) ++counts[one.type].both;
    }
  }
  std::vector<std::string> names;
  std::vector<Counts> ordered;
  for (const auto &[name, one] : counts) names.push_back(name), ordered.push_back(one);
  return reportOf(std::move(names), ordered);
}

} // namespace sinter::metrics
