#include "sinter/runtime/emulated/Fiber.h"

#include <cstdint>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SINTER_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SINTER_FIBER_ASAN 1
#endif
#endif
#ifdef SINTER_FIBER_ASAN
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
/// What instrumented code calls when a variable's scope begins.
extern "C" void __asan_unpoison_stack_memory(uintptr_t low, size_t bytes);
#endif

namespace sinter::runtime::emulated {

namespace {
#ifdef SINTER_FIBER_ASAN
/// Tells AddressSanitizer which stack is next, and on return that this one is back.
struct AsanSwitch {
  void *fake = nullptr;
  AsanSwitch(const void *low, size_t bytes) { __sanitizer_start_switch_fiber(&fake, low, bytes); }
  ~AsanSwitch() { __sanitizer_finish_switch_fiber(fake, nullptr, nullptr); }
};
void finishFirstSwitch() { __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr); }
/// A fiber that was abandoned left its frames' marks on the stack, where the next one, or whatever is
/// mapped there next, would meet them.
void forgetFrames(void *low, size_t bytes) {
  __asan_unpoison_stack_memory(reinterpret_cast<uintptr_t>(low), bytes);
}
#else
struct AsanSwitch {
  AsanSwitch(const void *, size_t) {}
};
void finishFirstSwitch() {}
void forgetFrames(void *, size_t) {}
#endif
} // namespace

#if defined(__x86_64__)

// Callee-saved registers of the System V ABI; the rest is the caller's to lose. A fresh fiber's
// frame returns into the entry, which finds function and argument in saved registers.
asm(R"(
.text
.p2align 4
.globl sinterFiberSwitch
.hidden sinterFiberSwitch
.type sinterFiberSwitch, @function
sinterFiberSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sinterFiberSwitch, .-sinterFiberSwitch
.globl sinterFiberEntry
.hidden sinterFiberEntry
.type sinterFiberEntry, @function
sinterFiberEntry:
  movq %r12, %rdi
  callq *%rbx
  ud2
.size sinterFiberEntry, .-sinterFiberEntry
)");
extern "C" __attribute__((visibility("hidden"))) void sinterFiberSwitch(void **save, void *load);
extern "C" __attribute__((visibility("hidden"))) void sinterFiberEntry();

static void prepare(void **stackPointer, void *low, size_t bytes, Fiber::Function entry,
                    void *value) {
  auto top = (reinterpret_cast<uintptr_t>(low) + bytes) & ~uintptr_t(15);
  auto *frame = reinterpret_cast<void **>(top) - 7; // the entry starts with the stack at `top`
  frame[0] = frame[1] = frame[2] = nullptr;         // r15 r14 r13
  frame[3] = value;                                 // r12
  frame[4] = reinterpret_cast<void *>(entry);       // rbx
  frame[5] = nullptr;                               // rbp
  frame[6] = reinterpret_cast<void *>(&sinterFiberEntry);
  *stackPointer = frame;
}

void Fiber::start(void *low, size_t bytes, Function entry, void *value) {
  stackLow = low, stackBytes = bytes, function = entry, argument = value;
  forgetFrames(low, bytes);
  prepare(&stackPointer, low, bytes, &Fiber::enter, this);
}

void Fiber::switchTo(Fiber &from, Fiber &to) {
  AsanSwitch asan(to.stackLow, to.stackBytes);
  sinterFiberSwitch(&from.stackPointer, to.stackPointer);
}

#else

void Fiber::trampoline(unsigned low, unsigned high) {
  enter(reinterpret_cast<void *>((static_cast<uintptr_t>(high) << 32) | low));
}

void Fiber::start(void *low, size_t bytes, Function entry, void *value) {
  stackLow = low, stackBytes = bytes, function = entry, argument = value;
  forgetFrames(low, bytes);
  getcontext(&context);
  context.uc_stack.ss_sp = low;
  context.uc_stack.ss_size = bytes;
  context.uc_link = nullptr;
  auto self = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(this));
  makecontext(&context, reinterpret_cast<void (*)()>(&Fiber::trampoline), 2,
              static_cast<unsigned>(self), static_cast<unsigned>(self >> 32));
}

void Fiber::switchTo(Fiber &from, Fiber &to) {
  AsanSwitch asan(to.stackLow, to.stackBytes);
  swapcontext(&from.context, &to.context);
}

#endif

void Fiber::enter(void *self) {
  finishFirstSwitch();
  auto *fiber = static_cast<Fiber *>(self);
  fiber->function(fiber->argument);
}

void Fiber::adoptThreadStack() {
#ifdef SINTER_FIBER_ASAN
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  pthread_attr_getstack(&attributes, &stackLow, &stackBytes);
  pthread_attr_destroy(&attributes);
#endif
}

StackPool::~StackPool() {
  for (size_t i = 0; i < mappings.size(); ++i) {
    forgetFrames(mappings[i], mappingBytes[i]);
    munmap(mappings[i], mappingBytes[i]);
  }
}

bool StackPool::reserve(size_t count) {
  if (count <= stacks.size()) return true;
  size_t more = count - stacks.size(), bytes = more * stackBytes;
  void *base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return false;
  mappings.push_back(base);
  mappingBytes.push_back(bytes);
  for (size_t i = 0; i < more; ++i) {
    void *stack = static_cast<char *>(base) + i * stackBytes;
    mprotect(stack, guardBytes, PROT_NONE);
    stacks.push_back(stack);
  }
  return true;
}

} // namespace sinter::runtime::emulated
