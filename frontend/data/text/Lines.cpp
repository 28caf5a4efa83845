#include "sinter/frontend/data/text/Lines.h"

#include "sinter/frontend/detail/GzFile.h"
#include "sinter/frontend/detail/Unicode.h"

#include <fmt/format.h>

namespace sinter::data::text {

std::vector<Line> lines(const std::string &path) {
  std::vector<uint8_t> bytes = detail::readMaybeCompressed(path);
  std::string_view rest(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (rest.substr(0, 3) == "\xef\xbb\xbf") rest.remove_prefix(3);
  std::vector<Line> found;
  for (int64_t number = 1; !rest.empty(); ++number) {
    size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    size_t bad = 0;
    if (!detail::decodeUtf8(line, &bad))
      detail::failCorrupt(path, fmt::format("line {}: no UTF-8 at byte {}", number, bad + 1));
    found.push_back({number, std::string(line)});
  }
  return found;
}

} // namespace sinter::data::text
