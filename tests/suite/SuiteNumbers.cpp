#include "Suite.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

using namespace sinter::runtime;
namespace fs = std::filesystem;

namespace sinter::suite {

static double halfToDouble(uint16_t bits) {
  int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  double value = exponent == 31 ? (mantissa ? std::nan("") : INFINITY)
                 : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                : std::ldexp(mantissa, -24);
  return bits & 0x8000 ? -value : value;
}

double numberAt(DType type, const uint8_t *bytes, int64_t i) {
  auto as = [&]<class T>(T) {
    T value;
    std::memcpy(&value, bytes + i * int64_t(sizeof(T)), sizeof(T));
    return value;
  };
  switch (type) {
  case DType::f32:
    return as(float());
  case DType::f64:
    return as(double());
  case DType::bf16:
    return std::bit_cast<float>(uint32_t(as(uint16_t())) << 16);
  case DType::f16:
    return halfToDouble(as(uint16_t()));
  case DType::i32:
    return as(int32_t());
  case DType::i64:
    return double(as(int64_t()));
  default:
    return bytes[i];
  }
}

std::vector<fs::path> sortedFiles(const std::string &folder, const std::string &extension) {
  std::vector<fs::path> paths;
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == extension) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

nlohmann::json beside(const fs::path &program, const char *extension) {
  std::ifstream file(fs::path(program).replace_extension(extension));
  return file ? nlohmann::json::parse(file) : nlohmann::json::object();
}
Limits limitsOf(const nlohmann::json &about) {
  Limits limits;
  if (about.contains("below"))
    for (const auto &[name, limit] : about.at("below").items())
      if (limit.get<int64_t>() > 0) limits[name] = limit;
  return limits;
}

std::vector<std::vector<uint8_t>> madeUp(const std::vector<Port> &ports, const Limits &limits) {
  std::vector<std::vector<uint8_t>> all;
  uint32_t state = 1;
  auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
  for (const Port &port : ports) {
    std::vector<uint8_t> bytes(size_t(port.type.numBytes()));
    size_t width = bytes.size() / size_t(std::max<int64_t>(1, port.type.numElements()));
    auto limit = limits.find(port.name);
    int64_t below = limit == limits.end() ? 10 : limit->second;
    for (int64_t i = 0; i < port.type.numElements(); ++i) {
      uint8_t *at = bytes.data() + size_t(i) * width;
      float number = float(next()) / float(1 << 23) - 1.0f;
      int64_t whole = int64_t(next()) % below;
      if (port.type.dtype == DType::f32) {
        std::memcpy(at, &number, 4);
      } else if (port.type.dtype == DType::bf16) {
        uint16_t bits = uint16_t(std::bit_cast<uint32_t>(number) >> 16);
        std::memcpy(at, &bits, 2);
      } else if (port.type.dtype == DType::f16) { // of an integer from -1024 to 1023 over 1024
        int64_t steps = int64_t(std::floor(number * 1024)), size = std::abs(steps);
        int high = size ? 63 - std::countl_zero(uint64_t(size)) : 0;
        uint16_t bits = size ? uint16_t((high + 5) << 10 | ((size << (10 - high)) & 1023)) : 0;
        bits |= steps < 0 ? 0x8000 : 0;
        std::memcpy(at, &bits, 2);
      } else {
        std::memcpy(at, &whole, width);
      }
    }
    all.push_back(std::move(bytes));
  }
  return all;
}

void initialise(Executor &executor, const Limits &limits) {
  if (auto init = executor.entryIndex("init"); init.ok()) return need(executor.run(*init, {}, {}));
  std::vector<Port> ports;
  for (const StateVariable &variable : executor.program()->state)
    ports.push_back({variable.name, variable.type});
  auto values = madeUp(ports, limits);
  for (size_t i = 0; i < ports.size(); ++i) need(executor.state()->set(ports[i].name, values[i]));
}

Batches::Batches(const Entry &entry, const Limits &limits, int steps)
    : inputs(madeUp(entry.inputs, limits)) {
  for (int i = 0; i < steps; ++i) {
    for (auto &bytes : inputs) in.push_back(bytes.data());
    for (const Port &port : entry.outputs) outputs.emplace_back(size_t(port.type.numBytes()));
  }
  for (auto &bytes : outputs) out.push_back(bytes.data());
}

} // namespace sinter::suite
