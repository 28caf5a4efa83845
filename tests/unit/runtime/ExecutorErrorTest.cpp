#include "Programs.h"
#include "sinter/runtime/Executor.h"

namespace sinter::runtime {
namespace {

using namespace testing;

Result<std::shared_ptr<Executor>> create(Program program) {
  return Executor::create(std::make_shared<const Program>(std::move(program)), cpuDevice());
}

TEST(ExecutorError, CallsThatDoNotFit) {
  auto executor = *create(stepProgram());
  Floats x;
  const void *inputs[] = {x.address(), x.address()};
  void *outputs[] = {nullptr};
  EXPECT_ERROR(executor->run(0, inputs, outputs), invalidArgument,
               "entry 'step' takes 1 inputs and 1 outputs, the caller gave 2 and 1");
  EXPECT_ERROR(executor->run(0, std::span(inputs, 1), outputs), invalidArgument,
               "entry 'step': output 'y' is null");
  EXPECT_ERROR(executor->run(7, {}, {}), invalidArgument, "the program has no entry 7, it has 1");
  EXPECT_ERROR(executor->entryIndex("predict"), notFound,
               "the program has no entry 'predict', it has: step");
}

TEST(ExecutorError, ArenaThatDoesNotFitNamesItsResidents) {
  Program program = stepProgram();
  program.entries[0].arenaBytes = int64_t(1) << 50;
  program.entries[0].largest = {{int64_t(3) << 30, "conv1 columns (model.cpp:9)"},
                                {int64_t(5) << 20, "fc (model.cpp:14)"}};
  auto executor = create(std::move(program));
  EXPECT_ERROR(executor, outOfMemory, "entry 'step' needs an arena of 1048576.00 GiB on cpu");
  EXPECT_THAT(messageOf(executor), ::testing::HasSubstr("3.00 GiB  conv1 columns (model.cpp:9)"));
  EXPECT_THAT(messageOf(executor), ::testing::HasSubstr("5.00 MiB  fc (model.cpp:14)"));
}

TEST(ExecutorError, AFailingLaunchNamesItsLine) {
  Program program = stepProgram();
  program.target = TargetKind::reference;
  for (Kernel &kernel : program.kernels)
    kernel.host = [](std::span<void *const>) {
      return Status(ErrorCode::nonFinite, "index 7 is out of range");
    };
  auto executor =
      *Executor::create(std::make_shared<const Program>(std::move(program)), referenceDevice());
  Floats x, y;
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  EXPECT_ERROR(executor->run(0, inputs, outputs), nonFinite,
               "entry 'step': launch 'scale' (model.cpp:14 fc) failed: index 7 is out of range");
}

TEST(ExecutorError, AStateThatDoesNotFit) {
  auto device = cpuDevice();
  auto program = std::make_shared<const Program>(stepProgram());
  auto empty = *State::create({}, device);
  EXPECT_ERROR(Executor::create(program, device, empty), invalidArgument,
               "the program needs the state variable 'w', which the given state lacks");
  std::vector<StateVariable> table{{"w", {DType::f64, {2}}, StateRole::parameter}};
  auto other = *State::create(table, device);
  EXPECT_ERROR(Executor::create(program, device, other), invalidArgument,
               "the program's state variable 'w' is f32[100], the given state's is f64[2]");
  EXPECT_ERROR(Executor::create(program, cpuDevice(), empty), invalidArgument,
               "the given state lives on another device");
}

TEST(ExecutorError, AnotherDeviceThanCompiledFor) {
  EXPECT_ERROR(Executor::create(std::make_shared<const Program>(stepProgram()), referenceDevice()),
               invalidArgument,
               "the program was compiled for cpu, the device is reference evaluator");
}

TEST(ExecutorError, AKernelWithoutCode) {
  Program program = stepProgram();
  program.kernels[1].function = nullptr;
  EXPECT_ERROR(create(std::move(program)), invalidArgument, "kernel 'add' has no code for the CPU");
}

TEST(ExecutorError, WhatNoExecutorRunsIsRefusedByName) {
  auto with = [](Instruction extra) {
    Program program = stepProgram();
    program.entries[0].body.push_back(std::move(extra));
    return create(std::move(program));
  };
  TensorMapParam map;
  EXPECT_ERROR(
      with(step(launch(0, 1, {map}, "wgmma"))), unsupported,
      "entry 'step' uses tensor maps (launch 'wgmma'), which this runtime does not execute");
  auto inside = std::make_shared<Block>(Block{step(launch(0, 1, {map}, "wgmma"))});
  Location flag{Space::arena, 0, 0, 1};
  for (Instruction outer :
       {step(Loop{2, {}, inside}), step(While{flag, inside}), step(If{flag, inside, nullptr}),
        step(If{flag, std::make_shared<Block>(), inside})})
    EXPECT_ERROR(with(std::move(outer)), unsupported, "tensor maps (launch 'wgmma')");
}

TEST(ExecutorError, AnEnvironmentVariableThatIsWrong) {
  ScopedVariable set("SINTER_NUM_THREADS", "many");
  EXPECT_ERROR(create(stepProgram()), invalidArgument, "SINTER_NUM_THREADS is 'many'");
}

} // namespace
} // namespace sinter::runtime
