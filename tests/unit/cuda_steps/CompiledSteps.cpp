// Compiled training steps on the CUDA device: one graph a step, whose branches no two accesses contradict, with the
// results of the emulated device bit by bit.
#include "../../fake_driver/FakeGpu.h"
#include "../../support/LayerStack.h"
#include "../../support/OnDevice.h"

#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/runtime/Autotune.h"

#include <gtest/gtest.h>

#include <deque>

namespace sinter::test {
namespace {

using fake::FakeGpu;
using runtime::Executor;
using runtime::Program;

Program compiled(const std::string &text) {
  Ir ir;
  auto module = ir.parse(text);
  EXPECT_TRUE(module) << ir.errors;
  std::string problem;
  auto program = programFor(ir, *module, "cuda-emulated", problem);
  EXPECT_TRUE(program) << problem;
  return program ? std::move(*program) : Program();
}

/// Bytes of a batch: small numbers for floats, classes for labels.
std::vector<uint8_t> batchOf(const runtime::TensorType &type, uint64_t seed) {
  std::vector<uint8_t> bytes(static_cast<size_t>(type.numBytes()));
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  auto next = [&] { return x ^= x << 13, x ^= x >> 7, x ^= x << 17; };
  for (int64_t i = 0; i < type.numElements(); ++i)
    if (type.dtype == runtime::DType::f32) {
      const float value = static_cast<float>(next() % 2048) / 1024.0f - 1.0f;
      std::memcpy(bytes.data() + i * 4, &value, 4);
    } else {
      const int64_t label = static_cast<int64_t>(next() % 10);
      std::memcpy(bytes.data() + i * 8, &label, 8);
    }
  return bytes;
}

struct Outcome {
  std::vector<std::vector<uint8_t>> losses, state;
};

/// `steps` steps, `together` in a launch, from a state of small numbers.
Outcome train(const Program &program, const std::shared_ptr<runtime::Device> &device, int64_t steps,
              int64_t together) {
  Outcome outcome;
  auto executor = Executor::create(std::make_shared<const Program>(program), device);
  EXPECT_TRUE(executor.ok()) << executor.error().message;
  if (!executor.ok()) return outcome;
  uint64_t seed = 100;
  for (const runtime::StateVariable &variable : program.state) {
    std::vector<uint8_t> bytes = batchOf(variable.type, ++seed);
    if (variable.name.ends_with(".v")) std::fill(bytes.begin(), bytes.end(), uint8_t(0));
    EXPECT_TRUE((*executor)->state()->set(variable.name, bytes).ok());
  }
  const runtime::Entry &entry = program.entries[0];
  outcome.losses.assign(static_cast<size_t>(steps), std::vector<uint8_t>(static_cast<size_t>(
                                                        entry.outputs[0].type.numBytes())));
  std::deque<std::shared_ptr<runtime::Moment>> moments;
  for (int64_t step = 0; step < steps; step += together) {
    std::vector<std::vector<uint8_t>> batches;
    std::vector<const void *> in;
    std::vector<void *> out;
    for (int64_t i = step; i < step + together; ++i) {
      for (const runtime::Port &port : entry.inputs)
        batches.push_back(batchOf(port.type, static_cast<uint64_t>(i) * 7 + batches.size()));
      out.push_back(outcome.losses[static_cast<size_t>(i)].data());
    }
    for (const auto &batch : batches) in.push_back(batch.data());
    auto moment = (*executor)->start(0, in, out, together);
    EXPECT_TRUE(moment.ok()) << moment.error().message;
    if (!moment.ok()) return outcome;
    moments.push_back(*moment);
    if (moments.size() > 1) {
      EXPECT_TRUE(moments.front()->wait().ok());
      moments.pop_front();
    }
  }
  for (auto &moment : moments) EXPECT_TRUE(moment->wait().ok());
  for (const runtime::StateVariable &variable : program.state)
    outcome.state.push_back(*(*executor)->state()->get(variable.name));
  return outcome;
}

void expectSame(const std::string &text) {
  Program program = compiled(text);
  ASSERT_FALSE(program.entries.empty());
  FakeGpu gpu(program);
  for (int64_t together : {1, 2}) {
    // Batches depend on how many travel together, in their numbers only.
    Outcome expected = train(gpu.program, gpu.emulated, 4, together);
    for (bool lazy : {false, true}) {
      gpu.setLazy(lazy);
      Outcome outcome = train(gpu.program, gpu.device(), 4, together);
      EXPECT_EQ(outcome.losses, expected.losses) << together << (lazy ? " lazy" : " eager");
      EXPECT_EQ(outcome.state, expected.state) << together << (lazy ? " lazy" : " eager");
      EXPECT_EQ(gpu.race(), "");
      EXPECT_EQ(gpu.error, "");
      EXPECT_EQ(gpu.live(), 0);
    }
    auto shape = gpu.graph();
    printf("%d operations in chains of at most %d\n", shape.nodes, shape.depth);
    EXPECT_LT(shape.depth, shape.nodes); // there are branches
  }
}

TEST(CompiledSteps, DenseLayers) { expectSame(mlpStep(3)); }
TEST(CompiledSteps, EncoderBlock) { expectSame(encoderStep(1)); }

/// Whether instruction `to` comes after `from` by way of others.
bool comesAfter(const runtime::Block &body, size_t to, uint32_t from) {
  for (uint32_t dependency : body[to].dependencies)
    if (dependency == from || (dependency > from && comesAfter(body, dependency, from)))
      return true;
  return false;
}

TEST(CompiledSteps, aDependencyLessIsARace) {
  Program program = compiled(mlpStep(2));
  ASSERT_FALSE(program.entries.empty());
  // Every dependency is dropped in turn: one that no others imply is needed, and seen to be.
  const runtime::Block &body = program.entries[0].body;
  int needed = 0;
  for (size_t i = 0; i < body.size(); ++i)
    for (size_t d = 0; d < body[i].dependencies.size(); ++d) {
      Program less = program;
      auto &dependencies = less.entries[0].body[i].dependencies;
      const uint32_t dropped = dependencies[d];
      dependencies.erase(dependencies.begin() + static_cast<std::ptrdiff_t>(d));
      const bool implied = comesAfter(less.entries[0].body, i, dropped);
      needed += !implied;
      FakeGpu gpu(less);
      train(gpu.program, gpu.device(), 1, 1);
      EXPECT_EQ(gpu.race().empty(), implied) << i << " after " << dropped;
    }
  EXPECT_GT(needed, 10);
}

/// A product and one with few results and a long sum, which has parts.
const char *products = R"(
func.func @wide(%x: tensor<96x64xbf16>, %w: tensor<64x80xbf16>) -> tensor<96x80xbf16> {
  %r = sinter.matmul %x, %w : (tensor<96x64xbf16>, tensor<64x80xbf16>) -> tensor<96x80xbf16>
  return %r : tensor<96x80xbf16>
}
func.func @deep(%x: tensor<16x2048xbf16>, %w: tensor<2048x24xbf16>) -> tensor<16x24xbf16> {
  %r = sinter.matmul %x, %w : (tensor<16x2048xbf16>, tensor<2048x24xbf16>) -> tensor<16x24xbf16>
  return %r : tensor<16x24xbf16>
}
)";

std::vector<std::vector<uint8_t>> resultsOf(const Program &program,
                                            const std::shared_ptr<runtime::Device> &device) {
  auto executor = Executor::create(std::make_shared<const Program>(program), device);
  EXPECT_TRUE(executor.ok()) << executor.error().message;
  std::vector<std::vector<uint8_t>> results;
  for (size_t e = 0; e < program.entries.size(); ++e) {
    const runtime::Entry &entry = program.entries[e];
    std::vector<std::vector<uint8_t>> inputs;
    std::vector<const void *> in;
    for (const runtime::Port &port : entry.inputs) {
      inputs.push_back(batchOf({runtime::DType::f32, port.type.shape}, 5 + inputs.size()));
      for (size_t i = 0; i < inputs.back().size() / 4; ++i) // the upper halves are bf16
        std::memcpy(inputs.back().data() + i * 2, inputs.back().data() + i * 4 + 2, 2);
    }
    for (auto &input : inputs) in.push_back(input.data());
    results.emplace_back(static_cast<size_t>(entry.outputs[0].type.numBytes()));
    void *out[] = {results.back().data()};
    EXPECT_TRUE((*executor)->run(e, in, out).ok());
  }
  return results;
}

TEST(CompiledAlternatives, giveTheSameBits) {
  Ir ir;
  auto module = ir.parse(products);
  ASSERT_TRUE(module) << ir.errors;
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = "sm_90";
  options.alternatives = 3;
  options.early = true;
  auto program = sinter::detail::compileModule(*module, options);
  ASSERT_TRUE(succeeded(program)) << ir.errors;
  std::vector<const runtime::Launch *> launches;
  for (const runtime::Entry &entry : program->entries)
    for (const runtime::Instruction &instruction : entry.body)
      if (auto *launch = std::get_if<runtime::Launch>(&instruction.op))
        if (!launch->alternatives.empty()) launches.push_back(launch);
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_TRUE(program->kernels[launches[1]->kernel].name.ends_with("_parts"));
  auto device = *runtime::emulatedCudaDevice();
  const auto expected = resultsOf(*program, device);
  for (const runtime::Launch *launch : launches) {
    ASSERT_EQ(launch->alternatives.size(), 3u);
    double before = launch->cycles;
    EXPECT_GT(before, 0);
    for (size_t i = 0; i < 3; ++i) {
      const runtime::Alternative &other = launch->alternatives[i];
      EXPECT_GE(other.cycles, before); // the model's choice is the model's best
      before = other.cycles;
      EXPECT_TRUE(program->kernels[other.kernel].awaits);
      runtime::Tuned tuned{program->kernels[launch->kernel].name, "", {}, i + 1, false};
      tuned.candidates.resize(4);
      EXPECT_EQ(resultsOf(runtime::withChoices(*program, {tuned}), device), expected)
          << program->kernels[other.kernel].name;
    }
  }
}

TEST(CompiledArchitecture, isTheGpusOwnUnlessTheProgramMustRunElsewhere) {
  auto nearest = [](const std::string &met, bool portable) {
    return codegen::nearestCudaArchitecture(met, portable);
  };
  EXPECT_EQ(nearest("sm_90", false), "sm_90a");
  EXPECT_EQ(nearest("sm_90", true), "sm_90");
  for (bool portable : {false, true}) {
    EXPECT_EQ(nearest("sm_60", portable), "sm_75");
    EXPECT_EQ(nearest("sm_87", portable), "sm_86");
    EXPECT_EQ(nearest("sm_103", portable), "sm_100");
  }
}

/// Tiles of warps and of warpgroups for one launch: all take the tensor maps that some want, which the driver encodes.
TEST(CompiledAlternatives, mixWarpsAndWarpgroups) {
  Ir ir;
  auto module = ir.parse(R"(
func.func @f(%x: tensor<136x320xbf16>, %w: tensor<200x320xbf16>) -> tensor<136x200xbf16> {
  %r = sinter.matmul %x, %w {transpose_b = true} : (tensor<136x320xbf16>, tensor<200x320xbf16>) -> tensor<136x200xbf16>
  return %r : tensor<136x200xbf16>
}
)");
  ASSERT_TRUE(module) << ir.errors;
  sinter::detail::ModuleOptions options;
  options.device = "cuda";
  options.architecture = "sm_90a";
  options.alternatives = 20;
  options.early = true;
  auto program = sinter::detail::compileModule(*module, options);
  ASSERT_TRUE(succeeded(program)) << ir.errors;
  auto &launch = std::get<runtime::Launch>(program->entries[0].body[0].op);
  ASSERT_EQ(launch.params.size(), 6u); // two operands, a result, and a map of each
  EXPECT_TRUE(std::holds_alternative<runtime::TensorMapParam>(launch.params[5]));
  auto device = *runtime::emulatedCudaDevice({.schedules = 2, .seed = 3});
  const auto expected = resultsOf(*program, device);
  int warpgroups = 0;
  for (size_t i = 0; i < launch.alternatives.size(); ++i) {
    const runtime::Kernel &kernel = program->kernels[launch.alternatives[i].kernel];
    runtime::Tuned tuned{program->kernels[launch.kernel].name, "", {}, i + 1, false};
    tuned.candidates.resize(launch.alternatives.size() + 1);
    Program chosen = runtime::withChoices(*program, {tuned});
    bool isWarpgroups = kernel.source.find("multiplyBlocks<") != std::string::npos;
    warpgroups += isWarpgroups;
    if (!isWarpgroups && i % 4 != 0) continue; // some of the others
    EXPECT_EQ(resultsOf(chosen, device), expected) << kernel.name;
    if (!isWarpgroups) continue;
    FakeGpu gpu(chosen);
    EXPECT_EQ(resultsOf(gpu.program, gpu.device()), expected) << kernel.name;
    EXPECT_EQ(gpu.race(), "");
    EXPECT_EQ(gpu.error, "");
    EXPECT_EQ(gpu.live(), 0);
  }
  EXPECT_EQ(warpgroups, 2);
  auto tuned = runtime::autotune(*program, *device);
  ASSERT_TRUE(tuned.ok()) << tuned.error().message;
  EXPECT_EQ(tuned->size(), 1u);
}

} // namespace
} // namespace sinter::test
