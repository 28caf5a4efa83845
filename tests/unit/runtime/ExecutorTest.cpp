#include "sinter/runtime/Executor.h"
#include "AllocationCount.h"
#include "Programs.h"

#include <nlohmann/json.hpp>

#include <map>

namespace sinter::runtime {
namespace {

using namespace testing;

std::shared_ptr<Executor> executorOf(Program program, CpuOptions options = {}) {
  auto executor =
      Executor::create(std::make_shared<const Program>(std::move(program)), cpuDevice(options));
  EXPECT_OK(executor);
  return executor.ok() ? *executor : nullptr;
}

float weight(State &state) {
  float value = 0;
  std::memcpy(&value, state.get("w")->data(), sizeof(value));
  return value;
}

TEST(Executor, RunsAStepOverState) {
  auto executor = executorOf(stepProgram());
  Floats x(3), y;
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  for (int turn = 1; turn <= 3; ++turn) {
    ASSERT_OK(executor->run(0, inputs, outputs));
    EXPECT_EQ(y[0], 6.0f * turn + 1);
    EXPECT_EQ(y[numElements - 1], 6.0f * turn + 1);
  }
  EXPECT_EQ(weight(*executor->state()), 18.0f);
  EXPECT_EQ(executor->numLaunches(0), 3);
  EXPECT_EQ(executor->arenaBytes(), 512);
  EXPECT_EQ(*executor->entryIndex("step"), 0u);
}

TEST(Executor, SameBitsWithAnyNumberOfThreads) {
  for (int threads : {1, 2, 5}) {
    auto executor = executorOf(stepProgram(), {threads});
    Floats x(0.1f), y;
    const void *inputs[] = {x.address()};
    void *outputs[] = {y.address()};
    ASSERT_OK(executor->run(0, inputs, outputs));
    EXPECT_EQ(y[57], 0.1f * 2.0f + 1.0f);
  }
}

TEST(Executor, MisalignedAndOverlappingTensorsAreCopied) {
  auto executor = executorOf(stepProgram());
  Floats x(3, /*aligned=*/false), y(0, /*aligned=*/false);
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  ASSERT_OK(executor->run(0, inputs, outputs));
  EXPECT_EQ(y[99], 7.0f);
  EXPECT_EQ(x[99], 3.0f);

  Floats both(1);
  inputs[0] = outputs[0] = both.address();
  ASSERT_OK(executor->run(0, inputs, outputs));
  EXPECT_EQ(both[99], 9.0f);
  inputs[0] = x.address(); // and the addresses move again
  ASSERT_OK(executor->run(0, inputs, outputs));
  EXPECT_EQ(both[0], 15.0f);
}

TEST(Executor, AStepAllocatesNothing) {
  for (bool aligned : {true, false}) {
    auto executor = executorOf(stepProgram(), {3});
    Floats x(3, aligned), y(0, aligned);
    const void *inputs[] = {x.address()};
    void *outputs[] = {y.address()};
    ASSERT_OK(executor->run(0, inputs, outputs)); // the first makes the staging buffer
    int64_t before = numAllocations();
    Status status;
    for (int turn = 0; turn < 10 && status.ok(); ++turn) status = executor->run(0, inputs, outputs);
    int64_t after = numAllocations();
    EXPECT_OK(status);
    EXPECT_EQ(after - before, 0);
  }
}

TEST(Executor, ExecutorsShareAState) {
  auto device = cpuDevice();
  auto program = std::make_shared<const Program>(stepProgram());
  auto first = *Executor::create(program, device);
  auto second = *Executor::create(program, device, first->state());
  Floats x(1), y;
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  ASSERT_OK(first->run(0, inputs, outputs));
  ASSERT_OK(second->run(0, inputs, outputs));
  EXPECT_EQ(y[0], 5.0f);
}

/// y[row] = 2 * x[row] for 4 rows by a loop, then the last row is filled and copied to the first.
Program loopProgram() {
  Program program;
  program.kernels = {{"scale", "", {}, {}, scaleKernel, {}}};
  TensorType type{DType::f32, {4, 25}};
  Entry entry;
  entry.name = "rows";
  entry.inputs = {{"x", type}};
  entry.outputs = {{"y", type}};
  Loop loop;
  loop.count = 4;
  loop.offsets = {{{0}, 1, 100}, {{0}, 2, 100}};
  loop.body = std::make_shared<Block>(Block{step(launch(
      0, 25,
      {scalarParam(2), readParam(Space::input, 0, 0, 100), writeParam(Space::output, 0, 0, 100)},
      "row"))});
  Location last{Space::output, 0, 300, 100}, first{Space::output, 0, 0, 100};
  uint32_t half = 0x3f000000;
  std::vector<uint8_t> pattern(4);
  std::memcpy(pattern.data(), &half, 4);
  entry.body = {step(std::move(loop)), step(Fill{last, pattern, "model.cpp:20"}, {0}),
                step(Copy{last, first, "model.cpp:21"}, {1})};
  program.entries = {std::move(entry)};
  return program;
}

TEST(Executor, LoopsAdvanceTheirOperands) {
  auto executor = executorOf(loopProgram());
  Floats x(0), y;
  for (size_t i = 0; i < 100; ++i) x[i] = static_cast<float>(i);
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_OK(executor->run(0, inputs, outputs));
    EXPECT_EQ(y[0], 0.5f);
    EXPECT_EQ(y[24], 0.5f);
    EXPECT_EQ(y[25], 50.0f);
    EXPECT_EQ(y[74], 148.0f);
    EXPECT_EQ(y[99], 0.5f);
  }
  EXPECT_EQ(executor->numLaunches(0), 6);
}

/// y[i][j] = 2 * x[3 - i][j] by two loops: the outer one goes over x backwards, in a block of a branch.
Program nestedLoopProgram(bool first) {
  Program program = loopProgram();
  Entry &entry = program.entries[0];
  entry.inputs.push_back({"first", {DType::i1, {4}}});
  Loop row;
  row.count = 25;
  row.offsets = {{{0}, 1, 4}, {{0}, 2, 4}};
  row.body = std::make_shared<Block>(Block{step(launch(
      0, 1,
      {scalarParam(2), readParam(Space::input, 0, 300, 4), writeParam(Space::output, 0, 0, 4)},
      "number"))});
  auto rows = std::make_shared<Block>(Block{step(std::move(row))});
  auto nothing = std::make_shared<Block>(
      Block{step(Fill{{Space::output, 0, 0, 4}, std::vector<uint8_t>(4), "model.cpp:20"})});
  uint32_t inRow = first ? 0 : 1; // counted on from those of `then`
  Loop all;
  all.count = 4;
  all.offsets = {{{0, inRow, 0}, 1, -100}, {{0, inRow, 0}, 2, 100}, {{0}, 0, 1}};
  if (!first) all.offsets.push_back({{0, 0}, 0, 100});
  all.body = std::make_shared<Block>(
      Block{step(If{{Space::input, 1, 0, 1}, first ? rows : nothing, first ? nullptr : rows})});
  entry.body = {step(std::move(all))};
  return program;
}

TEST(Executor, LoopsAdvanceWhatIsInBlocksOfTheirBodies) {
  Floats x(0);
  for (size_t i = 0; i < 100; ++i) x[i] = static_cast<float>(i);
  for (bool first : {true, false}) {
    auto executor = executorOf(nestedLoopProgram(first));
    const uint8_t chosen[4] = {first, first, !first, first}; // a condition moves with the loop, too
    for (int turn = 0; turn < 2; ++turn) {
      Floats y(-1);
      const void *inputs[] = {x.address(), chosen};
      void *outputs[] = {y.address()};
      ASSERT_OK(executor->run(0, inputs, outputs));
      for (size_t i = 0; i < 4; ++i)
        for (size_t j = 0; j < 25; ++j) {
          float skipped = first || j ? -1.0f : 0.0f;
          EXPECT_EQ(y[25 * i + j], i == 2 ? skipped : 2.0f * float(25 * (3 - i) + j))
              << i << ", " << j;
        }
    }
  }
}

TEST(Executor, ProfilerSeesEveryLaunch) {
  auto executor = executorOf(loopProgram());
  Profiler profiler;
  executor->setProfiler(&profiler);
  Floats x(1), y;
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  ASSERT_OK(executor->run(0, inputs, outputs));
  ASSERT_EQ(profiler.events().size(), 6u);
  EXPECT_EQ(profiler.events()[0].name, "scale");
  EXPECT_EQ(profiler.events()[0].label, "row");
  EXPECT_EQ(profiler.events()[0].source, "model.cpp:14 fc");
  EXPECT_EQ(profiler.events()[5].label, "copy");
  auto trace = nlohmann::json::parse(profiler.chromeTrace());
  std::map<int, int> complete; // events of each row
  int named = 0;
  for (const auto &event : trace["traceEvents"]) {
    if (event["ph"] == "M") {
      ++named;
      continue;
    }
    ASSERT_EQ(event["ph"], "X");
    EXPECT_TRUE(event.contains("ts") && event.contains("dur") && event.contains("pid"));
    if (++complete[event["tid"]] == 1) {
      EXPECT_EQ(event["args"]["source"], "model.cpp:14 fc");
      EXPECT_EQ(event["name"], event["tid"] == 1 ? "row" : "model.cpp:14 fc");
    }
  }
  EXPECT_EQ(named, 3);
  EXPECT_EQ(complete[1], 6);
  EXPECT_EQ(complete[2], 6);
  EXPECT_THAT(profiler.summary(), ::testing::HasSubstr("row"));
}

TEST(Executor, ReferenceDeviceCallsHostFunctions) {
  Program program = stepProgram();
  program.target = TargetKind::reference;
  for (Kernel &kernel : program.kernels)
    kernel.host = [function = kernel.function](std::span<void *const> buffers) -> Status {
      int64_t two = 0x40000000;
      function(buffers.data(), &two, 0, numElements);
      return {};
    };
  auto executor =
      Executor::create(std::make_shared<const Program>(std::move(program)), referenceDevice());
  ASSERT_OK(executor);
  Floats x(3), y;
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  ASSERT_OK((*executor)->run(0, inputs, outputs));
  EXPECT_EQ(y[99], 7.0f);
}

} // namespace
} // namespace sinter::runtime
