#include "sinter/frontend/data/Files.h"
#include "sinter/frontend/detail/GzFile.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace sinter::data {

static std::string_view trimmed(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

Array read_csv(const std::string &path, CsvOptions options) {
  std::vector<uint8_t> bytes = detail::readMaybeCompressed(path);
  std::string_view rest(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  std::vector<double> values;
  int64_t rows = 0, columns = 0;
  for (int64_t line = 1; !rest.empty(); ++line) {
    size_t end = rest.find('\n');
    std::string_view row = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    if (line <= options.skip_rows || trimmed(row).empty()) continue;
    int64_t found = 0;
    while (true) {
      size_t comma = row.find(options.delimiter);
      std::string_view word = trimmed(row.substr(0, comma));
      double value = 0;
      auto [stop, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
      if (problem != std::errc() || stop != word.data() + word.size())
        detail::failCorrupt(path, fmt::format("line {}: '{}' is no number", line, word));
      values.push_back(value);
      ++found;
      if (comma == row.npos) break;
      row = row.substr(comma + 1);
    }
    if (rows == 0) columns = found;
    if (found != columns)
      detail::failCorrupt(
          path, fmt::format("line {}: {} numbers, the rows before have {}", line, found, columns));
    ++rows;
  }
  if (rows == 0) detail::failCorrupt(path, "no rows");
  return Array(values, {rows, columns});
}

} // namespace sinter::data
