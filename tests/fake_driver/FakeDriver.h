#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// A CUDA driver without a GPU. Device memory is host memory; every stream is a queue; graphs are nodes and edges.
/// Whatever touches memory is compared with what touched it before: two that are not ordered, by a stream, an
/// event, an edge of a graph or a wait of the host, and of which one writes, are a race.
namespace sinter::fake {

struct Access {
  uintptr_t at = 0;
  size_t bytes = 0;
  bool write = false;
};

/// What the kernels of a test are. `params[i]` points to parameter i, as in cuLaunchKernel.
struct Kernels {
  /// How many parameters a kernel has; negative: there is no such kernel.
  std::function<int(const std::string &name)> numParams;
  std::function<std::vector<Access>(const std::string &name, void *const *params)> accesses;
  /// The grid, the block and the bytes of shared memory; a driver's error, or 0.
  std::function<int(const std::string &name, const std::array<unsigned, 7> &shape,
                    void *const *params)>
      run;
};

} // namespace sinter::fake

// What tests tell the fake driver and ask of it; found by dlsym in the library they opened.
extern "C" {
/// The call named `name` fails with `code` after `skip` more successes, once.
void fakeFailNext(const char *name, int code, int skip);
/// Forgets failures, counts and allocations.
void fakeReset();
/// How often a call was made since the reset.
int fakeCalls(const char *name);
/// Contexts, allocations, modules, streams, events, graphs and the like that were not given back.
int fakeLive();
/// Properties of the device from the next `cuInit` on.
void fakeSetDevice(int count, int capability, int memoryPools, unsigned long long memoryBytes);
/// Whether work is done when somebody waits for it, in an order as unlike the queue's as its rules allow, or when
/// it is queued.
void fakeSetLazy(int lazy);
/// The kernels that can be launched from now on; null for "addScalar" alone.
void fakeSetKernels(const sinter::fake::Kernels *kernels);
/// The first race since the reset, in words; empty for none.
const char *fakeRace();
/// Of the graph that was instantiated last: nodes, edges, programmatic ones among them, and the length of the
/// longest chain.
void fakeGraphShape(int *nodes, int *edges, int *programmatic, int *depth);
}
