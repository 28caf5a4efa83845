#include "sinter/runtime/emulated/Fiber.h"

#include <cstdint>
#include <sys/mman.h>

namespace sinter::runtime::emulated {

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

void Fiber::start(void *stackLow, size_t stackBytes, Function function, void *argument) {
  auto top = (reinterpret_cast<uintptr_t>(stackLow) + stackBytes) & ~uintptr_t(15);
  auto *frame = reinterpret_cast<void **>(top) - 7; // the entry starts with the stack at `top`
  frame[0] = frame[1] = frame[2] = nullptr;         // r15 r14 r13
  frame[3] = argument;                              // r12
  frame[4] = reinterpret_cast<void *>(function);    // rbx
  frame[5] = nullptr;                               // rbp
  frame[6] = reinterpret_cast<void *>(&sinterFiberEntry);
  stackPointer = frame;
}

void Fiber::switchTo(Fiber &from, Fiber &to) {
  sinterFiberSwitch(&from.stackPointer, to.stackPointer);
}

#else

void Fiber::trampoline(unsigned low, unsigned high) {
  auto *self = reinterpret_cast<Fiber *>((static_cast<uintptr_t>(high) << 32) | low);
  self->function(self->argument);
}

void Fiber::start(void *stackLow, size_t stackBytes, Function entry, void *value) {
  function = entry;
  argument = value;
  getcontext(&context);
  context.uc_stack.ss_sp = stackLow;
  context.uc_stack.ss_size = stackBytes;
  context.uc_link = nullptr;
  auto self = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(this));
  makecontext(&context, reinterpret_cast<void (*)()>(&Fiber::trampoline), 2,
              static_cast<unsigned>(self), static_cast<unsigned>(self >> 32));
}

void Fiber::switchTo(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }

#endif

StackPool::~StackPool() {
  for (size_t i = 0; i < mappings.size(); ++i) munmap(mappings[i], mappingBytes[i]);
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
