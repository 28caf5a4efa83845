// Device::reference(): Programs whose launches are the evaluator.

#include "sinter/codegen/reference/ReferenceProgram.h"
#include "../../support/Ir.h"
#include "sinter/runtime/Executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sinter::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const char *const training = R"(
  func.func @init(%w: tensor<2xf32> {sinter.role = "parameter", sinter.name = "w", sinter.donated = 0 : i64}) -> tensor<2xf32> {
    %c = sinter.constant dense<[1.0, 2.0]> : tensor<2xf32>
    return %c : tensor<2xf32>
  }
  func.func @train_step(%w: tensor<2xf32> {sinter.role = "parameter", sinter.name = "w", sinter.donated = 1 : i64},
                        %x: tensor<2xf32> {sinter.name = "x"}) -> (tensor<f32>, tensor<2xf32>) {
    %p = sinter.mul %w, %x : tensor<2xf32>
    %l = sinter.sum %p {dim = array<i64: 0>} : (tensor<2xf32>) -> tensor<f32>
    %n = sinter.sub %w, %x : tensor<2xf32>
    return %l, %n : tensor<f32>, tensor<2xf32>
  }
  func.func private @helper(%w: tensor<2xf32>) -> tensor<2xf32> { return %w : tensor<2xf32> }
)";

TEST(ReferenceProgram, TrainsOnSharedState) {
  runtime::Result<std::shared_ptr<runtime::Executor>> executor = runtime::Error{};
  {
    Ir ir; // gone before the program runs: it keeps a module of its own
    auto module = ir.parse(training);
    ASSERT_TRUE(module) << ir.errors;
    auto program = codegen::referenceProgram(*module);
    ASSERT_TRUE(succeeded(program)) << ir.errors;
    ASSERT_EQ(program->entries.size(), 2u);
    ASSERT_EQ(program->state.size(), 1u);
    EXPECT_EQ(program->entries[1].inputs[0].name, "x");
    EXPECT_EQ(program->entries[1].outputs[0].name, "out0");
    EXPECT_TRUE(runtime::checkProgram(*program).ok());
    executor = runtime::Executor::create(std::make_shared<runtime::Program>(std::move(*program)),
                                         runtime::referenceDevice());
  }
  ASSERT_TRUE(executor.ok()) << executor.error().message;
  ASSERT_TRUE((*executor)->run(0, {}, {}).ok());
  float x[] = {0.5f, 0.25f}, loss = 0;
  const void *inputs[] = {x};
  void *outputs[] = {&loss};
  ASSERT_TRUE((*executor)->run(1, inputs, outputs).ok());
  EXPECT_EQ(loss, 1.0f);
  ASSERT_TRUE((*executor)->run(1, inputs, outputs).ok());
  EXPECT_EQ(loss, 0.5f * 0.5f + 1.75f * 0.25f);
  float w[2];
  ASSERT_TRUE((*executor)->state()->get("w", {reinterpret_cast<uint8_t *>(w), sizeof w}).ok());
  EXPECT_THAT(w, ElementsAre(0.0f, 1.5f));
}

TEST(ReferenceProgram, ErrorsOfARunComeBackAsItsStatus) {
  Ir ir;
  auto module =
      ir.parse(R"(func.func @f(%w: tensor<3x1xf32>, %i: tensor<1xi64>) -> tensor<1x1xf32> {
    %r = sinter.embedding %w, %i : (tensor<3x1xf32>, tensor<1xi64>) -> tensor<1x1xf32>
    return %r : tensor<1x1xf32>
  })");
  ASSERT_TRUE(module) << ir.errors;
  auto program = codegen::referenceProgram(*module);
  ASSERT_TRUE(succeeded(program)) << ir.errors;
  auto executor = runtime::Executor::create(std::make_shared<runtime::Program>(std::move(*program)),
                                            runtime::referenceDevice());
  ASSERT_TRUE(executor.ok());
  float w[] = {1, 2, 3}, y = 0;
  int64_t index = 5;
  const void *inputs[] = {w, &index};
  void *outputs[] = {&y};
  auto status = (*executor)->run(0, inputs, outputs);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("index 5 at element 0 is outside [0, 3)"));
}

TEST(ReferenceProgram, VariablesNeedANameAndOneType) {
  Ir ir;
  auto nameless = ir.parse(
      R"(func.func @f(%w: tensor<f32> {sinter.role = "parameter"}) -> tensor<f32> { return %w : tensor<f32> })");
  EXPECT_TRUE(failed(codegen::referenceProgram(*nameless)));
  EXPECT_THAT(ir.errors, HasSubstr("argument 0 of role 'parameter' has no sinter.name"));
  auto twice = ir.parse(R"(
    func.func @f(%w: tensor<f32> {sinter.role = "parameter", sinter.name = "w"}) -> tensor<f32> { return %w : tensor<f32> }
    func.func @g(%w: tensor<2xf32> {sinter.role = "state", sinter.name = "w"}) -> tensor<2xf32> { return %w : tensor<2xf32> })");
  EXPECT_TRUE(failed(codegen::referenceProgram(*twice)));
  EXPECT_THAT(ir.errors, HasSubstr("variable 'w' is f32[2] here and f32[] in another entry"));
}

} // namespace
} // namespace sinter::test
