// A whole Program of CUDA text through the executor: state, inputs, a loop and a fill, as a saved
// program would run, on the emulated device.
#include "KernelTest.h"

#include "sinter/runtime/Executor.h"

using namespace sinter::test;

namespace {

Location at(Space space, uint32_t index, int64_t offset, int64_t bytes) {
  return {space, index, offset, bytes};
}

/// step(x[4, 8]) -> sum[1]: w += x row by row in a loop; sum of w.
Program trainLike() {
  Program program = cudaProgram({{"addRow", R"(
extern "C" __global__ void __launch_bounds__(32)
addRow(SINTER_GLOBAL_CONST(f32) row, SINTER_GLOBAL(f32) w, f32 scale) {
  if (threadIdx.x < 8)
    w[threadIdx.x] += row[threadIdx.x] * scale;
})"},
                                 {"total", R"(
extern "C" __global__ void __launch_bounds__(64)
total(SINTER_GLOBAL_CONST(f32) w, SINTER_GLOBAL(f32) out0) {
  f32 x = blockReduce<64>(loadOr(w, i64(threadIdx.x), threadIdx.x < 8, 0.0f), Sum{});
  if (threadIdx.x == 0)
    out0[0] += x;
})"}});
  program.state = {{"w", {DType::f32, {8}}, StateRole::parameter}};
  Entry step;
  step.name = "step";
  step.inputs = {{"x", {DType::f32, {4, 8}}}};
  step.outputs = {{"sum", {DType::f32, {1}}}};
  Launch add;
  add.kernel = 0;
  add.shape.block = {32, 1, 1};
  add.params = {PointerParam{at(Space::input, 0, 0, 32), false},
                PointerParam{at(Space::state, 0, 0, 32), true}, f32Param(0.5f)};
  auto body = std::make_shared<Block>();
  body->push_back({add, {}});
  Launch sum;
  sum.kernel = 1;
  sum.shape.block = {64, 1, 1};
  sum.params = {PointerParam{at(Space::state, 0, 0, 32), false},
                PointerParam{at(Space::output, 0, 0, 4), true}};
  step.body.push_back({Loop{4, {{{0}, 0, 32}}, body}, {}});
  step.body.push_back({Fill{at(Space::output, 0, 0, 4), {0, 0, 0x80, 0x3f}, ""}, {}}); // 1.0f
  step.body.push_back({sum, {0, 1}});
  program.entries = {step};
  return program;
}

TEST(EmulatedProgram, runsThroughTheExecutor) {
  auto program = std::make_shared<const Program>(trainLike());
  ASSERT_OK(checkProgram(*program));
  for (int schedules : {1, 3}) {
    auto executor = Executor::create(program, emulated(schedules));
    ASSERT_TRUE(executor.ok()) << executor.error().message;
    std::vector<float> x(32);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    float sum = 0;
    const void *inputs[] = {x.data()};
    void *outputs[] = {&sum};
    for (int turn = 1; turn <= 3; ++turn) {
      ASSERT_OK((*executor)->run(0, inputs, outputs));
      EXPECT_EQ(sum, 1.0f + 0.5f * 496.0f * static_cast<float>(turn));
    }
  }
}

TEST(EmulatedProgram, runsAfterSavingAndLoading) {
  auto bytes = serialize(trainLike());
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  auto loaded = deserialize(*bytes);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  auto executor =
      Executor::create(std::make_shared<const Program>(std::move(*loaded)), emulated(1));
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  std::vector<float> x(32, 2.0f);
  float sum = 0;
  const void *inputs[] = {x.data()};
  void *outputs[] = {&sum};
  ASSERT_OK((*executor)->run(0, inputs, outputs));
  EXPECT_EQ(sum, 33.0f);
}

} // namespace
