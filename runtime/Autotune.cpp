#include "sinter/runtime/Autotune.h"
#include "sinter/runtime/KernelCache.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>

namespace sinter::runtime {
namespace {

/// Calls `see` with every launch of a block and of the loops in it.
void changeLaunches(Block &block, const std::function<void(Launch &)> &see) {
  for (Instruction &instruction : block) {
    if (auto *launch = std::get_if<Launch>(&instruction.op)) see(*launch);
    if (auto *loop = std::get_if<Loop>(&instruction.op)) {
      loop->body = std::make_shared<Block>(*loop->body); // the given program keeps its own
      changeLaunches(*loop->body, see);
    }
  }
}
void eachLaunch(const Block &block, const std::function<void(const Launch &)> &see) {
  for (const Instruction &instruction : block) {
    if (auto *launch = std::get_if<Launch>(&instruction.op)) see(*launch);
    if (auto *loop = std::get_if<Loop>(&instruction.op)) eachLaunch(*loop->body, see);
  }
}

/// The model's choice of a launch and its alternatives.
std::vector<Alternative> candidatesOf(const Launch &launch) {
  std::vector<Alternative> all{{launch.kernel, launch.shape, launch.cycles}};
  all.insert(all.end(), launch.alternatives.begin(), launch.alternatives.end());
  return all;
}

/// What a choice depends on.
CacheKey keyOf(const Program &program, const Launch &launch, const Device &device) {
  CacheKey key("autotune");
  key.add("device", device.description());
  for (const Alternative &candidate : candidatesOf(launch)) {
    const Kernel &kernel = program.kernels[candidate.kernel];
    key.add("kernel", kernel.source);
    for (const auto &[arch, image] : kernel.images)
      key.add("image " + arch, std::string(image.begin(), image.end()));
    std::string shape = std::to_string(candidate.shape.sharedBytes);
    for (uint32_t extent : candidate.shape.grid) shape += " " + std::to_string(extent);
    for (uint32_t extent : candidate.shape.block) shape += " " + std::to_string(extent);
    key.add("shape", shape);
  }
  for (const KernelParam &param : launch.params)
    if (auto *pointer = std::get_if<PointerParam>(&param))
      key.add("bytes", std::to_string(pointer->location.bytes));
    else if (auto *map = std::get_if<TensorMapParam>(&param))
      for (size_t d = 0; d < map->shape.size(); ++d)
        key.add("map", std::to_string(map->shape[d]) + " " + std::to_string(map->strides[d]));
  return key;
}

/// The median of what one launch takes among many.
class Stopwatch {
public:
  explicit Stopwatch(Device &device) : device(device) {}

  Result<double> microseconds(const LoadedKernel &kernel, const Launch &launch,
                              std::span<void *const> addresses) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> times;
    int64_t launches = 1;
    for (int turn = 0; turn < 6; ++turn) {
      auto start = Clock::now();
      for (int64_t i = 0; i < launches; ++i)
        SINTER_RETURN_IF_ERROR(device.launch(kernel, launch, addresses));
      SINTER_RETURN_IF_ERROR(device.synchronize());
      double took = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
      // The first turn says how many launches make a time that a clock can tell, and is not counted.
      if (turn == 0)
        launches = std::clamp<int64_t>(static_cast<int64_t>(turnMicroseconds / (took + 1)), 1, 100);
      else
        times.push_back(took / static_cast<double>(launches));
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    return times[times.size() / 2];
  }

private:
  static constexpr double turnMicroseconds = 2000;
  Device &device;
};

/// Zeros for every operand: no index leaves its array, and no number is none.
Result<std::vector<std::shared_ptr<Buffer>>> operands(const Launch &launch, Device &device) {
  std::vector<std::shared_ptr<Buffer>> buffers;
  constexpr std::array<uint8_t, 1> zero{0};
  for (const KernelParam &param : launch.params)
    if (auto *pointer = std::get_if<PointerParam>(&param)) {
      SINTER_ASSIGN_OR_RETURN(auto buffer, device.allocate(pointer->location.bytes));
      if (pointer->location.bytes > 0)
        SINTER_RETURN_IF_ERROR(device.fill(buffer->address(), pointer->location.bytes, zero));
      buffers.push_back(std::move(buffer));
    } else if (auto *map = std::get_if<TensorMapParam>(&param)) {
      // Over the memory of a pointer before it.
      size_t same = 0;
      for (const KernelParam &other : launch.params) {
        auto *pointer = std::get_if<PointerParam>(&other);
        if (pointer && pointer->location == map->location) break;
        same += pointer != nullptr;
      }
      if (same >= buffers.size())
        return Error{ErrorCode::corrupt, "a tensor map over memory that no pointer names"};
      buffers.push_back(buffers[same]);
    }
  return buffers;
}

Status measure(const Program &program, const Launch &launch, Device &device, Tuned &tuned) {
  Program candidates;
  candidates.target = program.target;
  candidates.headers = program.headers;
  std::vector<Alternative> all = candidatesOf(launch);
  for (const Alternative &one : all) candidates.kernels.push_back(program.kernels[one.kernel]);
  SINTER_ASSIGN_OR_RETURN(auto kernels, device.load(candidates));
  SINTER_ASSIGN_OR_RETURN(auto buffers, operands(launch, device));
  std::vector<void *> addresses;
  for (const auto &buffer : buffers) addresses.push_back(buffer->address());
  Launch timed = launch;
  for (size_t i = 0; i < all.size(); ++i) {
    timed.shape = all[i].shape;
    SINTER_ASSIGN_OR_RETURN(tuned.candidates[i].microseconds,
                            Stopwatch(device).microseconds(*kernels[i], timed, addresses));
    if (tuned.candidates[i].microseconds < tuned.candidates[tuned.chosen].microseconds)
      tuned.chosen = i;
  }
  return {};
}

} // namespace

Result<std::vector<Tuned>> autotune(const Program &program, Device &device) {
  SINTER_ASSIGN_OR_RETURN(KernelCache * cache, KernelCache::shared());
  std::vector<Tuned> all;
  Status status;
  auto tune = [&](const Launch &launch) -> Status {
    const std::string &name = program.kernels[launch.kernel].name;
    if (launch.alternatives.empty() ||
        std::any_of(all.begin(), all.end(), [&](const Tuned &t) { return t.kernel == name; }))
      return {};
    Tuned tuned{name, launch.source, {}, 0, false};
    for (const Alternative &one : candidatesOf(launch))
      tuned.candidates.push_back({program.kernels[one.kernel].name, one.cycles, 0});
    const CacheKey key = keyOf(program, launch, device);
    auto kept = cache->find(key, name);
    if (kept && kept->size() == 1 && (*kept)[0] < tuned.candidates.size()) {
      tuned.chosen = (*kept)[0];
      tuned.remembered = true;
    } else {
      SINTER_RETURN_IF_ERROR(measure(program, launch, device, tuned));
      const std::array<uint8_t, 1> chosen{static_cast<uint8_t>(tuned.chosen)};
      cache->store(key.bytes(), chosen);
    }
    all.push_back(std::move(tuned));
    return {};
  };
  for (const Entry &entry : program.entries)
    eachLaunch(entry.body, [&](const Launch &launch) {
      if (status.ok()) status = tune(launch);
    });
  SINTER_RETURN_IF_ERROR(status);
  return all;
}

Program withChoices(const Program &program, const std::vector<Tuned> &tuned) {
  Program decided = program;
  std::vector<std::optional<uint32_t>> moved(program.kernels.size());
  decided.kernels.clear();
  auto decide = [&](Launch &launch) {
    for (const Tuned &one : tuned)
      if (one.chosen > 0 && one.kernel == program.kernels[launch.kernel].name &&
          one.chosen <= launch.alternatives.size()) {
        const Alternative chosen = launch.alternatives[one.chosen - 1];
        launch.kernel = chosen.kernel, launch.shape = chosen.shape;
        break;
      }
    launch.alternatives.clear();
    if (!moved[launch.kernel]) {
      moved[launch.kernel] = static_cast<uint32_t>(decided.kernels.size());
      decided.kernels.push_back(program.kernels[launch.kernel]);
    }
    launch.kernel = *moved[launch.kernel];
  };
  for (Entry &entry : decided.entries) changeLaunches(entry.body, decide);
  return decided;
}

Result<std::shared_ptr<const Program>> decide(std::shared_ptr<const Program> program,
                                              Device &device, bool measure) {
  bool has = false;
  for (const Entry &entry : program->entries)
    eachLaunch(entry.body, [&](const Launch &launch) { has |= !launch.alternatives.empty(); });
  if (!has) return program;
  std::vector<Tuned> tuned;
  if (measure) {
    SINTER_ASSIGN_OR_RETURN(tuned, autotune(*program, device));
    std::fputs(describe(tuned).c_str(), stderr);
  }
  return std::shared_ptr<const Program>(
      std::make_shared<const Program>(withChoices(*program, tuned)));
}

std::string describe(const std::vector<Tuned> &tuned) {
  std::string text;
  for (const Tuned &one : tuned) {
    text +=
        fmt::format("autotune: {}{}{}:", one.kernel, one.source.empty() ? "" : " at ", one.source);
    for (size_t i = 0; i < one.candidates.size(); ++i) {
      const Tuned::Candidate &candidate = one.candidates[i];
      text += fmt::format("{} {}", i ? "," : "", candidate.kernel);
      if (!one.remembered) text += fmt::format(" {:.1f} us", candidate.microseconds);
      if (candidate.predictedCycles > 0)
        text += fmt::format(" ({:.1f} kcycles predicted)", candidate.predictedCycles / 1000);
      if (i == one.chosen) text += one.remembered ? " [chosen before]" : " [chosen]";
    }
    text += "\n";
  }
  return text;
}

} // namespace sinter::runtime
