#include "sinter/frontend/data/text/Conll.h"

#include "sinter/frontend/data/text/Lines.h"
#include "sinter/frontend/detail/GzFile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace sinter::data {

static std::vector<std::string> columns(const std::string &line) {
  std::vector<std::string> found;
  for (size_t at = 0; (at = line.find_first_not_of(" \t", at)) != line.npos;) {
    size_t end = std::min(line.find_first_of(" \t", at), line.size());
    found.push_back(line.substr(at, end - at));
    at = end;
  }
  return found;
}

static bool isTag(const std::string &tag) {
  return tag == "O" || (tag.size() > 2 && (tag[0] == 'B' || tag[0] == 'I') && tag[1] == '-');
}

std::vector<TaggedSentence> read_conll(const std::string &path) {
  std::vector<TaggedSentence> sentences;
  TaggedSentence now;
  size_t expected = 0;
  auto end = [&] {
    if (!now.words.empty()) sentences.push_back(std::move(now));
    now = {};
  };
  for (const text::Line &line : text::lines(path)) {
    auto fail = [&](const std::string &what) {
      detail::failCorrupt(path, fmt::format("line {}: {}", line.number, what));
    };
    std::vector<std::string> row = columns(line.text);
    if (row.empty() || row[0] == "-DOCSTART-") {
      end();
      continue;
    }
    if (row.size() == 1) fail(fmt::format("'{}' has no tag", row[0]));
    if (!expected) expected = row.size();
    if (row.size() != expected)
      fail(fmt::format("{} columns, the lines before have {}", row.size(), expected));
    if (!isTag(row.back()))
      fail(fmt::format("tag '{}' is none of O, B-TYPE and I-TYPE", row.back()));
    if (now.words.empty()) now.line = line.number;
    now.words.push_back(row.front());
    now.tags.push_back(row.back());
  }
  end();
  if (sentences.empty()) detail::failCorrupt(path, "no sentences");
  return sentences;
}

std::string tagging_scheme(const std::vector<TaggedSentence> &sentences) {
  bool any = false, always = true;
  for (const TaggedSentence &sentence : sentences) {
    std::string before = "O";
    for (const std::string &tag : sentence.tags) {
      any = any || tag[0] == 'B';
      if (tag[0] == 'I' && (before == "O" || before.substr(1) != tag.substr(1))) always = false;
      before = tag;
    }
  }
  return !any ? "IO" : always ? "IOB2" : "IOB1";
}

std::vector<std::string> labels(const std::vector<TaggedSentence> &sentences) {
  std::set<std::string> found;
  for (const TaggedSentence &sentence : sentences)
    found.insert(sentence.tags.begin(), sentence.tags.end());
  found.erase("O");
  std::vector<std::string> all{"O"};
  all.insert(all.end(), found.begin(), found.end());
  return all;
}

TokenClasses::TokenClasses(const std::vector<TaggedSentence> &sentences, const WordPiece &tokenizer,
                           std::vector<std::string> labels, TokenClassesOptions options,
                           const std::string &name, Where where)
    : labels_(std::move(labels)) {
  if (sentences.empty()) throw UserError("data::TokenClasses: there are no sentences", where);
  std::map<std::string, int64_t> numbers;
  for (const std::string &label : labels_)
    numbers.emplace(label, static_cast<int64_t>(numbers.size()));
  std::vector<WordPiece::Encoding> encodings;
  size_t longest = 0;
  for (const TaggedSentence &sentence : sentences) {
    encodings.push_back(tokenizer.encode(sentence.words, options.max_length, where));
    longest = std::max(longest, encodings.back().ids.size());
    truncated_ += encodings.back().truncated;
  }
  int64_t length = options.length
                       ? options.length
                       : std::min(static_cast<int64_t>(longest + 7) / 8 * 8, options.max_length);
  if (length < static_cast<int64_t>(longest))
    throw UserError(
        fmt::format("data::TokenClasses: samples of {} pieces, a sentence has {}", length, longest),
        where);
  auto rows = static_cast<int64_t>(sentences.size());
  std::vector<int64_t> x(static_cast<size_t>(rows * length), tokenizer.pad_id());
  std::vector<int64_t> y(x.size(), options.ignore_index);
  for (size_t i = 0; i < sentences.size(); ++i) {
    size_t row = i * static_cast<size_t>(length);
    std::copy(encodings[i].ids.begin(), encodings[i].ids.end(),
              x.begin() + static_cast<std::ptrdiff_t>(row));
    for (size_t word = 0; word < sentences[i].words.size(); ++word) {
      auto found = numbers.find(sentences[i].tags[word]);
      if (found == numbers.end())
        detail::failCorrupt(name, fmt::format("line {}: tag '{}' is none of the model's ({})",
                                              sentences[i].line + static_cast<int64_t>(word),
                                              sentences[i].tags[word], fmt::join(labels_, ", ")));
      int64_t at = encodings[i].first_piece[word];
      if (at >= 0) y[row + static_cast<size_t>(at)] = found->second;
    }
    firstPieces_.push_back(std::move(encodings[i].first_piece));
  }
  static_cast<TensorDataset &>(*this) =
      TensorDataset(Array(x, {rows, length}), Array(y, {rows, length}));
}

std::vector<metrics::Tags> TokenClasses::tags(const Array &logits, Where where) const {
  if (logits.shape() != Shape{size(), length(), static_cast<int64_t>(labels_.size())})
    throw UserError(fmt::format("data::TokenClasses: logits {} for [{}, {}, {}]",
                                logits.spec().text(), size(), length(), labels_.size()),
                    where);
  Array classes =
      metrics::predicted_classes(logits.reshape({-1, static_cast<int64_t>(labels_.size())}), where);
  std::vector<metrics::Tags> all;
  for (size_t i = 0; i < firstPieces_.size(); ++i) {
    metrics::Tags tags;
    for (int64_t at : firstPieces_[i])
      tags.push_back(
          at < 0
              ? "O"
              : labels_[static_cast<size_t>(classes.at(static_cast<int64_t>(i) * length() + at))]);
    all.push_back(std::move(tags));
  }
  return all;
}

} // namespace sinter::data
