#include "sinter/frontend/data/Files.h"
#include "sinter/frontend/detail/GzFile.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

namespace sinter::data {

namespace {

std::optional<double> numberOf(std::string_view word) {
  double value = 0;
  auto [stop, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (problem != std::errc() || stop != word.data() + word.size()) return {};
  return value;
}

std::string trimmed(const std::string &text) {
  size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

struct Row {
  int64_t line = 0;
  std::vector<std::string> words;
};

class Reader {
public:
  Reader(const std::string &path, char delimiter)
      : path(path), delimiter(delimiter), bytes(detail::readMaybeCompressed(path)) {}

  std::vector<Row> rows() {
    std::vector<Row> all;
    while (at < bytes.size()) {
      Row row{line, {}};
      bool quoted = words(row.words);
      bool empty = row.words.size() == 1 && row.words[0].empty() && !quoted;
      if (!empty) all.push_back(std::move(row));
    }
    return all;
  }

private:
  /// Reads a row; whether a word of it was in quotes.
  bool words(std::vector<std::string> &into) {
    std::string word;
    bool anyQuoted = false, wasQuoted = false;
    auto end = [&] {
      into.push_back(wasQuoted ? word : trimmed(word));
      word.clear();
      wasQuoted = false;
    };
    while (at < bytes.size()) {
      char c = static_cast<char>(bytes[at++]);
      if (c == '"' && trimmed(word).empty() && !wasQuoted) {
        anyQuoted = wasQuoted = true;
        word = quotedWord();
      } else if (c == delimiter) {
        end();
      } else if (c == '\n') {
        ++line;
        break;
      } else if (!wasQuoted || (c != ' ' && c != '\r' && c != '\t')) {
        word += c;
      }
    }
    end();
    return anyQuoted;
  }

  std::string quotedWord() {
    std::string word;
    int64_t begin = line;
    for (; at < bytes.size(); ++at) {
      char c = static_cast<char>(bytes[at]);
      if (c == '\n') ++line;
      if (c != '"') {
        word += c;
      } else if (at + 1 < bytes.size() && bytes[at + 1] == '"') {
        word += bytes[at++];
      } else {
        ++at;
        return word;
      }
    }
    detail::failCorrupt(path, fmt::format("line {}: a quote is not closed", begin));
  }

  const std::string &path;
  char delimiter;
  std::vector<uint8_t> bytes;
  size_t at = 0;
  int64_t line = 1;
};

/// Class words in the order of their indices.
std::vector<std::string> ordered(const std::map<std::string, int64_t> &found) {
  std::vector<std::string> words;
  for (const auto &[word, count] : found) words.push_back(word);
  if (std::all_of(words.begin(), words.end(),
                  [](const auto &w) { return numberOf(w).has_value(); }))
    std::sort(words.begin(), words.end(),
              [](const auto &a, const auto &b) { return *numberOf(a) < *numberOf(b); });
  return words;
}

} // namespace

Csv::Csv(const std::string &path, CsvDatasetOptions options, Where where) {
  std::vector<Row> rows = Reader(path, options.delimiter).rows();
  if (rows.empty()) detail::failCorrupt(path, "no rows");
  bool header =
      options.header.value_or(std::any_of(rows[0].words.begin(), rows[0].words.end() - 1,
                                          [](const std::string &word) { return !numberOf(word); }));
  std::vector<std::string> names;
  if (header) {
    names = rows[0].words;
    rows.erase(rows.begin());
    if (rows.empty()) detail::failCorrupt(path, "a header and no rows");
  } else {
    for (size_t i = 0; i < rows[0].words.size(); ++i) names.push_back(std::to_string(i));
  }
  auto columnOf = [&](const std::string &name) {
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw UserError(fmt::format("data::Csv: {} has no column '{}': there are {}", path, name,
                                  fmt::join(names, ", ")),
                      where);
    return static_cast<size_t>(found - names.begin());
  };
  size_t label = options.label.empty() ? names.size() - 1 : columnOf(options.label);
  std::vector<size_t> columns;
  if (options.features.empty())
    for (size_t i = 0; i < names.size(); ++i)
      if (i != label) columns.push_back(i);
  for (const std::string &name : options.features) columns.push_back(columnOf(name));
  if (columns.empty()) detail::failCorrupt(path, "no columns besides the label");
  for (size_t column : columns) features_.push_back(names[column]);

  auto count = static_cast<int64_t>(rows.size());
  auto number = [&](const Row &row, size_t column) {
    auto value = numberOf(row.words[column]);
    if (!value)
      detail::failCorrupt(path,
                          fmt::format("line {}: column '{}': {}", row.line, names[column],
                                      row.words[column].empty()
                                          ? "no value"
                                          : fmt::format("'{}' is no number", row.words[column])));
    return static_cast<float>(*value);
  };
  std::vector<float> x, targets;
  std::map<std::string, int64_t> found;
  for (const Row &row : rows) {
    if (row.words.size() != names.size())
      detail::failCorrupt(path,
                          fmt::format("line {}: {} columns, {} has {}", row.line, row.words.size(),
                                      header ? "the header" : "the first row", names.size()));
    for (size_t column : columns) x.push_back(number(row, column));
    if (options.regression)
      targets.push_back(number(row, label));
    else if (row.words[label].empty())
      detail::failCorrupt(path,
                          fmt::format("line {}: column '{}': no value", row.line, names[label]));
    else
      found[row.words[label]] = 0;
  }
  Array y(targets);
  if (!options.regression) {
    classes_ = ordered(found);
    for (size_t i = 0; i < classes_.size(); ++i) found[classes_[i]] = static_cast<int64_t>(i);
    std::vector<int64_t> indices;
    for (const Row &row : rows) indices.push_back(found[row.words[label]]);
    y = Array(indices);
  }
  static_cast<TensorDataset &>(*this) =
      TensorDataset(Array(x, {count, static_cast<int64_t>(columns.size())}), y, Transform(), where);
}

} // namespace sinter::data
