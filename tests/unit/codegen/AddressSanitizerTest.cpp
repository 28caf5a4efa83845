// In a sanitized build generated code is instrumented too: a store outside of its buffer is reported.
#include "sinter/codegen/cpu/CompileObject.h"
#include "sinter/codegen/cpu/JitLibrary.h"
#include "sinter/runtime/cpu/KernelImage.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace sinter;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

/// Stores 1 at each index from `begin` to `end`, whether the buffer has it or not.
constexpr const char *kernelText = R"(
func.func @fill(%out: memref<16xf32>, %begin: index, %end: index) {
  %one = arith.constant 1.0 : f32
  %step = arith.constant 1 : index
  scf.for %i = %begin to %end step %step {
    memref.store %one, %out[%i] : memref<16xf32>
  }
  return
}
)";

class AddressSanitizer : public ::testing::Test {
protected:
  void SetUp() override {
    if (!sanitized)
      GTEST_SKIP() << "generated code is instrumented in sanitized builds (preset asan)";
    codegen::cpu::prepareContext(context);
    context.loadAllAvailableDialects();
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(kernelText, &context);
    ASSERT_TRUE(module);
    codegen::cpu::CompileOptions options{codegen::cpu::Isa::of(runtime::bestHostIsa()), true};
    ASSERT_TRUE(succeeded(codegen::cpu::lowerToLlvm(*module, options.isa)));
    llvm::LLVMContext llvmContext;
    auto translated =
        codegen::cpu::translateAndOptimize(*module, std::string("fill"), llvmContext, options);
    ASSERT_TRUE(translated);
    auto made = codegen::cpu::JitLibrary::create();
    ASSERT_TRUE(made.ok()) << made.error().message;
    library = *made;
    ASSERT_TRUE(library->add(codegen::cpu::emitMachineCode(*translated, options), "fill").ok());
    auto found = library->find("fill");
    ASSERT_TRUE(found.ok()) << found.error().message;
    fill = *found;
  }

  void run(int64_t end) {
    std::vector<float> out(16);
    void *buffers[] = {out.data()};
    fill(buffers, nullptr, 0, end);
    if (out[15] != 1) std::abort();
  }

  MLIRContext context;
  std::shared_ptr<codegen::cpu::JitLibrary> library;
  runtime::CpuFunction fill = nullptr;
};
using AddressSanitizerDeathTest = AddressSanitizer;

TEST_F(AddressSanitizer, SaysNothingOfStoresInside) { run(16); }

TEST_F(AddressSanitizerDeathTest, ReportsAStoreOutside) {
  EXPECT_DEATH(run(17), "AddressSanitizer: heap-buffer-overflow(.|\n)*WRITE of size 4");
}

} // namespace
