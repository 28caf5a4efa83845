#include "GradientCheck.h"

#include <fmt/format.h>

namespace sinter::test {

/// `op` on one tensor of f64.
static GradientCase unary(const char *name, const char *op, double low = -2, double high = 2,
                          const char *attributes = "") {
  return {name,
          fmt::format("func.func @f(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {{\n"
                      "  %y = sinter.{} %x {} : tensor<2x3xf64>\n  return %y : tensor<2x3xf64>\n}}",
                      op, attributes),
          low, high};
}
static GradientCase binary(const char *op, double low = -2, double high = 2) {
  return {
      op,
      fmt::format("func.func @f(%x: tensor<2x3xf64>, %y: tensor<2x3xf64>) -> tensor<2x3xf64> {{\n"
                  "  %z = sinter.{} %x, %y : tensor<2x3xf64>\n  return %z : tensor<2x3xf64>\n}}",
                  op),
      low, high};
}
/// `op` on arguments (given as "%a: type, ...") with one result.
static GradientCase general(const char *name, const char *arguments, const char *op,
                            const char *operandTypes, const char *result, double low = -2,
                            double high = 2, int64_t integers = 3) {
  return {
      name,
      fmt::format("func.func @f({}) -> {} {{\n  %r = sinter.{} : ({}) -> {}\n  return %r : {}\n}}",
                  arguments, result, op, operandTypes, result, result),
      low, high, integers};
}
static GradientCase matmul(const char *name, const char *a, const char *b, const char *attributes,
                           const char *result) {
  return general(name, fmt::format("%a: {}, %b: {}", a, b).c_str(),
                 fmt::format("matmul %a, %b {}", attributes).c_str(),
                 fmt::format("{}, {}", a, b).c_str(), result);
}
static GradientCase conv(const char *name, const char *x, const char *w, const char *attributes,
                         const char *result) {
  return general(name, fmt::format("%x: {}, %w: {}", x, w).c_str(),
                 fmt::format("conv2d %x, %w {}", attributes).c_str(),
                 fmt::format("{}, {}", x, w).c_str(), result);
}
static GradientCase loss(const char *name, const char *op, const char *reduction,
                         const char *result) {
  return general(name, "%x: tensor<3x2xf64>, %t: tensor<3x2xf64>",
                 fmt::format("{} %x, %t {{reduction = \"{}\"}}", op, reduction).c_str(),
                 "tensor<3x2xf64>, tensor<3x2xf64>", result);
}

const std::vector<GradientCase> &gradientCases() {
  static const std::vector<GradientCase> cases = {
      binary("add"),
      binary("sub"),
      binary("mul"),
      binary("div", 0.5, 2),
      binary("remainder", 0.5, 2),
      binary("pow", 0.5, 2),
      binary("maximum"),
      binary("minimum"),
      unary("neg", "neg"),
      unary("abs", "abs"),
      unary("exp", "exp"),
      unary("log", "log", 0.5, 3),
      unary("log1p", "log1p", -0.5, 3),
      unary("sqrt", "sqrt", 0.5, 3),
      unary("rsqrt", "rsqrt", 0.5, 3),
      unary("sin", "sin"),
      unary("cos", "cos"),
      unary("tanh", "tanh"),
      unary("sigmoid", "sigmoid"),
      unary("erf", "erf"),
      unary("relu", "relu"),
      unary("gelu", "gelu"),
      unary("gelu_tanh", "gelu", -2, 2, "{approximate = \"tanh\"}"),
      unary("silu", "silu"),
      unary("elu", "elu", -2, 2, "{alpha = 0.7}"),
      unary("softplus", "softplus", -2, 2, "{beta = 2.0}"),
      unary("cumsum", "cumsum", -2, 2, "{dim = 1 : i64}"),
      unary("cumsum_reverse", "cumsum", -2, 2, "{dim = 0 : i64, reverse = true}"),
      unary("clamp", "clamp", -2, 2, "{min = -1.05, max = 0.95}"),
      unary("clamp_below", "clamp", -2, 2, "{min = -0.55}"),
      general("select", "%c: tensor<4xi1>, %x: tensor<4xf64>, %y: tensor<4xf64>",
              "select %c, %x, %y", "tensor<4xi1>, tensor<4xf64>, tensor<4xf64>", "tensor<4xf64>",
              -2, 2, 2),
      general("cast", "%x: tensor<4xf64>", "cast %x", "tensor<4xf64>", "tensor<4xf64>"),
      general("dropout", "%x: tensor<4x5xf64>, %s: tensor<i64>, %t: tensor<i64>",
              "dropout %x, %s, %t {stream = 7 : i64, p = 0.4}",
              "tensor<4x5xf64>, tensor<i64>, tensor<i64>", "tensor<4x5xf64>"),

      general("reshape", "%x: tensor<2x3xf64>", "reshape %x", "tensor<2x3xf64>", "tensor<3x2xf64>"),
      general("transpose", "%x: tensor<2x3x4xf64>",
              "transpose %x {permutation = array<i64: 2, 0, 1>}", "tensor<2x3x4xf64>",
              "tensor<4x2x3xf64>"),
      general("broadcast", "%x: tensor<3x1xf64>", "broadcast %x", "tensor<3x1xf64>",
              "tensor<2x3x4xf64>"),
      general("broadcast_scalar", "%x: tensor<f64>", "broadcast %x", "tensor<f64>",
              "tensor<2x3xf64>"),
      general(
          "slice", "%x: tensor<7x5xf64>",
          "slice %x {start = array<i64: 1, 0>, limit = array<i64: 6, 5>, step = array<i64: 3, 2>}",
          "tensor<7x5xf64>", "tensor<2x3xf64>"),
      general(
          "pad", "%x: tensor<2x3xf64>",
          "pad %x {low = array<i64: 1, 0>, high = array<i64: 0, 2>, interior = array<i64: 0, 1>, "
          "value = 1.5}",
          "tensor<2x3xf64>", "tensor<3x7xf64>"),
      general("concat", "%x: tensor<2x3xf64>, %y: tensor<2x1xf64>", "concat %x, %y {dim = 1 : i64}",
              "tensor<2x3xf64>, tensor<2x1xf64>", "tensor<2x4xf64>"),
      {"relayout", R"(func.func @f(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %y = sinter.relayout %x : (tensor<2x3xf64>) -> tensor<2x3xf64, #sinter.layout<[1, 0]>>
  %z = sinter.relayout %y : (tensor<2x3xf64, #sinter.layout<[1, 0]>>) -> tensor<2x3xf64>
  return %z : tensor<2x3xf64>
})"},
      {"fusion_barrier", R"(func.func @f(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {
  %y = sinter.exp %x : tensor<2x3xf64>
  %z = sinter.fusion_barrier %y : tensor<2x3xf64>
  return %z : tensor<2x3xf64>
})"},
      general("embedding", "%w: tensor<3x2xf64>, %i: tensor<4xi64>", "embedding %w, %i",
              "tensor<3x2xf64>, tensor<4xi64>", "tensor<4x2xf64>"),
      general("embedding_padding", "%w: tensor<3x2xf64>, %i: tensor<4xi64>",
              "embedding %w, %i {padding_idx = 1 : i64}", "tensor<3x2xf64>, tensor<4xi64>",
              "tensor<4x2xf64>"),
      general("gather", "%x: tensor<3x2xf64>, %i: tensor<4x2xi64>", "gather %x, %i {dim = 0 : i64}",
              "tensor<3x2xf64>, tensor<4x2xi64>", "tensor<4x2xf64>"),
      general("scatter_add", "%x: tensor<3x2xf64>, %i: tensor<4x2xi32>, %s: tensor<4x2xf64>",
              "scatter_add %x, %i, %s {dim = 0 : i64}",
              "tensor<3x2xf64>, tensor<4x2xi32>, tensor<4x2xf64>", "tensor<3x2xf64>"),
      general("dynamic_slice", "%x: tensor<3x4xf64>, %i: tensor<i64>, %j: tensor<i64>",
              "dynamic_slice %x[%i, %j] {size = array<i64: 2, 2>}",
              "tensor<3x4xf64>, tensor<i64>, tensor<i64>", "tensor<2x2xf64>"),
      general("dynamic_update_slice",
              "%x: tensor<3x4xf64>, %u: tensor<2x2xf64>, %i: tensor<i64>, %j: tensor<i64>",
              "dynamic_update_slice %x, %u[%i, %j]",
              "tensor<3x4xf64>, tensor<2x2xf64>, tensor<i64>, tensor<i64>", "tensor<3x4xf64>"),

      general("sum", "%x: tensor<2x3x4xf64>", "sum %x {dim = array<i64: 0, 2>}",
              "tensor<2x3x4xf64>", "tensor<3xf64>"),
      general("sum_keepdim", "%x: tensor<2x3xf64>", "sum %x {dim = array<i64: 1>, keepdim = true}",
              "tensor<2x3xf64>", "tensor<2x1xf64>"),
      general("mean", "%x: tensor<2x3x4xf64>", "mean %x {dim = array<i64: 1>}", "tensor<2x3x4xf64>",
              "tensor<2x4xf64>"),
      general("max", "%x: tensor<2x3x4xf64>", "max %x {dim = array<i64: 1, 2>}",
              "tensor<2x3x4xf64>", "tensor<2xf64>"),
      general("min", "%x: tensor<2x3xf64>", "min %x {dim = array<i64: 0>, keepdim = true}",
              "tensor<2x3xf64>", "tensor<1x3xf64>"),

      matmul("matmul", "tensor<2x3xf64>", "tensor<3x4xf64>", "", "tensor<2x4xf64>"),
      matmul("matmul_ta", "tensor<3x2xf64>", "tensor<3x4xf64>", "{transpose_a = true}",
             "tensor<2x4xf64>"),
      matmul("matmul_tb", "tensor<5x2x3xf64>", "tensor<5x4x3xf64>", "{transpose_b = true}",
             "tensor<5x2x4xf64>"),
      matmul("matmul_ta_tb", "tensor<3x2xf64>", "tensor<4x3xf64>",
             "{transpose_a = true, transpose_b = true}", "tensor<2x4xf64>"),
      conv("conv2d", "tensor<1x2x4x4xf64>", "tensor<2x2x3x3xf64>", "", "tensor<1x2x2x2xf64>"),
      conv("conv2d_all", "tensor<2x2x6x5xf64>", "tensor<2x1x2x2xf64>",
           "{stride = array<i64: 2, 1>, padding = array<i64: 1, 0>, dilation = array<i64: 2, 1>, "
           "groups = 2 : i64}",
           "tensor<2x2x3x4xf64>"),

      unary("softmax", "softmax", -2, 2, "{dim = 1 : i64}"),
      unary("softmax_first", "softmax", -2, 2, "{dim = 0 : i64}"),
      unary("log_softmax", "log_softmax", -2, 2, "{dim = 1 : i64}"),
      general("cross_entropy", "%x: tensor<4x3xf64>, %t: tensor<4xi64>", "cross_entropy %x, %t",
              "tensor<4x3xf64>, tensor<4xi64>", "tensor<f64>"),
      general("cross_entropy_ignore", "%x: tensor<5x3xf64>, %t: tensor<5xi32>",
              "cross_entropy %x, %t {ignore_index = 1 : i64, label_smoothing = 0.2}",
              "tensor<5x3xf64>, tensor<5xi32>", "tensor<f64>"),
      general("cross_entropy_pixels", "%x: tensor<2x3x2xf64>, %t: tensor<2x2xi64>",
              "cross_entropy %x, %t {reduction = \"none\", label_smoothing = 0.1}",
              "tensor<2x3x2xf64>, tensor<2x2xi64>", "tensor<2x2xf64>"),
      general("cross_entropy_sum", "%x: tensor<4x3xf64>, %t: tensor<4xui8>",
              "cross_entropy %x, %t {reduction = \"sum\"}", "tensor<4x3xf64>, tensor<4xui8>",
              "tensor<f64>"),
      loss("mse_loss", "mse_loss", "mean", "tensor<f64>"),
      loss("mse_loss_none", "mse_loss", "none", "tensor<3x2xf64>"),
      loss("l1_loss", "l1_loss", "sum", "tensor<f64>"),
      loss("bce_with_logits", "bce_with_logits", "mean", "tensor<f64>"),
      loss("bce_with_logits_none", "bce_with_logits", "none", "tensor<3x2xf64>"),
      general("binary_cross_entropy_loss", "%x: tensor<3x2xf64>, %t: tensor<3x2xf64>",
              "binary_cross_entropy %x, %t", "tensor<3x2xf64>, tensor<3x2xf64>", "tensor<f64>", 0.1,
              0.9),
      {"batch_norm",
       R"(func.func @f(%x: tensor<3x2x2xf64>, %w: tensor<2xf64>, %b: tensor<2xf64>) -> tensor<3x2x2xf64> {
  %y, %m, %v = sinter.batch_norm %x, %w, %b {eps = 0.01} : (tensor<3x2x2xf64>, tensor<2xf64>, tensor<2xf64>) -> (tensor<3x2x2xf64>, tensor<2xf64>, tensor<2xf64>)
  return %y : tensor<3x2x2xf64>
})"},
      {"batch_norm_statistics",
       R"(func.func @f(%x: tensor<3x2x2xf64>, %w: tensor<2xf64>, %b: tensor<2xf64>) -> (tensor<3x2x2xf64>, tensor<2xf64>, tensor<2xf64>) {
  %y, %m, %v = sinter.batch_norm %x, %w, %b {eps = 0.01} : (tensor<3x2x2xf64>, tensor<2xf64>, tensor<2xf64>) -> (tensor<3x2x2xf64>, tensor<2xf64>, tensor<2xf64>)
  return %y, %m, %v : tensor<3x2x2xf64>, tensor<2xf64>, tensor<2xf64>
})"},
      general("batch_norm_inference",
              "%x: tensor<2x2x3xf64>, %w: tensor<2xf64>, %b: tensor<2xf64>, %m: tensor<2xf64>, "
              "%v: tensor<2xf64>",
              "batch_norm_inference %x, %w, %b, %m, %v",
              "tensor<2x2x3xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>",
              "tensor<2x2x3xf64>", 0.5, 2),
      general("layer_norm", "%x: tensor<3x2x2xf64>, %w: tensor<2x2xf64>, %b: tensor<2x2xf64>",
              "layer_norm %x, %w, %b {eps = 0.01}",
              "tensor<3x2x2xf64>, tensor<2x2xf64>, tensor<2x2xf64>", "tensor<3x2x2xf64>"),
      general("rms_norm", "%x: tensor<3x2x2xf64>, %w: tensor<2x2xf64>",
              "rms_norm %x, %w {eps = 0.01}", "tensor<3x2x2xf64>, tensor<2x2xf64>",
              "tensor<3x2x2xf64>"),
      general("group_norm", "%x: tensor<2x4x3xf64>, %w: tensor<4xf64>, %b: tensor<4xf64>",
              "group_norm %x, %w, %b {num_groups = 2 : i64, eps = 0.01}",
              "tensor<2x4x3xf64>, tensor<4xf64>, tensor<4xf64>", "tensor<2x4x3xf64>"),
      {"scan",
       R"(func.func @f(%h: tensor<2x3xf64>, %x: tensor<4x2x3xf64>, %w: tensor<3x3xf64>) -> tensor<4x2x3xf64> {
  %r:2 = sinter.scan init(%h) xs(%x) captures(%w) attributes {count = 4 : i64} : (tensor<2x3xf64>, tensor<4x2x3xf64>, tensor<3x3xf64>) -> (tensor<2x3xf64>, tensor<4x2x3xf64>) {
  ^bb0(%s: tensor<2x3xf64>, %a: tensor<2x3xf64>, %m: tensor<3x3xf64>):
    %p = sinter.matmul %s, %m : (tensor<2x3xf64>, tensor<3x3xf64>) -> tensor<2x3xf64>
    %q = sinter.mul %p, %a : tensor<2x3xf64>
    %n = sinter.tanh %q : tensor<2x3xf64>
    %y = sinter.mul %n, %a : tensor<2x3xf64>
    sinter.yield %n, %y : tensor<2x3xf64>, tensor<2x3xf64>
  }
  return %r#1 : tensor<4x2x3xf64>
})"},
      {"scan_reverse",
       R"(func.func @f(%h: tensor<3xf64>, %c: tensor<3xf64>) -> tensor<3xf64> {
  %r:2 = sinter.scan init(%h, %c) xs() captures() attributes {count = 3 : i64, reverse = true} : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  ^bb0(%s: tensor<3xf64>, %t: tensor<3xf64>):
    %n = sinter.sin %t : tensor<3xf64>
    sinter.yield %n, %s : tensor<3xf64>, tensor<3xf64>
  }
  %y = sinter.mul %r#0, %r#1 : tensor<3xf64>
  return %y : tensor<3xf64>
})"},
      {"max_pool2d", R"(func.func @f(%x: tensor<1x2x5x5xf64>) -> tensor<1x2x3x3xf64> {
  %y, %p = sinter.max_pool2d %x {kernel_size = array<i64: 3, 2>, stride = array<i64: 2, 2>, padding = array<i64: 1, 1>} : (tensor<1x2x5x5xf64>) -> (tensor<1x2x3x3xf64>, tensor<1x2x3x3xui8>)
  return %y : tensor<1x2x3x3xf64>
})"},
      general("avg_pool2d", "%x: tensor<1x1x5x5xf64>",
              "avg_pool2d %x {kernel_size = array<i64: 3, 2>, stride = array<i64: 2, 2>, padding = "
              "array<i64: 1, 1>, count_include_pad = false}",
              "tensor<1x1x5x5xf64>", "tensor<1x1x3x3xf64>"),

      {"relu_max_pool2d", R"(func.func @f(%x: tensor<1x2x5x5xf64>) -> tensor<1x2x4x4xf64> {
  %r = sinter.relu %x : tensor<1x2x5x5xf64>
  %y, %p = sinter.max_pool2d %r {kernel_size = array<i64: 2, 2>, stride = array<i64: 1, 1>} : (tensor<1x2x5x5xf64>) -> (tensor<1x2x4x4xf64>, tensor<1x2x4x4xui8>)
  return %y : tensor<1x2x4x4xf64>
})"},

      // Ops together: several uses of a value, a bias, a residual.
      {"network",
       R"(func.func @f(%x: tensor<4x3xf64>, %w: tensor<5x3xf64>, %b: tensor<5xf64>, %v: tensor<3x5xf64>, %t: tensor<4xi64>) -> tensor<f64> {
  %h = sinter.matmul %x, %w {transpose_b = true} : (tensor<4x3xf64>, tensor<5x3xf64>) -> tensor<4x5xf64>
  %bb = sinter.broadcast %b : (tensor<5xf64>) -> tensor<4x5xf64>
  %p = sinter.add %h, %bb : tensor<4x5xf64>
  %a = sinter.tanh %p : tensor<4x5xf64>
  %r = sinter.mul %a, %p : tensor<4x5xf64>
  %y = sinter.matmul %r, %v {transpose_b = true} : (tensor<4x5xf64>, tensor<3x5xf64>) -> tensor<4x3xf64>
  %z = sinter.add %y, %x : tensor<4x3xf64>
  %l = sinter.cross_entropy %z, %t : (tensor<4x3xf64>, tensor<4xi64>) -> tensor<f64>
  return %l : tensor<f64>
})"},
  };
  return cases;
}

} // namespace sinter::test
