#pragma once

#include <sinter/runtime/Container.h>
#include <sinter/runtime/Executor.h>
#include <sinter/runtime/Program.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace serve {

namespace runtime = sinter::runtime;

inline void check(const runtime::Status &status) {
  if (!status.ok()) throw std::runtime_error(status.error().message);
}
template <class T> T check(runtime::Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

/// The `predict` entry of a saved program on the CPU. Each has a device, a state and an executor of its own, so that
/// several can work at the same time; the program is shared.
class Predictor {
public:
  /// `weights`: the bytes of a checkpoint; without them the initial values.
  Predictor(std::shared_ptr<const runtime::Program> program, std::span<const uint8_t> weights)
      : executor(check(runtime::Executor::create(program, runtime::cpuDevice({.numThreads = 1})))) {
    check(executor->run(check(executor->entryIndex("init")), {}, {}));
    if (!weights.empty()) {
      auto container = check(runtime::parseContainer(weights, "the checkpoint"));
      for (const runtime::Blob &blob : container.blobs)
        if (program->findState(blob.name) >= 0)
          check(executor->state()->set(blob.name, blob.bytes));
    }
    index = check(executor->entryIndex("predict"));
    const runtime::Entry &entry = *program->findEntry("predict");
    const runtime::TensorType &in = entry.inputs.at(0).type, &out = entry.outputs.at(0).type;
    if (in.dtype != runtime::DType::f32 || out.dtype != runtime::DType::f32)
      throw std::runtime_error("predict takes " + in.text() + " and gives " + out.text() +
                               ", not f32");
    rows = in.shape.at(0);
    input.resize(static_cast<size_t>(in.numBytes()) / sizeof(float));
    output.resize(static_cast<size_t>(out.numBytes()) / sizeof(float));
  }

  size_t inputSize() const { return input.size() / static_cast<size_t>(rows); }
  /// Of one sample; the rest of the program's batch is zeros.
  std::vector<float> operator()(const std::vector<float> &sample) {
    std::fill(input.begin(), input.end(), 0.0f);
    std::copy(sample.begin(), sample.end(), input.begin());
    const void *in[] = {input.data()};
    void *out[] = {output.data()};
    check(executor->run(index, in, out));
    return {output.begin(), output.begin() + static_cast<std::ptrdiff_t>(output.size()) / rows};
  }

private:
  std::shared_ptr<runtime::Executor> executor;
  size_t index = 0;
  int64_t rows = 1;
  std::vector<float> input, output;
};

} // namespace serve
