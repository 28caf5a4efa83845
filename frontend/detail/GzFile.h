#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sinter::detail {

/// A whole file, unpacked if gzip packed it. Throws RuntimeError.
std::vector<uint8_t> readMaybeCompressed(const std::string &path);

/// The first of `names` (each as it is, then with ".gz") that is a file in `folder`; empty: none.
std::string findFile(const std::string &folder, const std::vector<std::string> &names);

[[noreturn]] void failCorrupt(const std::string &path, const std::string &what);

} // namespace sinter::detail
