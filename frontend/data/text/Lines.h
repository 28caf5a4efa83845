#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sinter::data::text {

struct Line {
  int64_t number = 0; // from 1
  std::string text;   // without its end
};

/// The lines of a text file, unpacked if gzip packed it. Ends may be "\n" or "\r\n", and a byte order mark at the
/// beginning is left out. What is no UTF-8: a RuntimeError with file and line.
std::vector<Line> lines(const std::string &path);

} // namespace sinter::data::text
