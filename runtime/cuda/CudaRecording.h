#pragma once

#include "sinter/runtime/Device.h"
#include "sinter/runtime/cuda/CudaContext.h"
#include "sinter/runtime/cuda/LaunchLog.h"

namespace sinter::runtime::cuda {

/// A CUDA graph, ready to be launched.
class CudaRecording final : public Recording {
public:
  CudaRecording(std::shared_ptr<CudaContext> context, std::shared_ptr<LaunchLog> deviceLog)
      : context_(std::move(context)), deviceLog_(std::move(deviceLog)) {}
  ~CudaRecording() override;
  Status replay() override;

  CuGraphExec exec = nullptr;
  std::shared_ptr<const LaunchLog::Names> names;

private:
  std::shared_ptr<CudaContext> context_;
  std::shared_ptr<LaunchLog> deviceLog_;
};

/// The capture of a graph on the context's stream. Each operation comes after those that it depends on
/// and is beside all others: before it is queued, the stream is told the nodes that it comes after.
class GraphCapture {
public:
  explicit GraphCapture(std::shared_ptr<CudaContext> context) : context_(std::move(context)) {}
  Status begin();
  /// The next operation comes after these, by number; without a call, after the one before.
  void after(std::span<const uint32_t> earlier) {
    earlier_.emplace(earlier.begin(), earlier.end());
  }
  /// To be called around what queues an operation's nodes.
  Status beginOperation();
  Status endOperation();
  /// Whether all that the operation comes after is one kernel, whose end it may then wait for itself.
  bool afterOneKernel() const { return afterOneKernel_; }
  void operationIsKernel() { kernels_.back() = true; }
  /// Ends the capture, also after a failure, and makes `into` launch what was captured. `stale` is
  /// changed into it where that can be done.
  Status end(CudaRecording &into, std::unique_ptr<Recording> stale);

  LaunchLog::Names names; // of the kernels

private:
  using Nodes = std::vector<CuGraphNode>;
  Status setDependencies(Nodes &nodes);
  Result<Nodes> dependencies() const;
  Status instantiate(CudaRecording &into, CuGraph graph, std::unique_ptr<Recording> stale);

  std::shared_ptr<CudaContext> context_;
  std::optional<std::vector<uint32_t>> earlier_;
  std::vector<Nodes> ends_;                // of each operation
  std::vector<bool> kernels_, isFollowed_; // of each operation
  Nodes before_;                           // what the operation at hand comes after
  bool afterOneKernel_ = false;
};

} // namespace sinter::runtime::cuda
