#pragma once

#include "RuntimeTest.h"

#include <cstring>
#include <memory>

/// Small programs over kernels written here.
namespace sinter::runtime::testing {

inline void scaleKernel(void *const *buffers, const int64_t *scalars, int64_t begin, int64_t end) {
  float factor;
  std::memcpy(&factor, scalars, sizeof(factor));
  auto *in = static_cast<const float *>(buffers[0]);
  auto *out = static_cast<float *>(buffers[1]);
  for (int64_t i = begin; i < end; ++i) out[i] = in[i] * factor;
}
inline void addKernel(void *const *buffers, const int64_t *, int64_t begin, int64_t end) {
  auto *a = static_cast<const float *>(buffers[0]), *b = static_cast<const float *>(buffers[1]);
  auto *out = static_cast<float *>(buffers[2]);
  for (int64_t i = begin; i < end; ++i) out[i] = a[i] + b[i];
}

inline ScalarParam scalarParam(float value) {
  ScalarParam param{DType::f32, {}};
  std::memcpy(param.bits.data(), &value, sizeof(value));
  return param;
}
inline PointerParam readParam(Space space, uint32_t index, int64_t offset, int64_t bytes) {
  return {{space, index, offset, bytes}, false};
}
inline PointerParam writeParam(Space space, uint32_t index, int64_t offset, int64_t bytes) {
  return {{space, index, offset, bytes}, true};
}

inline Launch launch(uint32_t kernel, int64_t range, std::vector<KernelParam> params,
                     std::string label) {
  Launch made;
  made.kernel = kernel;
  made.shape.range = range;
  made.shape.grain = 16;
  made.params = std::move(params);
  made.label = std::move(label);
  made.source = "model.cpp:14 fc";
  return made;
}
inline Instruction step(decltype(Instruction::op) op, std::vector<uint32_t> after = {}) {
  return {std::move(op), std::move(after)};
}

constexpr int64_t numElements = 100;
constexpr int64_t numBytes = numElements * 4;

/// step: w += 2 * x in state, y = w + constant (all ones).
inline Program stepProgram() {
  Program program;
  TensorType type{DType::f32, {numElements}};
  program.kernels = {{"scale", "", {}, {}, scaleKernel, {}}, {"add", "", {}, {}, addKernel, {}}};
  program.state = {{"w", type, StateRole::parameter}};
  std::vector<float> ones(numElements, 1.0f);
  auto bytes = bytesOf(ones);
  program.constants = {{bytes.begin(), bytes.end()}};
  Entry entry;
  entry.name = "step";
  entry.inputs = {{"x", type}};
  entry.outputs = {{"y", type}};
  entry.arenaBytes = 512;
  entry.largest = {{512, "fc scaled (model.cpp:14)"}};
  auto scaled = readParam(Space::arena, 0, 64, numBytes);
  entry.body = {
      step(launch(0, numElements,
                  {readParam(Space::input, 0, 0, numBytes),
                   writeParam(Space::arena, 0, 64, numBytes), scalarParam(2.0f)},
                  "scale")),
      step(launch(1, numElements,
                  {readParam(Space::state, 0, 0, numBytes), scaled,
                   writeParam(Space::state, 0, 0, numBytes)},
                  "update"),
           {0}),
      step(launch(1, numElements,
                  {readParam(Space::state, 0, 0, numBytes),
                   readParam(Space::constant, 0, 0, numBytes),
                   writeParam(Space::output, 0, 0, numBytes)},
                  "add ones"),
           {1}),
  };
  program.entries = {std::move(entry)};
  return program;
}

/// A vector of floats at an address aligned as executors like it, or off by one float.
class Floats {
public:
  explicit Floats(float value = 0, bool aligned = true)
      : memory(std::aligned_alloc(64, 1024), std::free),
        data(static_cast<float *>(memory.get()) + (aligned ? 0 : 1)) {
    std::fill(data, data + numElements, value);
  }
  float &operator[](size_t i) { return data[i]; }
  void *address() const { return data; }

private:
  std::shared_ptr<void> memory;
  float *data;
};

} // namespace sinter::runtime::testing
