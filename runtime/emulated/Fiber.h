#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace sinter::runtime::emulated {

/// A stack with a place to go on. Switched by hand on x86-64 (registers and a stack pointer: a few
/// nanoseconds; swapcontext makes a system call each time), by ucontext elsewhere.
class Fiber {
public:
  using Function = void (*)(void *argument);

  /// Makes the next switch to this fiber call `function(argument)` on the given stack; the function
  /// never returns.
  void start(void *stackLow, size_t stackBytes, Function function, void *argument);
  /// Leaves `from` where it is and goes on in `to`.
  static void switchTo(Fiber &from, Fiber &to);

  /// For the fiber that a thread of the operating system already runs on: only AddressSanitizer,
  /// which follows stacks, needs to know where that is.
  void adoptThreadStack();

private:
  static void enter(void *self);
  Function function = nullptr;
  void *argument = nullptr;
  void *stackLow = nullptr;
  size_t stackBytes = 0;
#if defined(__x86_64__)
  void *stackPointer = nullptr;
#else
  static void trampoline(unsigned low, unsigned high);
  ucontext_t context{};
#endif
};

/// Stacks of one size, each above a guard page, mapped once and reused.
class StackPool {
public:
  static constexpr size_t stackBytes = 64 * 1024;
  StackPool() = default;
  StackPool(const StackPool &) = delete;
  StackPool &operator=(const StackPool &) = delete;
  ~StackPool();
  /// Grows the pool to `count` stacks; false when the system refuses memory.
  bool reserve(size_t count);
  /// The usable part of stack i. Tops are staggered: stacks a power of two apart would compete for
  /// the same cache sets.
  void *low(size_t i) const { return static_cast<char *>(stacks[i]) + guardBytes; }
  size_t usableBytes(size_t i) const { return stackBytes - guardBytes - (i % 32) * 128; }

private:
  static constexpr size_t guardBytes = 4096;
  std::vector<void *> stacks;
  std::vector<void *> mappings;
  std::vector<size_t> mappingBytes;
};

} // namespace sinter::runtime::emulated
