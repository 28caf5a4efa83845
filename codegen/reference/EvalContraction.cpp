#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// Sums of products of elements of two tensors into the elements of a result, in double, with the
/// sums of magnitudes and of propagated errors when they are wanted.
class Products {
public:
  Products(OpEvaluation &e)
      : e(e), a(e.operand(0)), b(e.operand(1)), total(e.result().numElements()) {
    if (!e.options.trackErrors) return;
    magnitude.resize(total.size());
    errors = !a.error.empty() || !b.error.empty();
    if (errors) error.resize(total.size());
    aError = a.error.empty() ? std::vector<double>(errors ? a.numElements() : 0) : a.error;
    bError = b.error.empty() ? std::vector<double>(errors ? b.numElements() : 0) : b.error;
  }

  /// result[to + i * toStep] += a[fromA + i * aStep] * b[fromB + i * bStep] for i < count.
  void addRun(int64_t count, int64_t to, int64_t toStep, int64_t fromA, int64_t aStep,
              int64_t fromB, int64_t bStep) {
    const double *x = a.values.data() + fromA, *y = b.values.data() + fromB;
    double *sum = total.data() + to;
    for (int64_t i = 0; i < count; ++i) sum[i * toStep] += x[i * aStep] * y[i * bStep];
    if (magnitude.empty()) return;
    double *size = magnitude.data() + to;
    for (int64_t i = 0; i < count; ++i) size[i * toStep] += std::fabs(x[i * aStep] * y[i * bStep]);
    if (!errors) return;
    const double *ex = aError.data() + fromA, *ey = bError.data() + fromB;
    double *spread = error.data() + to;
    for (int64_t i = 0; i < count; ++i) {
      double xe = ex[i * aStep], ye = ey[i * bStep];
      spread[i * toStep] += std::fabs(x[i * aStep]) * ye + (std::fabs(y[i * bStep]) + ye) * xe;
    }
  }

  /// `terms`: the most products that any element sums.
  LogicalResult finish(int64_t terms) {
    Writer out(e.result(), e.options.trackErrors);
    const Format &format = out.arithmetic.format;
    // One rounding for each product and each addition but the first; in f64 ours are as large again.
    double relative = static_cast<double>(terms) * format.unit();
    if (format.dtype == runtime::DType::f64) relative *= 2;
    bool whole = !errors && isWhole(a) && isWhole(b);
    for (auto [i, sum] : llvm::enumerate(total)) {
      Ball y{sum, 0};
      if (!magnitude.empty()) {
        y.error = errors ? error[i] : 0;
        if (std::isnan(y.error)) y.error = HUGE_VAL;
        if (std::isfinite(sum) && !(whole && magnitude[i] * format.unit() <= 1))
          y.error += relative * (1 + relative) * (magnitude[i] + y.error);
        else if (!std::isfinite(sum) && y.error != 0 && std::isinf(sum))
          y.error = HUGE_VAL;
      }
      out.set(i, y);
    }
    return success();
  }

private:
  static bool isWhole(const HostTensor &tensor) {
    return llvm::all_of(tensor.values, [](double x) { return x == std::floor(x); });
  }

  OpEvaluation &e;
  const HostTensor &a, &b;
  std::vector<double> total, magnitude, error, aError, bError;
  bool errors = false;
};

LogicalResult matmul(OpEvaluation &e) {
  auto op = cast<ir::MatmulOp>(e.op);
  ArrayRef<int64_t> left = e.operand(0).type.getShape(), result = e.result().type.getShape();
  int64_t m = result[result.size() - 2], n = result.back();
  int64_t k = left[left.size() - (op.getTransposeA() ? 2 : 1)];
  int64_t batches = 1;
  for (int64_t size : result.drop_back(2)) batches *= size;
  int64_t aRow = op.getTransposeA() ? 1 : k, aStep = op.getTransposeA() ? m : 1;
  int64_t bRow = op.getTransposeB() ? 1 : n, bStep = op.getTransposeB() ? k : 1;
  Products products(e);
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t p = 0; p < k; ++p)
        products.addRun(n, (batch * m + i) * n, 1, batch * m * k + i * aRow + p * aStep, 0,
                        batch * k * n + p * bRow, bStep);
  return products.finish(k);
}

/// The loops that conv2d and both of its gradients share: over every (output, input, weight) triple
/// that meets, a run of output columns at a time.
struct Convolution {
  ArrayRef<int64_t> input, weight, output, stride, padding, dilation;
  int64_t groups;

  /// Calls `run(count, input offset, input step, weight offset, output offset)`; output steps are 1.
  template <class Run> void forEachRun(Run run) const {
    auto [channels, rows, columns] = std::tuple(weight[1], weight[2], weight[3]);
    int64_t perGroup = weight[0] / groups, height = input[2], width = input[3];
    for (int64_t n = 0; n < input[0]; ++n)
      for (int64_t o = 0; o < weight[0]; ++o)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t s = 0; s < columns; ++s) {
              int64_t channel = o / perGroup * channels + c;
              int64_t tap = ((o * channels + c) * rows + r) * columns + s;
              // Output columns x with 0 <= x * stride + shift < width.
              int64_t shift = s * dilation[1] - padding[1];
              int64_t first = shift >= 0 ? 0 : (-shift + stride[1] - 1) / stride[1];
              int64_t last = shift >= width ? 0 : (width - 1 - shift) / stride[1] + 1;
              last = std::min(last, output[3]);
              if (first >= last) continue;
              for (int64_t y = 0; y < output[2]; ++y) {
                int64_t row = y * stride[0] + r * dilation[0] - padding[0];
                if (row < 0 || row >= height) continue;
                int64_t from =
                    ((n * input[1] + channel) * height + row) * width + first * stride[1] + shift;
                int64_t to = ((n * weight[0] + o) * output[2] + y) * output[3] + first;
                run(last - first, from, stride[1], tap, to);
              }
            }
  }
};
template <class Op> Convolution convolutionOf(Op op, Value input, Value weight, Value output) {
  return {ir::shapeOf(input), ir::shapeOf(weight), ir::shapeOf(output),    op.getStride(),
          op.getPadding(),    op.getDilation(),    int64_t(op.getGroups())};
}

LogicalResult conv2d(OpEvaluation &e) {
  auto op = cast<ir::Conv2dOp>(e.op);
  Convolution loops = convolutionOf(op, op.getInput(), op.getWeight(), op.getResult());
  Products products(e);
  loops.forEachRun([&](int64_t count, int64_t x, int64_t step, int64_t w, int64_t y) {
    products.addRun(count, y, 1, x, step, w, 0);
  });
  return products.finish(loops.weight[1] * loops.weight[2] * loops.weight[3]);
}
LogicalResult conv2dInputGrad(OpEvaluation &e) {
  auto op = cast<ir::Conv2dInputGradOp>(e.op);
  Convolution loops = convolutionOf(op, op.getResult(), op.getWeight(), op.getGrad());
  Products products(e);
  loops.forEachRun([&](int64_t count, int64_t x, int64_t step, int64_t w, int64_t y) {
    products.addRun(count, x, step, y, 1, w, 0);
  });
  return products.finish(loops.weight[0] / loops.groups * loops.weight[2] * loops.weight[3]);
}
LogicalResult conv2dWeightGrad(OpEvaluation &e) {
  auto op = cast<ir::Conv2dWeightGradOp>(e.op);
  Convolution loops = convolutionOf(op, op.getInput(), op.getResult(), op.getGrad());
  Products products(e);
  loops.forEachRun([&](int64_t count, int64_t x, int64_t step, int64_t w, int64_t y) {
    products.addRun(count, w, 0, x, step, y, 1);
  });
  return products.finish(loops.output[0] * loops.output[2] * loops.output[3]);
}

} // namespace

void addContractions(Handlers &handlers) {
  handlers["sinter.matmul"] = matmul;
  handlers["sinter.conv2d"] = conv2d;
  handlers["sinter.conv2d_input_grad"] = conv2dInputGrad;
  handlers["sinter.conv2d_weight_grad"] = conv2dWeightGrad;
}

} // namespace sinter::codegen::reference
