#include "sinter/frontend/detail/ContractCheck.h"
#include "sinter/frontend/Errors.h"
#include "sinter/ir/Sinter.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace sinter;

// Two states that change places cannot both be written where they lie.
TEST(ContractCheck, ACopiedStateIsNamed) {
  mlir::DialectRegistry registry;
  ir::registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
    sinter.kernel @copy schedule(#sinter.pointwise) : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%x: tensor<4xf32>):
      sinter.yield %x : tensor<4xf32>
    }
    func.func @step(%a: tensor<4xf32> {sinter.name = "a", sinter.donated = 0 : i64},
                    %b: tensor<4xf32> {sinter.name = "b", sinter.donated = 1 : i64})
        -> (tensor<4xf32>, tensor<4xf32>) {
      %0 = sinter.launch @copy(%b) : (tensor<4xf32>) -> tensor<4xf32> loc("model.cpp":7:1)
      return %0, %b : tensor<4xf32>, tensor<4xf32>
    })",
                                                        &context);
  ASSERT_TRUE(module);
  CompileOptions options{.device = Device::cpu(), .require = {.donation = true}};
  detail::ContractCheck check(options);
  check.afterStage("memory", *module);
  try {
    check.check(runtime::Program());
    ADD_FAILURE() << "no error";
  } catch (const CompileError &error) {
    EXPECT_STREQ(error.what(),
                 "model.cpp:7: require.donation: 'a' is not updated in place: what it "
                 "becomes is copied there");
  }
}
