#include "sinter/runtime/cpu/HostMemory.h"
#include "sinter/runtime/Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

namespace sinter::runtime {
namespace {

constexpr int64_t hugePage = int64_t(2) << 20;

/// Linux promises more than it has and kills later: what exceeds the machine is refused at once.
int64_t physicalBytes() {
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

class HostBuffer : public Buffer {
public:
  HostBuffer(void *memory, int64_t size) : memory(memory), size(size) {}
  ~HostBuffer() override { std::free(memory); }
  void *address() const override { return memory; }
  int64_t bytes() const override { return size; }

private:
  void *memory;
  int64_t size;
};

} // namespace

Result<std::shared_ptr<Buffer>> allocateHost(int64_t bytes) {
  if (bytes < 0)
    return Error{ErrorCode::invalidArgument, fmt::format("cannot allocate {} bytes", bytes)};
  int64_t alignment = bytes >= hugePage ? hugePage : bufferAlignment;
  void *memory = nullptr;
  if (bytes <= physicalBytes())
    memory = std::aligned_alloc(alignment, alignUp(std::max<int64_t>(bytes, 1), alignment));
  if (!memory)
    return Error{ErrorCode::outOfMemory,
                 fmt::format("the host cannot give {} bytes of its {}", bytes, physicalBytes())};
  if (alignment == hugePage)
    (void)madvise(memory, alignUp(bytes, alignment), MADV_HUGEPAGE); // only speed is lost without
  return std::shared_ptr<Buffer>(std::make_shared<HostBuffer>(memory, bytes));
}

void fillHost(void *to, int64_t bytes, std::span<const uint8_t> pattern) {
  if (bytes <= 0 || pattern.empty()) return;
  if (pattern.size() == 1) {
    std::memset(to, pattern[0], static_cast<size_t>(bytes));
    return;
  }
  // Doubling what is there already keeps this at the speed of memcpy.
  auto *out = static_cast<uint8_t *>(to);
  int64_t filled = std::min<int64_t>(bytes, static_cast<int64_t>(pattern.size()));
  std::memcpy(out, pattern.data(), static_cast<size_t>(filled));
  while (filled < bytes) {
    int64_t part = std::min(filled, bytes - filled);
    std::memcpy(out + filled, out, static_cast<size_t>(part));
    filled += part;
  }
}

} // namespace sinter::runtime
