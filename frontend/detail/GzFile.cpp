#include "sinter/frontend/detail/GzFile.h"

#include "sinter/frontend/Errors.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace sinter::detail {

void failCorrupt(const std::string &path, const std::string &what) {
  throw RuntimeError({runtime::ErrorCode::corrupt, fmt::format("{}: {}", path, what)});
}

std::vector<uint8_t> readMaybeCompressed(const std::string &path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code))
    throw RuntimeError({runtime::ErrorCode::notFound, fmt::format("{}: no such file", path)});
  errno = 0;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file || std::filesystem::is_directory(path, code))
    throw RuntimeError(
        {runtime::ErrorCode::ioFailure,
         fmt::format("{}: cannot be read: {}", path, errno ? std::strerror(errno) : "a folder")});
  gzbuffer(file.get(), 1 << 18);
  std::vector<uint8_t> bytes;
  constexpr unsigned chunk = 1 << 20;
  while (true) {
    size_t before = bytes.size();
    bytes.resize(before + chunk);
    int got = gzread(file.get(), bytes.data() + before, chunk);
    bytes.resize(before + static_cast<size_t>(std::max(got, 0)));
    if (got < static_cast<int>(chunk)) {
      int problem = Z_OK;
      const char *text = gzerror(file.get(), &problem);
      // A packed file that ends early is Z_BUF_ERROR, also when the last read gave bytes.
      if (problem == Z_BUF_ERROR) failCorrupt(path, "the gzip stream is truncated");
      if (got < 0) failCorrupt(path, fmt::format("not a sound gzip file ({})", text));
      if (got == 0) return bytes;
    }
  }
}

std::string findFile(const std::string &folder, const std::vector<std::string> &names) {
  std::error_code code;
  for (const std::string &name : names)
    for (const char *suffix : {"", ".gz"}) {
      auto path = std::filesystem::path(folder) / (name + suffix);
      if (std::filesystem::is_regular_file(path, code)) return path.string();
    }
  return {};
}

} // namespace sinter::detail
