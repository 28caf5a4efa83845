#include "sinter/runtime/File.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sinter::runtime {
namespace {

class Descriptor {
public:
  explicit Descriptor(int value) : value(value) {}
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  int get() const { return value; }
  int close() { return ::close(std::exchange(value, -1)); }

private:
  int value;
};

Error failure(std::string_view verb, const std::string &path) {
  int why = errno;
  return {why == ENOENT ? ErrorCode::notFound : ErrorCode::ioFailure,
          fmt::format("cannot {} '{}': {}", verb, path, std::strerror(why))};
}

bool writeAll(int file, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

/// Best effort: some file systems refuse to sync a folder, and the file is complete without.
void syncFolderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() >= 0) (void)::fsync(file.get());
}

} // namespace

Result<MappedFile> MappedFile::open(const std::string &path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failure("open", path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return failure("read", path);
  if (!S_ISREG(info.st_mode))
    return Error{ErrorCode::invalidArgument, fmt::format("'{}' is not a regular file", path)};
  if (info.st_size == 0) return MappedFile(nullptr, 0);
  size_t size = static_cast<size_t>(info.st_size);
  void *data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return failure("map", path);
  return MappedFile(static_cast<const uint8_t *>(data), size);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)), size(std::exchange(other.size, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (data) ::munmap(const_cast<uint8_t *>(data), size);
}

Status writeFile(const std::string &path, std::span<const std::span<const uint8_t>> parts) {
  static std::atomic<unsigned> counter{0};
  std::string temporary = fmt::format("{}.tmp-{}-{}", path, ::getpid(), counter++);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) return failure("write", path);
  auto giveUp = [&] {
    Error error = failure("write", path);
    ::unlink(temporary.c_str());
    return error;
  };
  for (std::span<const uint8_t> part : parts)
    if (!writeAll(file.get(), part)) return giveUp();
  if (::fsync(file.get()) != 0 || file.close() != 0) return giveUp();
  if (::rename(temporary.c_str(), path.c_str()) != 0) return giveUp();
  syncFolderOf(path);
  return {};
}

Status writeFile(const std::string &path, std::string_view text) {
  std::array<std::span<const uint8_t>, 1> parts{bytesOf(text)};
  return writeFile(path, parts);
}

} // namespace sinter::runtime
