#include "AllocationCount.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<int64_t> calls{0};
}

void *operator new(size_t bytes) {
  ++calls;
  if (void *memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
// Sanitizers pair this form with a delete of their own unless it is replaced as well.
void *operator new(size_t bytes, const std::nothrow_t &) noexcept {
  ++calls;
  return std::malloc(bytes ? bytes : 1);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }

int64_t sinter::runtime::testing::numAllocations() { return calls; }
