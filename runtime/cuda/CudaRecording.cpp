#include "sinter/runtime/cuda/CudaRecording.h"

#include <algorithm>

namespace sinter::runtime::cuda {

#define SINTER_CU(function, ...)                                                                   \
  SINTER_RETURN_IF_ERROR(context_->api->check(context_->api->function(__VA_ARGS__), #function))

CudaRecording::~CudaRecording() {
  if (!exec) return;
  context_->defer(context_->enterResult(), "cuCtxSetCurrent");
  context_->defer(context_->api->cuGraphExecDestroy(exec), "cuGraphExecDestroy");
}

Status CudaRecording::replay() {
  SINTER_RETURN_IF_ERROR(context_->enter());
  deviceLog_->add(names);
  SINTER_CU(cuGraphLaunch, exec, context_->stream);
  return {};
}

Status GraphCapture::begin() {
  SINTER_CU(cuStreamBeginCapture_v2, context_->stream, cuCaptureThreadLocal);
  return {};
}

Status GraphCapture::setDependencies(Nodes &nodes) {
  SINTER_CU(cuStreamUpdateCaptureDependencies_v2, context_->stream, nodes.data(), nullptr,
            nodes.size(), cuStreamSetCaptureDependencies);
  return {};
}

Result<GraphCapture::Nodes> GraphCapture::dependencies() const {
  int status = 0;
  uint64_t id = 0;
  CuGraph graph = nullptr;
  const CuGraphNode *nodes = nullptr;
  const CUgraphEdgeData_st *edges = nullptr;
  size_t count = 0;
  SINTER_CU(cuStreamGetCaptureInfo_v3, context_->stream, &status, &id, &graph, &nodes, &edges,
            &count);
  return Nodes(nodes, nodes + count);
}

Status GraphCapture::beginOperation() {
  if (!earlier_) {
    earlier_.emplace();
    if (!ends_.empty()) earlier_->push_back(static_cast<uint32_t>(ends_.size() - 1));
  }
  Nodes after;
  for (uint32_t number : *earlier_) {
    after.insert(after.end(), ends_[number].begin(), ends_[number].end());
    isFollowed_[number] = true;
  }
  afterOneKernel_ = earlier_->size() == 1 && kernels_[earlier_->front()] && after.size() == 1;
  std::sort(after.begin(), after.end());
  after.erase(std::unique(after.begin(), after.end()), after.end());
  earlier_.reset();
  before_ = std::move(after);
  ends_.emplace_back();
  kernels_.push_back(false);
  isFollowed_.push_back(false);
  return setDependencies(before_);
}

Status GraphCapture::endOperation() {
  // An operation without nodes (a copy of nothing) leaves what it comes after.
  SINTER_ASSIGN_OR_RETURN(ends_.back(), dependencies());
  return {};
}

Status GraphCapture::end(CudaRecording &into, std::unique_ptr<Recording> stale) {
  Nodes last;
  for (size_t i = 0; i < ends_.size(); ++i)
    if (!isFollowed_[i]) last.insert(last.end(), ends_[i].begin(), ends_[i].end());
  std::sort(last.begin(), last.end());
  last.erase(std::unique(last.begin(), last.end()), last.end());
  Status joined = setDependencies(last); // else the capture has ends that nothing joins
  CuGraph graph = nullptr;
  Status ended = context_->api->check(context_->api->cuStreamEndCapture(context_->stream, &graph),
                                      "cuStreamEndCapture");
  Status made = !joined.ok() ? joined : ended;
  if (made.ok()) made = instantiate(into, graph, std::move(stale));
  if (graph) context_->defer(context_->api->cuGraphDestroy(graph), "cuGraphDestroy");
  return made;
}

Status GraphCapture::instantiate(CudaRecording &into, CuGraph graph,
                                 std::unique_ptr<Recording> stale) {
  into.names = std::make_shared<const LaunchLog::Names>(std::move(names));
  if (auto *old = static_cast<CudaRecording *>(stale.get()); old && old->exec) {
    // CUgraphExecUpdateResultInfo, which nobody reads: a refusal only means to instantiate anew.
    alignas(8) unsigned char info[64] = {};
    const CuResult updated = context_->api->cuGraphExecUpdate_v2(
        old->exec, graph, reinterpret_cast<CUgraphExecUpdateResultInfo_st *>(info));
    if (updated == cuSuccess) {
      std::swap(into.exec, old->exec);
      return {};
    }
    if (updated != cuErrorGraphUpdateFailure)
      return context_->api->check(updated, "cuGraphExecUpdate_v2");
  }
  SINTER_CU(cuGraphInstantiateWithFlags, &into.exec, graph, 0);
  return {};
}

} // namespace sinter::runtime::cuda
