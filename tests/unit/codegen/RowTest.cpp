#include "KernelRun.h"

namespace sinter::test {
namespace {

using Rows = KernelRun;

TEST_F(Rows, ReductionsOverEveryKindOfDimension) {
  struct Case {
    const char *from, *dims, *to;
  };
  for (Case c :
       {Case{"4x100", "1", "4"}, Case{"4x100", "0", "100"}, Case{"3x5x37x41", "0, 2, 3", "5"},
        Case{"3x5x37x41", "1", "3x37x41"}, Case{"2x300", "0, 1", ""}, Case{"70x1x9", "0", "1x9"},
        Case{"6x1000", "1", "6"}, Case{"128x10", "0", "10"}, Case{"128x10", "1", "128"}}) {
    std::string from = fmt::format("tensor<{}xf32>", c.from);
    std::string to = *c.to ? fmt::format("tensor<{}xf32>", c.to) : "tensor<f32>";
    for (const char *op : {"sum", "mean", "max", "min"})
      expectAgrees(kernel(
          "reduction", "%a: " + from,
          fmt::format("  %b = sinter.{} %a {{dim = array<i64: {}>}} : ({}) -> {}\n  yield %b", op,
                      c.dims, from, to),
          to));
    std::string places = *c.to ? fmt::format("tensor<{}xi64>", c.to) : "tensor<i64>";
    expectAgrees(kernel(
        "reduction", "%a: " + from,
        fmt::format("  %b = sinter.argmax %a {{dim = array<i64: {}>}} : ({}) -> {}\n  yield %b",
                    c.dims, from, places),
        places));
  }
}

TEST_F(Rows, ReductionWithProducersAndEnd) {
  expectAgrees(
      kernel("reduction", "%a: tensor<9x200xf32>, %b: tensor<9x200xf32>",
             "  %c = sinter.mul %a, %b : tensor<9x200xf32>\n"
             "  %s = sinter.sum %c {dim = array<i64: 1>} : (tensor<9x200xf32>) -> tensor<9xf32>\n"
             "  %m = sinter.max %a {dim = array<i64: 1>} : (tensor<9x200xf32>) -> tensor<9xf32>\n"
             "  %d = sinter.tanh %s : tensor<9xf32>\n  yield %d, %m",
             "tensor<9xf32>, tensor<9xf32>"));
}

std::string softmax(const std::string &domain, const std::string &kept, const std::string &dims) {
  return fmt::format(
      "  %m = sinter.max %a {{dim = array<i64: {2}>, keepdim = true}} : ({0}) -> {1}\n"
      "  %mb = sinter.broadcast %m : ({1}) -> {0}\n"
      "  %s = sinter.sub %a, %mb : {0}\n  %e = sinter.exp %s : {0}\n"
      "  %t = sinter.sum %e {{dim = array<i64: {2}>, keepdim = true}} : ({0}) -> {1}\n"
      "  %tb = sinter.broadcast %t : ({1}) -> {0}\n  %r = sinter.div %e, %tb : {0}\n  yield %r",
      domain, kept, dims);
}

TEST_F(Rows, Softmax) {
  expectAgrees(kernel("row", "%a: tensor<128x10xf32>",
                      softmax("tensor<128x10xf32>", "tensor<128x1xf32>", "1"),
                      "tensor<128x10xf32>"));
  expectAgrees(kernel("row", "%a: tensor<5x777xf32>",
                      softmax("tensor<5x777xf32>", "tensor<5x1xf32>", "1"), "tensor<5x777xf32>"));
  expectAgrees(kernel("row", "%a: tensor<3x7x40xf32>",
                      softmax("tensor<3x7x40xf32>", "tensor<3x1x40xf32>", "1"),
                      "tensor<3x7x40xf32>"));
  expectAgrees(kernel("row", "%a: tensor<6x64xbf16>",
                      softmax("tensor<6x64xbf16>", "tensor<6x1xbf16>", "1"), "tensor<6x64xbf16>"));
}

// Domain outputs that wait for no reduction, alone and beside one that does.
TEST_F(Rows, OutputsBesideTheReduction) {
  for (auto [domain, rows, dims] :
       {std::tuple("6x1000", "6", "1"), std::tuple("3x5x37x41", "5", "0, 2, 3"),
        std::tuple("128x10", "10", "0"), std::tuple("3x7", "3", "1")}) {
    std::string from = fmt::format("tensor<{}xf32>", domain),
                to = fmt::format("tensor<{}xf32>", rows);
    std::string inputs = fmt::format("%a: {0}, %b: {0}", from);
    expectAgrees(kernel(
        "row", inputs,
        fmt::format("  %c = sinter.mul %a, %b : {0}\n"
                    "  %s = sinter.sum %c {{dim = array<i64: {2}>}} : ({0}) -> {1}\n  yield %c, %s",
                    from, to, dims),
        from + ", " + to));
  }
  expectAgrees(kernel("row", "%a: tensor<6x1000xf32>",
                      "  %c = sinter.tanh %a : tensor<6x1000xf32>\n"
                      "  %s = sinter.sum %c {dim = array<i64: 1>, keepdim = true} : "
                      "(tensor<6x1000xf32>) -> tensor<6x1xf32>\n"
                      "  %v = sinter.broadcast %s : (tensor<6x1xf32>) -> tensor<6x1000xf32>\n"
                      "  %d = sinter.sub %c, %v : tensor<6x1000xf32>\n  yield %c, %d, %s",
                      "tensor<6x1000xf32>, tensor<6x1000xf32>, tensor<6x1xf32>"));
}

// A reduction to one element beside arithmetic on single elements.
TEST_F(Rows, ScalarsBesideAReduction) {
  expectAgrees(
      kernel("reduction", "%a: tensor<128x1xf32>, %t: tensor<f32>",
             "  %s = sinter.sum %a {dim = array<i64: 0, 1>} : (tensor<128x1xf32>) -> tensor<f32>\n"
             "  %e = sinter.tanh %t : tensor<f32>\n  yield %e, %s",
             "tensor<f32>, tensor<f32>"));
}

// A stage's rows go on through a reshape, on the stack; another's result is wanted outside, too.
TEST_F(Rows, Stages) {
  std::string target = "#sinter.target<kind = \"cpu\", isa = \"avx2\">";
  std::string text = kernel(
      "staged", "%x: tensor<24x10xf32>, %c: tensor<24xf32>",
      "  %s = sinter.fused(%x) schedule(#sinter.reduction) : (tensor<24x10xf32>) -> tensor<24xf32> "
      "{\n"
      "  ^bb0(%a: tensor<24x10xf32>):\n"
      "    %t = sinter.sum %a {dim = array<i64: 1>} : (tensor<24x10xf32>) -> tensor<24xf32>\n"
      "    sinter.yield %t : tensor<24xf32>\n  }\n"
      "  %r = sinter.reshape %s : (tensor<24xf32>) -> tensor<4x6xf32>\n"
      "  %m:2 = sinter.fused(%r) schedule(#sinter.row) : (tensor<4x6xf32>) -> (tensor<4x6xf32>, "
      "tensor<4x1xf32>) {\n"
      "  ^bb0(%a: tensor<4x6xf32>):\n"
      "    %t = sinter.max %a {dim = array<i64: 1>, keepdim = true} : (tensor<4x6xf32>) -> "
      "tensor<4x1xf32>\n"
      "    %b = sinter.broadcast %t : (tensor<4x1xf32>) -> tensor<4x6xf32>\n"
      "    %d = sinter.sub %a, %b : tensor<4x6xf32>\n"
      "    sinter.yield %d, %t : tensor<4x6xf32>, tensor<4x1xf32>\n  }\n"
      "  %f = sinter.reshape %m#0 : (tensor<4x6xf32>) -> tensor<24xf32>\n"
      "  %p = sinter.fused(%f, %c) schedule(#sinter.pointwise) : (tensor<24xf32>, tensor<24xf32>) "
      "-> "
      "tensor<24xf32> {\n"
      "  ^bb0(%a: tensor<24xf32>, %b: tensor<24xf32>):\n"
      "    %t = sinter.mul %a, %b : tensor<24xf32>\n    sinter.yield %t : tensor<24xf32>\n  }\n"
      "  yield %m#1, %p",
      "tensor<4x1xf32>, tensor<24xf32>");
  expectAgrees("module attributes {sinter.target = " + target + "} {\n" + text + "}\n");
}

// A product and a sum of the same, in chunks of one launch.
TEST_F(Rows, StagesSideBySide) {
  std::string text = kernel(
      "staged", "%g: tensor<100x333xf32>, %w: tensor<333x40xf32>",
      "  %p = sinter.fused(%g, %w) schedule(#sinter.contraction) : (tensor<100x333xf32>, "
      "tensor<333x40xf32>) -> tensor<100x40xf32> {\n"
      "  ^bb0(%a: tensor<100x333xf32>, %b: tensor<333x40xf32>):\n"
      "    %t = sinter.matmul %a, %b : (tensor<100x333xf32>, tensor<333x40xf32>) -> "
      "tensor<100x40xf32>\n    sinter.yield %t : tensor<100x40xf32>\n  }\n"
      "  %s = sinter.fused(%g) schedule(#sinter.reduction) : (tensor<100x333xf32>) -> "
      "tensor<100xf32> {\n"
      "  ^bb0(%a: tensor<100x333xf32>):\n"
      "    %t = sinter.sum %a {dim = array<i64: 1>} : (tensor<100x333xf32>) -> tensor<100xf32>\n"
      "    sinter.yield %t : tensor<100xf32>\n  }\n"
      "  %e = sinter.fused(%w) schedule(#sinter.pointwise) : (tensor<333x40xf32>) -> "
      "tensor<333x40xf32> {\n"
      "  ^bb0(%a: tensor<333x40xf32>):\n"
      "    %t = sinter.exp %a : tensor<333x40xf32>\n    sinter.yield %t : tensor<333x40xf32>\n  }\n"
      "  yield %s, %p, %e",
      "tensor<100xf32>, tensor<100x40xf32>, tensor<333x40xf32>");
  text = "module attributes {sinter.target = #sinter.target<kind = \"cpu\", isa = \"avx2\">} {\n" +
         text + "}\n";
  expectAgreesOnAnyNumberOfThreads(text);
}

TEST_F(Rows, ThreadsChangeNothing) {
  std::string text =
      kernel("row", "%a: tensor<500x333xf32>",
             softmax("tensor<500x333xf32>", "tensor<500x1xf32>", "1"), "tensor<500x333xf32>");
  auto input =
      numbers(mlir::RankedTensorType::get({500, 333}, mlir::Float32Type::get(&ir.context)));
  expectAgrees(text, {input}, "", 1);
  auto one = lastOutputs;
  expectAgrees(text, {input}, "", 3);
  EXPECT_EQ(one, lastOutputs);
}

} // namespace
} // namespace sinter::test
