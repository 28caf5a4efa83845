// Whole steps on the CUDA device: one graph a step, with the branches that the program's dependencies allow, run
// ahead of the host, several steps in one launch. The kernels run on the emulated device, and every pair of accesses
// that nothing orders is a race.
#include "../../fake_driver/FakeGpu.h"
#include "KernelTest.h"

#include "sinter/runtime/Autotune.h"
#include "sinter/runtime/Executor.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <deque>

using namespace sinter::test;
using sinter::fake::FakeGpu;
using testing::AllOf;
using testing::HasSubstr;

namespace {

constexpr int64_t n = 64, bytes = n * 4;

/// y = x * a + b, of 64 numbers.
std::string affine(const std::string &name) {
  return "extern \"C\" __global__ void __launch_bounds__(64) " + name +
         "(SINTER_GLOBAL_CONST(f32) x, SINTER_GLOBAL(f32) y, f32 a, f32 b) {\n"
         "  y[threadIdx.x] = x[threadIdx.x] * a + b;\n}\n";
}
const char *sumText = R"(extern "C" __global__ void __launch_bounds__(64)
add(SINTER_GLOBAL_CONST(f32) x, SINTER_GLOBAL_CONST(f32) y, SINTER_GLOBAL(f32) z) {
  z[threadIdx.x] = x[threadIdx.x] + y[threadIdx.x];
}
)";
const char *stateText = R"(extern "C" __global__ void __launch_bounds__(64)
accumulate(SINTER_GLOBAL_CONST(f32) x, SINTER_GLOBAL(f32) w) {
  w[threadIdx.x] = w[threadIdx.x] + x[threadIdx.x];
}
)";

Location arena(int64_t slot) { return {Space::arena, 0, slot * bytes, bytes}; }
Location input() { return {Space::input, 0, 0, bytes}; }
Location output() { return {Space::output, 0, 0, bytes}; }
Location state() { return {Space::state, 0, 0, bytes}; }

Launch launchOf(uint32_t kernel, std::vector<KernelParam> params, const std::string &label,
                const std::string &source) {
  Launch launch;
  launch.kernel = kernel;
  launch.shape.block = {n, 1, 1};
  launch.params = std::move(params);
  launch.label = label;
  launch.source = source;
  return launch;
}
Launch affineLaunch(Location from, Location to, float a, float b, const std::string &source) {
  return launchOf(0, {PointerParam{from, false}, PointerParam{to, true}, f32Param(a), f32Param(b)},
                  "affine", source);
}

/// left = 2x, right = x + 1, y = left + right = 3x + 1; w += y: left and right, and what comes of y, beside each other.
Program diamond() {
  Program program =
      cudaProgram({{"affine", affine("affine")}, {"add", sumText}, {"accumulate", stateText}});
  program.state.push_back({"w", {DType::f32, {n}}, StateRole::parameter});
  Entry entry;
  entry.name = "train_step";
  entry.inputs.push_back({"x", {DType::f32, {n}}});
  entry.outputs.push_back({"y", {DType::f32, {n}}});
  entry.arenaBytes = 3 * bytes;
  entry.body = {{affineLaunch(input(), arena(0), 2, 0, "model.cpp:1"), {}},
                {affineLaunch(input(), arena(1), 1, 1, "model.cpp:2"), {}},
                {launchOf(1,
                          {PointerParam{arena(0), false}, PointerParam{arena(1), false},
                           PointerParam{arena(2), true}},
                          "add", "model.cpp:3"),
                 {0, 1}},
                {launchOf(2, {PointerParam{arena(2), false}, PointerParam{state(), true}},
                          "accumulate", "model.cpp:4"),
                 {2}},
                {Copy{arena(2), output(), "model.cpp:3"}, {2}}};
  program.entries.push_back(std::move(entry));
  return program;
}

/// An executor over the fake driver, with batches of its own.
class Steps {
public:
  Steps(FakeGpu &gpu) : device(gpu.device()) {
    auto made = Executor::create(std::make_shared<const Program>(gpu.program), device);
    EXPECT_TRUE(made.ok()) << made.error().message;
    executor = *made;
  }
  /// Starts `count` steps on batches of 1, 2, 3, ....
  Result<std::shared_ptr<Moment>> start(int64_t count = 1) {
    std::vector<const void *> in;
    std::vector<void *> out;
    for (int64_t i = 0; i < count; ++i) {
      batch.assign(n, static_cast<float>(++steps)); // reused at once
      held.emplace_back(batch);
      in.push_back(held.back().data());
      results.emplace_back(n, -1.0f);
      out.push_back(results.back().data());
    }
    auto moment = executor->start(0, in, out, count);
    for (int64_t i = 0; i < count; ++i)
      held[held.size() - 1 - static_cast<size_t>(i)].assign(n, NAN);
    return moment;
  }
  void expectResults(int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(results[static_cast<size_t>(i)],
                std::vector<float>(n, 3 * static_cast<float>(i + 1) + 1))
          << i;
  }
  float weight() { // after all steps
    auto got = executor->state()->get("w");
    EXPECT_TRUE(got.ok());
    float value;
    std::memcpy(&value, got->data(), 4);
    return value;
  }

  std::shared_ptr<Device> device;
  std::shared_ptr<Executor> executor;
  std::deque<std::vector<float>> results, held;
  std::vector<float> batch;
  int64_t steps = 0;
};

class WholeStep : public testing::TestWithParam<bool> {
protected:
  static void expectClean(FakeGpu &gpu) {
    EXPECT_EQ(gpu.race(), "");
    EXPECT_EQ(gpu.error, "");
    EXPECT_EQ(gpu.live(), 0);
  }
};

TEST_P(WholeStep, isOneGraphWithBranches) {
  FakeGpu gpu(diamond());
  gpu.setLazy(GetParam());
  {
    Steps steps(gpu);
    for (int i = 0; i < 5; ++i) {
      auto moment = steps.start();
      ASSERT_OK(moment.status());
      ASSERT_OK((*moment)->wait());
    }
    steps.expectResults(5);
    EXPECT_EQ(steps.weight(), 3 * 15 + 5);
    EXPECT_EQ(gpu.graph().nodes, 5);
    EXPECT_EQ(gpu.graph().depth, 3);                        // of five operations
    EXPECT_EQ(gpu.calls("cuGraphInstantiateWithFlags"), 2); // one for each place of the inputs
    EXPECT_EQ(gpu.calls("cuGraphLaunch"), 5);
    EXPECT_EQ(gpu.calls("cuLaunchKernel"), 8); // captured
  }
  expectClean(gpu);
}

TEST_P(WholeStep, runsAheadOfTheHost) {
  FakeGpu gpu(diamond());
  gpu.setLazy(GetParam());
  {
    Steps steps(gpu);
    ASSERT_EQ(steps.executor->runsAhead(), 2);
    std::shared_ptr<Moment> before;
    const int waits = gpu.calls("cuStreamSynchronize");
    for (int i = 0; i < 6; ++i) {
      auto moment = steps.start();
      ASSERT_OK(moment.status());
      if (before) {
        ASSERT_OK(before->wait());
        EXPECT_EQ(steps.results[static_cast<size_t>(i - 1)][0], 3 * static_cast<float>(i) + 1);
      }
      if (GetParam()) { EXPECT_EQ(steps.results[static_cast<size_t>(i)][0], -1.0f); }
      before = *moment;
    }
    EXPECT_EQ(gpu.calls("cuStreamSynchronize"), waits); // the queue never ran dry
    ASSERT_OK(before->wait());
    steps.expectResults(6);
    EXPECT_EQ(steps.weight(), 3 * 21 + 6);
  }
  expectClean(gpu);
}

TEST_P(WholeStep, severalStepsAreOneLaunch) {
  FakeGpu gpu(diamond());
  gpu.setLazy(GetParam());
  {
    Steps steps(gpu);
    for (int i = 0; i < 3; ++i) ASSERT_OK(steps.start(4).status());
    EXPECT_EQ(gpu.calls("cuGraphLaunch"), 3);
    EXPECT_EQ(gpu.graph().nodes, 20);
    EXPECT_EQ(gpu.graph().depth, 12);
    ASSERT_OK(steps.start(2).status()); // another number is another graph
    ASSERT_OK(steps.start(9).status()); // and a larger one another ring
    ASSERT_OK(steps.start(4).status());
    EXPECT_EQ(gpu.calls("cuGraphExecUpdate_v2"), 1); // four steps at an address that was given back
    ASSERT_OK(steps.device->synchronize());
    steps.expectResults(27);
    EXPECT_EQ(steps.weight(), 3 * 27 * 28 / 2 + 27);
  }
  expectClean(gpu);
}

TEST_P(WholeStep, loopsAreUnrolledIntoTheGraph) {
  Program program = diamond();
  // Four turns of w += x / 4 beside a chain that nothing of it depends on.
  auto body = std::make_shared<Block>(Block{
      {launchOf(2, {PointerParam{{Space::arena, 0, 0, bytes}, false}, PointerParam{state(), true}},
                "accumulate", "model.cpp:7"),
       {}}});
  Entry &entry = program.entries[0];
  entry.arenaBytes = 6 * bytes;
  entry.body = {{Fill{{Space::arena, 0, 0, 4 * bytes}, {0, 0, 0x80, 0x3f}, "model.cpp:5"}, {}},
                {Loop{4, {{{0}, 0, bytes}}, body}, {0}},
                {affineLaunch(input(), arena(5), 3, 1, "model.cpp:1"), {}},
                {Copy{arena(5), output(), "model.cpp:3"}, {2}}};
  FakeGpu gpu(program);
  gpu.setLazy(GetParam());
  {
    Steps steps(gpu);
    for (int i = 0; i < 3; ++i) ASSERT_OK(steps.start().status());
    ASSERT_OK(steps.device->synchronize());
    steps.expectResults(3);
    EXPECT_EQ(steps.weight(), 12);
    EXPECT_EQ(gpu.graph().nodes, 7);
    EXPECT_EQ(gpu.graph().depth, 5);
  }
  expectClean(gpu);
}

INSTANTIATE_TEST_SUITE_P(Queues, WholeStep, testing::Values(false, true),
                         [](auto &info) { return info.param ? "lazy" : "eager"; });

TEST(WholeStepErrors, aDependencyThatIsMissingIsARace) {
  Program program = diamond();
  program.entries[0].body[2].dependencies = {0};
  FakeGpu gpu(program);
  Steps steps(gpu);
  ASSERT_OK(steps.start().status());
  EXPECT_THAT(gpu.race(), HasSubstr("'affine' and 'add' touch the same memory in no order"));
}

TEST(WholeStepErrors, aFaultIsToldAStepLaterWithTheLinesLaunchedSince) {
  FakeGpu gpu(diamond());
  Steps steps(gpu);
  auto first = steps.start();
  ASSERT_OK(first.status());
  ASSERT_OK((*first)->wait());
  auto second = steps.start();
  ASSERT_OK(second.status());
  gpu.failNext("cuEventSynchronize", sinter::runtime::cuda::cuErrorIllegalAddress);
  EXPECT_THAT((*second)->wait().error().message,
              AllOf(HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"), HasSubstr("one of the 4 kernels"),
                    HasSubstr("affine (affine) at model.cpp:1"),
                    HasSubstr("accumulate (accumulate) at model.cpp:4"),
                    HasSubstr("cuda-emulated")));
  // Who did not wait hears of it when the place is wanted again.
  ASSERT_OK(steps.start().status());
  EXPECT_THAT(steps.start().status().error().message, HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"));
}

TEST(WholeStepErrors, whatCannotBeRecordedIsNamedAndTheNextStepIs) {
  FakeGpu gpu(diamond());
  Steps steps(gpu);
  gpu.failNext("cuLaunchKernel", sinter::runtime::cuda::cuErrorCaptureUnsupported, 2);
  EXPECT_THAT(steps.start().status().error().message,
              AllOf(HasSubstr("entry 'train_step': launch 'add' (model.cpp:3) failed"),
                    HasSubstr("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")));
  auto moment = steps.start();
  ASSERT_OK(moment.status());
  ASSERT_OK((*moment)->wait());
  EXPECT_EQ(steps.results[1], std::vector<float>(n, 7.0f));
}

TEST(WholeStepErrors, aRingThatDoesNotFitSaysSo) {
  FakeGpu gpu(diamond());
  gpu.setDevice(1, 90, 1, 8192);
  Steps steps(gpu);
  EXPECT_THAT(
      steps.start(20).status().error().message,
      AllOf(HasSubstr("inputs and outputs need 20480 bytes"), HasSubstr("out of GPU memory")));
  ASSERT_OK(steps.start().status()); // fewer still do
}

TEST(WholeStepErrors, aKernelsMistakeIsTheGraphs) {
  Program program = diamond();
  program.kernels[1].source.replace(program.kernels[1].source.find("z[threadIdx.x]"), 14,
                                    "z[threadIdx.x + 1]");
  FakeGpu gpu(program);
  Steps steps(gpu);
  EXPECT_FALSE(steps.start().status().ok());
  EXPECT_THAT(gpu.error, HasSubstr("kernel 'add'"));
}

/// The diamond, whose additions may be made by another kernel, of two blocks.
Program withAlternative() {
  Program program = diamond();
  Program other = cudaProgram({{"add_halves", R"(extern "C" __global__ void __launch_bounds__(32)
add_halves(SINTER_GLOBAL_CONST(f32) x, SINTER_GLOBAL_CONST(f32) y, SINTER_GLOBAL(f32) z) {
  const i32 i = (i32)(blockIdx.x * 32 + threadIdx.x);
  z[i] = x[i] + y[i];
}
)"}});
  program.kernels.push_back(other.kernels[0]);
  Launch &launch = std::get<Launch>(program.entries[0].body[2].op);
  launch.cycles = 4000;
  launch.alternatives = {Alternative{3, {{2, 1, 1}, {32, 1, 1}}, 5000}};
  return program;
}

TEST(Alternatives, theModelsChoiceRunsUnlessAMeasurementSaysOtherwise) {
  FakeGpu gpu(withAlternative());
  auto device = gpu.device();
  const Program chosen = withChoices(gpu.program, {});
  EXPECT_EQ(chosen.kernels.size(), 3u); // the alternative is not even loaded
  const Program other =
      withChoices(gpu.program, {{"add", "model.cpp:3", {{"add"}, {"add_halves"}}, 1, false}});
  ASSERT_EQ(other.kernels.size(), 3u);
  const auto &launch = std::get<Launch>(other.entries[0].body[2].op);
  EXPECT_EQ(other.kernels[launch.kernel].name, "add_halves");
  EXPECT_EQ(launch.shape.grid[0], 2u);
  EXPECT_TRUE(launch.alternatives.empty());
  for (const Program *program : {&chosen, &other}) {
    auto executor = Executor::create(std::make_shared<const Program>(*program), device);
    ASSERT_OK(executor.status());
    std::vector<float> x(n, 2.0f), y(n);
    const void *in[] = {x.data()};
    void *out[] = {y.data()};
    ASSERT_OK((*executor)->run(0, in, out));
    EXPECT_EQ(y, std::vector<float>(n, 7.0f));
  }
}

TEST(Alternatives, autotuneMeasuresOnceAndRemembers) {
  Program program = withAlternative();
  // The cache remembers texts from one run of the test to the next.
  program.kernels[3].source +=
      "// " + std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) + "\n";
  FakeGpu gpu(program);
  auto device = gpu.device();
  auto tuned = autotune(gpu.program, *device);
  ASSERT_OK(tuned.status());
  ASSERT_EQ(tuned->size(), 1u);
  const Tuned &first = tuned->front();
  EXPECT_FALSE(first.remembered);
  ASSERT_EQ(first.candidates.size(), 2u);
  for (const auto &candidate : first.candidates) EXPECT_GT(candidate.microseconds, 0);
  EXPECT_LE(first.candidates[first.chosen].microseconds,
            first.candidates[1 - first.chosen].microseconds);
  EXPECT_THAT(describe(*tuned), AllOf(HasSubstr("autotune: add at model.cpp:3: add "),
                                      HasSubstr("us (4.0 kcycles predicted)"),
                                      HasSubstr(", add_halves "), HasSubstr("[chosen]")));
  const int launches = gpu.calls("cuLaunchKernel");
  auto again = autotune(gpu.program, *device);
  ASSERT_OK(again.status());
  EXPECT_TRUE(again->front().remembered);
  EXPECT_EQ(again->front().chosen, first.chosen);
  EXPECT_EQ(gpu.calls("cuLaunchKernel"), launches);
  EXPECT_EQ(gpu.error, "");
}

} // namespace
