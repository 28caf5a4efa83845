#include "KernelRun.h"

#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/ir/Segments.h"
#include "sinter/runtime/cpu/KernelImage.h"

#include "llvm/ADT/StringExtras.h"

namespace sinter::test {
namespace {

class Update : public KernelRun {
protected:
  /// Momentum on parameters of these sizes, a component each.
  static std::string momentum(const std::vector<std::string> &shapes, const std::string &element) {
    std::string arguments = "%rate: tensor<f32>", body, yields, results;
    int number = 0;
    for (const std::string &shape : shapes) {
      std::string t = fmt::format("tensor<{}x{}>", shape, element),
                  f = fmt::format("tensor<{}xf32>", shape);
      for (const char *name : {"p", "m", "g"})
        arguments += fmt::format(", %{}{}: {}", name, number, *name == 'm' ? f : t);
      body += fmt::format("  %decay{0} = sinter.constant dense<0.9> : {1}\n"
                          "  %wide{0} = sinter.broadcast %rate : (tensor<f32>) -> {1}\n"
                          "  %cast{0} = sinter.cast %g{0} : ({2}) -> {1}\n"
                          "  %kept{0} = sinter.mul %m{0}, %decay{0} : {1}\n"
                          "  %moment{0} = sinter.add %kept{0}, %cast{0} : {1}\n"
                          "  %step{0} = sinter.mul %moment{0}, %wide{0} : {1}\n"
                          "  %old{0} = sinter.cast %p{0} : ({2}) -> {1}\n"
                          "  %moved{0} = sinter.sub %old{0}, %step{0} : {1}\n"
                          "  %new{0} = sinter.cast %moved{0} : ({1}) -> {2}\n",
                          number, f, t);
      yields += fmt::format("{}%new{}, %moment{}", number ? ", " : "", number, number);
      results += fmt::format("{}{}, {}", number ? ", " : "", t, f);
      ++number;
    }
    return kernel("update", arguments, body + "  yield " + yields, results);
  }

  /// The same kernel with what is equal in segments.
  std::string gathered(const std::string &text, unsigned &segments) {
    auto module = ir.parse(text);
    EXPECT_TRUE(module) << ir.errors << text;
    segments = 0;
    for (auto kernel : module->getOps<ir::KernelOp>()) {
      ir::gatherSegments(kernel.getBody().front());
      kernel.walk([&](ir::SegmentsOp op) { segments += op.getCount(); });
    }
    EXPECT_TRUE(mlir::succeeded(mlir::verify(*module))) << ir.errors;
    std::string printed;
    llvm::raw_string_ostream stream(printed);
    module->print(stream);
    return printed;
  }
};

TEST_F(Update, OfSeveralShapes) {
  expectAgrees(kernel("update",
                      "%a: tensor<5000xf32>, %b: tensor<33x7xf32>, %ga: tensor<5000xf32>, %gb: "
                      "tensor<33x7xf32>",
                      "  %c = sinter.sub %a, %ga : tensor<5000xf32>\n  %d = sinter.mul %b, %gb : "
                      "tensor<33x7xf32>\n"
                      "  %e = sinter.exp %d : tensor<33x7xf32>\n  yield %c, %d, %e",
                      "tensor<5000xf32>, tensor<33x7xf32>, tensor<33x7xf32>"),
               {}, "", 2);
}

// Shapes below a vector, not a multiple of one, and of several chunks; in one body, whatever the instruction set
// and the number of threads, the bits are those of a body for each.
TEST_F(Update, SegmentsComputeWhatComponentsDo) {
  for (const char *isa : {"avx512", "avx2", "generic"}) {
    if (!runtime::hostRuns(isa)) continue;
    for (const char *element : {"f32", "bf16"}) {
      std::string apart = momentum({"5", "33x7", "4096", "90x100", "1", "64x3x3"}, element);
      unsigned segments = 0;
      std::string together = gathered(apart, segments);
      EXPECT_EQ(segments, 6u) << together;
      for (int threads : {1, 3}) {
        random.seed(5);
        expectAgrees(apart, {}, isa, threads);
        auto expected = lastOutputs;
        random.seed(5);
        expectAgrees(together, {}, isa, threads);
        EXPECT_EQ(lastOutputs, expected) << isa << " " << element << " " << threads;
      }
    }
  }
}

TEST_F(Update, TwoBodiesAndOneAlone) {
  std::string text =
      kernel("update",
             "%a: tensor<50xf32>, %b: tensor<7xf32>, %c: tensor<9x5xf32>, %d: tensor<70xf32>, %e: "
             "tensor<6xf32>",
             "  %u = sinter.exp %a : tensor<50xf32>\n  %v = sinter.neg %b : tensor<7xf32>\n"
             "  %w = sinter.exp %c : tensor<9x5xf32>\n  %x = sinter.neg %d : tensor<70xf32>\n"
             "  %y = sinter.mul %e, %e : tensor<6xf32>\n  yield %u, %v, %w, %x, %y",
             "tensor<50xf32>, tensor<7xf32>, tensor<9x5xf32>, tensor<70xf32>, tensor<6xf32>");
  unsigned segments = 0;
  std::string together = gathered(text, segments);
  EXPECT_EQ(segments, 4u) << together;
  expectAgrees(together, {}, "", 2);
}

// As fusion leaves it: one broadcast for all of a shape.
TEST_F(Update, ComponentsMayShareWhatIsSpread) {
  unsigned segments = 0;
  std::string together = gathered(
      kernel("update",
             "%rate: tensor<f32>, %a: tensor<8xf32>, %b: tensor<8xf32>, %c: tensor<3x5xf32>",
             "  %x = sinter.exp %a : tensor<8xf32>\n"
             "  %w = sinter.broadcast %rate : (tensor<f32>) -> tensor<8xf32>\n"
             "  %p = sinter.mul %x, %w : tensor<8xf32>\n"
             "  %y = sinter.exp %b : tensor<8xf32>\n  %q = sinter.mul %y, %w : tensor<8xf32>\n"
             "  %z = sinter.exp %c : tensor<3x5xf32>\n"
             "  %v = sinter.broadcast %rate : (tensor<f32>) -> tensor<3x5xf32>\n"
             "  %s = sinter.mul %z, %v : tensor<3x5xf32>\n  yield %p, %q, %s",
             "tensor<8xf32>, tensor<8xf32>, tensor<3x5xf32>"),
      segments);
  EXPECT_EQ(segments, 3u) << together;
  expectAgrees(together);
}

TEST_F(Update, SpreadSegmentsAreTheComponentsAgain) {
  auto module = ir.parse(momentum({"5", "33x7", "8"}, "f32"));
  ASSERT_TRUE(module) << ir.errors;
  mlir::Block &block = (*module->getOps<ir::KernelOp>().begin()).getBody().front();
  size_t ops = block.getOperations().size();
  ir::gatherSegments(block);
  EXPECT_EQ(block.getOperations().size(), 2u);
  EXPECT_DOUBLE_EQ(ir::timesRun(&block.front().getRegion(0).front().front()),
                   (5 + 33 * 7 + 8) / 5.0);
  ir::spreadSegments(block);
  EXPECT_EQ(block.getOperations().size(), ops);
  EXPECT_TRUE(mlir::succeeded(mlir::verify(*module))) << ir.errors;
}

// A result may lie where its own segment's inputs do, and nowhere else.
TEST_F(Update, ASegmentsResultMayTakeItsOwnInput) {
  auto module = ir.parse(momentum({"8", "8", "2x4"}, "f32"));
  ASSERT_TRUE(module) << ir.errors;
  mlir::Block &block = (*module->getOps<ir::KernelOp>().begin()).getBody().front();
  ir::gatherSegments(block);
  auto may = [&](unsigned output, unsigned argument) {
    return ir::mayShareStorage(ir::KernelBody::of(block), ir::KernelKind::Update, output,
                               block.getArgument(argument));
  };
  for (unsigned input : {1, 2, 3}) {
    EXPECT_TRUE(may(0, input)) << input;      // p, m and g of the first
    EXPECT_FALSE(may(2, input)) << input;     // of the second
    EXPECT_FALSE(may(0, input + 3)) << input; // and the other way
  }
  EXPECT_FALSE(may(0, 0)); // what all read
}

// A loop over the segments, with what differs in tables: not a line of code for each.
TEST_F(Update, CodeDoesNotGrowWithSegments) {
  auto instructions = [&](size_t count) -> int64_t {
    unsigned segments = 0;
    std::string text =
        gathered(momentum(std::vector<std::string>(count, "90x100"), "f32"), segments);
    EXPECT_EQ(segments, count);
    auto module = ir.parse(text);
    auto assembly = codegen::cpuText(*module->getOps<ir::KernelOp>().begin(),
                                     codegen::CpuText::assembly, "generic");
    EXPECT_TRUE(succeeded(assembly)) << ir.errors;
    if (failed(assembly)) return 0;
    return llvm::count_if(llvm::split(*assembly, '\n'), [](llvm::StringRef line) {
      return line.starts_with("\t") && !line.starts_with("\t.");
    });
  };
  EXPECT_GT(instructions(30), 0);
  EXPECT_EQ(instructions(30), instructions(60));
}

} // namespace
} // namespace sinter::test
