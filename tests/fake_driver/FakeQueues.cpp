// The driver's functions over a machine that is a model of a GPU's queues: copies, streams, events, graphs, kernels.
// The function "addScalar" is known by name: addScalar(float *data, int64_t n, float x).
#include "FakeCalls.h"

#include <algorithm>
#include <cstring>

using namespace sinter::fake;

namespace {

template <class T>
CuResult set(CuDevicePtr to, size_t pitch, T value, size_t width, size_t height, CuStream stream) {
  const size_t bytes = pitch * (height - 1) + width * sizeof(T);
  if (!machine().inside(to, bytes) || to % sizeof(T)) return cuErrorInvalidValue;
  auto run = [=] {
    for (size_t row = 0; row < height; ++row)
      for (size_t i = 0; i < width; ++i)
        std::memcpy(reinterpret_cast<char *>(to) + row * pitch + i * sizeof(T), &value, sizeof(T));
    return cuSuccess;
  };
  return machine().queue(of(stream), {"a fill", {writes(to, bytes)}, run});
}

using Shape = std::array<unsigned, 7>;

CuResult launchAddScalar(const Shape &shape, CuStream stream, void **params, bool programmatic) {
  float *data = *static_cast<float **>(params[0]);
  const int64_t n = *static_cast<int64_t *>(params[1]);
  const float x = *static_cast<float *>(params[2]);
  const int64_t touched = std::min<int64_t>(n, static_cast<int64_t>(shape[0]) * shape[3]);
  auto run = [=] {
    for (int64_t i = 0; i < touched; ++i) data[i] += x;
    return cuSuccess;
  };
  return machine().queue(
      of(stream),
      {"addScalar",
       {writes(reinterpret_cast<CuDevicePtr>(data), static_cast<size_t>(touched) * 4)},
       run},
      programmatic);
}

CuResult launchKernel(CuFunction function, const Shape &shape, CuStream stream, void **params,
                      bool programmatic) {
  const std::string &name = reinterpret_cast<std::pair<const std::string, int> *>(function)->first;
  const Kernels *kernels = machine().kernels;
  const int numParams = kernels ? kernels->numParams(name) : -1;
  if (numParams < 0) {
    if (name == "addScalar") return launchAddScalar(shape, stream, params, programmatic);
    return cuErrorInvalidValue;
  }
  // Values are read when the kernel is queued, as the driver does; eight bytes hold any of them.
  auto values = std::make_shared<std::vector<uint64_t>>();
  for (int i = 0; i < numParams; ++i) {
    values->push_back(0);
    std::memcpy(&values->back(), params[i], 8);
  }
  std::vector<void *> pointers;
  for (uint64_t &value : *values) pointers.push_back(&value);
  auto run = [=] { return kernels->run(name, shape, pointers.data()); };
  std::vector<Access> accesses = kernels->accesses(name, pointers.data());
  auto keeping = [values, run] { return run(); };
  return machine().queue(of(stream), {name, std::move(accesses), keeping}, programmatic);
}

} // namespace

extern "C" {

CuResult cuMemcpyHtoDAsync_v2(CuDevicePtr to, const void *from, size_t bytes, CuStream stream) {
  ENTER(cuMemcpyHtoDAsync_v2);
  if (!machine().inside(to, bytes)) return cuErrorInvalidValue;
  auto run = [=] { return std::memcpy(reinterpret_cast<void *>(to), from, bytes), cuSuccess; };
  return machine().queue(of(stream), {"a copy to the device", {writes(to, bytes)}, run});
}
CuResult cuMemcpyDtoHAsync_v2(void *to, CuDevicePtr from, size_t bytes, CuStream stream) {
  ENTER(cuMemcpyDtoHAsync_v2);
  if (!machine().inside(from, bytes)) return cuErrorInvalidValue;
  auto run = [=] { return std::memcpy(to, reinterpret_cast<void *>(from), bytes), cuSuccess; };
  CuResult queued = machine().queue(of(stream), {"a copy to the host", {reads(from, bytes)}, run});
  // To memory that is not page-locked the driver waits.
  auto after = machine().pinned.upper_bound(to);
  const bool pinned = after != machine().pinned.begin() &&
                      to < static_cast<char *>(std::prev(after)->first) + std::prev(after)->second;
  return pinned ? queued : either(queued, machine().synchronize(of(stream)));
}
CuResult cuMemcpyDtoDAsync_v2(CuDevicePtr to, CuDevicePtr from, size_t bytes, CuStream stream) {
  ENTER(cuMemcpyDtoDAsync_v2);
  if (!machine().inside(from, bytes) || !machine().inside(to, bytes)) return cuErrorInvalidValue;
  auto run = [=] {
    return std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes),
           cuSuccess;
  };
  return machine().queue(of(stream), {"a copy", {reads(from, bytes), writes(to, bytes)}, run});
}
CuResult cuMemsetD8Async(CuDevicePtr to, unsigned char value, size_t n, CuStream stream) {
  ENTER(cuMemsetD8Async);
  return set(to, 0, value, n, 1, stream);
}
CuResult cuMemsetD16Async(CuDevicePtr to, unsigned short value, size_t n, CuStream stream) {
  ENTER(cuMemsetD16Async);
  return set(to, 0, value, n, 1, stream);
}
CuResult cuMemsetD32Async(CuDevicePtr to, unsigned value, size_t n, CuStream stream) {
  ENTER(cuMemsetD32Async);
  return set(to, 0, value, n, 1, stream);
}
CuResult cuMemsetD2D8Async(CuDevicePtr to, size_t pitch, unsigned char value, size_t width,
                           size_t height, CuStream stream) {
  ENTER(cuMemsetD2D8Async);
  return set(to, pitch, value, width, height, stream);
}
CuResult cuMemsetD2D32Async(CuDevicePtr to, size_t pitch, unsigned value, size_t width,
                            size_t height, CuStream stream) {
  ENTER(cuMemsetD2D32Async);
  return set(to, pitch, value, width, height, stream);
}
CuResult cuStreamCreate(CuStream *stream, unsigned) {
  ENTER(cuStreamCreate);
  *stream = reinterpret_cast<CuStream>(machine().makeStream());
  return cuSuccess;
}
CuResult cuStreamDestroy_v2(CuStream stream) {
  CuResult failed = enter("cuStreamDestroy_v2");
  return either(failed, machine().dropStream(of(stream)));
}
CuResult cuStreamSynchronize(CuStream stream) {
  ENTER(cuStreamSynchronize);
  NOT_IN_CAPTURE();
  return machine().synchronize(of(stream));
}
CuResult cuStreamWaitEvent(CuStream stream, CuEvent event, unsigned) {
  ENTER(cuStreamWaitEvent);
  machine().wait(of(stream), *reinterpret_cast<Event *>(event));
  return cuSuccess;
}
CuResult cuStreamBeginCapture_v2(CuStream stream, int) {
  ENTER(cuStreamBeginCapture_v2);
  of(stream)->capture = std::make_unique<Graph>();
  of(stream)->captureAfter.clear();
  of(stream)->invalid = false;
  return cuSuccess;
}
CuResult cuStreamGetCaptureInfo_v3(CuStream stream, int *status, uint64_t *id, CuGraph *graph,
                                   const CuGraphNode **nodes, const CUgraphEdgeData_st **edges,
                                   size_t *numNodes) {
  ENTER(cuStreamGetCaptureInfo_v3);
  Stream *s = of(stream);
  *status = s->capture ? 1 : 0, *id = 1, *edges = nullptr;
  *graph = reinterpret_cast<CuGraph>(s->capture.get());
  *nodes = reinterpret_cast<const CuGraphNode *>(s->captureAfter.data());
  *numNodes = s->captureAfter.size();
  return cuSuccess;
}
CuResult cuStreamUpdateCaptureDependencies_v2(CuStream stream, CuGraphNode *nodes,
                                              const CUgraphEdgeData_st *, size_t numNodes,
                                              unsigned flags) {
  ENTER(cuStreamUpdateCaptureDependencies_v2);
  if (!of(stream)->capture || flags != cuStreamSetCaptureDependencies) return cuErrorInvalidValue;
  auto *first = reinterpret_cast<Node **>(nodes);
  of(stream)->captureAfter.assign(first, first + numNodes);
  return cuSuccess;
}
CuResult cuStreamEndCapture(CuStream stream, CuGraph *graph) {
  auto captured = std::move(of(stream)->capture); // a failure ends the capture too
  ENTER(cuStreamEndCapture);
  if (!captured) return cuErrorInvalidValue;
  std::set<Node *> joined(of(stream)->captureAfter.begin(), of(stream)->captureAfter.end());
  for (auto node = captured->nodes.rbegin(); node != captured->nodes.rend(); ++node) {
    if (!joined.count(node->get())) return cuErrorCaptureUnjoined;
    joined.insert((*node)->after.begin(), (*node)->after.end());
  }
  *graph = reinterpret_cast<CuGraph>(captured.release());
  machine().live.insert(*graph);
  return cuSuccess;
}
CuResult cuGraphInstantiateWithFlags(CuGraphExec *exec, CuGraph graph, unsigned long long) {
  ENTER(cuGraphInstantiateWithFlags);
  auto made = machine().instantiate(*reinterpret_cast<Graph *>(graph));
  machine().live.insert(made.get());
  *exec = reinterpret_cast<CuGraphExec>(made.release());
  return cuSuccess;
}
CuResult cuGraphExecUpdate_v2(CuGraphExec exec, CuGraph graph, CUgraphExecUpdateResultInfo_st *) {
  ENTER(cuGraphExecUpdate_v2);
  auto made = machine().instantiate(*reinterpret_cast<Graph *>(graph));
  GraphExec &old = *reinterpret_cast<GraphExec *>(exec);
  bool same = made->steps.size() == old.steps.size();
  for (size_t i = 0; same && i < old.steps.size(); ++i)
    same = made->steps[i].after == old.steps[i].after &&
           made->steps[i].work.name == old.steps[i].work.name;
  if (!same) return cuErrorGraphUpdateFailure;
  old = std::move(*made);
  return cuSuccess;
}
CuResult cuGraphLaunch(CuGraphExec exec, CuStream stream) {
  ENTER(cuGraphLaunch);
  return machine().launch(*reinterpret_cast<GraphExec *>(exec), of(stream));
}
CuResult cuGraphDestroy(CuGraph graph) {
  CuResult failed = enter("cuGraphDestroy");
  machine().live.erase(graph);
  delete reinterpret_cast<Graph *>(graph);
  return failed;
}
CuResult cuGraphExecDestroy(CuGraphExec exec) {
  CuResult failed = enter("cuGraphExecDestroy");
  machine().live.erase(exec);
  delete reinterpret_cast<GraphExec *>(exec);
  return failed;
}
CuResult cuEventCreate(CuEvent *event, unsigned) {
  ENTER(cuEventCreate);
  auto *made = new Event;
  machine().live.insert(made);
  *event = reinterpret_cast<CuEvent>(made);
  return cuSuccess;
}
CuResult cuEventDestroy_v2(CuEvent event) {
  CuResult failed = enter("cuEventDestroy_v2");
  machine().live.erase(event);
  delete reinterpret_cast<Event *>(event);
  return failed;
}
CuResult cuEventRecord(CuEvent event, CuStream stream) {
  ENTER(cuEventRecord);
  machine().record(*reinterpret_cast<Event *>(event), of(stream));
  return cuSuccess;
}
CuResult cuEventSynchronize(CuEvent event) {
  ENTER(cuEventSynchronize);
  return machine().synchronize(*reinterpret_cast<Event *>(event));
}
CuResult cuModuleLoadDataEx(CuModule *module, const void *, unsigned, int *, void **) {
  ENTER(cuModuleLoadDataEx);
  NEED_CONTEXT();
  return makeHandle(reinterpret_cast<void **>(module));
}
CuResult cuModuleUnload(CuModule module) {
  CuResult failed = enter("cuModuleUnload");
  return either(failed, dropHandle(module));
}
CuResult cuModuleGetFunction(CuFunction *function, CuModule, const char *name) {
  ENTER(cuModuleGetFunction);
  static std::map<std::string, int> names; // node addresses serve as handles
  *function = reinterpret_cast<CuFunction>(&*names.emplace(name, 0).first);
  return cuSuccess;
}
CuResult cuFuncSetAttribute(CuFunction, int, int) {
  ENTER(cuFuncSetAttribute);
  return cuSuccess;
}
// What the fake GPU needs to know of a map is where its tensor lies; programs say the rest.
CuResult cuTensorMapEncodeTiled(CUtensorMap_st *map, int, unsigned rank, void *address,
                                const uint64_t *, const uint64_t *, const unsigned *,
                                const unsigned *, int, int, int, int) {
  ENTER(cuTensorMapEncodeTiled);
  if (rank < 1 || rank > 5 || reinterpret_cast<uintptr_t>(address) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(map) % 64 != 0)
    return cuErrorInvalidValue;
  std::memcpy(static_cast<void *>(map), &address, sizeof(address));
  return cuSuccess;
}
CuResult cuLaunchKernel(CuFunction function, unsigned gridX, unsigned gridY, unsigned gridZ,
                        unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                        CuStream stream, void **params, void **) {
  ENTER(cuLaunchKernel);
  NEED_CONTEXT();
  return launchKernel(function, {gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes}, stream,
                      params, false);
}
CuResult cuLaunchKernelEx(const CUlaunchConfig_st *config, CuFunction function, void **params,
                          void **) {
  ENTER(cuLaunchKernelEx);
  NEED_CONTEXT();
  const auto &c = *reinterpret_cast<const LaunchConfig *>(config);
  bool programmatic = false;
  for (unsigned i = 0; i < c.numAttributes; ++i)
    programmatic |=
        c.attributes[i].id == cuLaunchProgrammaticSerialization && c.attributes[i].value[0];
  return launchKernel(
      function,
      {c.grid[0], c.grid[1], c.grid[2], c.block[0], c.block[1], c.block[2], c.sharedBytes},
      c.stream, params, programmatic);
}

} // extern "C"
