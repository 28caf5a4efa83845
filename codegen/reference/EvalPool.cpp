#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// The windows of a pooling op over the last two dimensions.
struct Windows {
  ArrayRef<int64_t> image, output; // [N, C, H, W] of both
  ArrayRef<int64_t> kernel, stride, padding;

  struct Window {
    int64_t output;              // linear index of its element
    int64_t plane;               // linear index of its image's first element
    int64_t top, left;           // may be negative: in the padding
    int64_t paddedArea;          // elements inside the image and its padding
    SmallVector<int64_t> places; // row-major places that are inside the image
    SmallVector<int64_t> from;   // their linear indices
  };

  template <class Body> void forEach(Body body) const {
    int64_t height = image[2], width = image[3], linear = 0;
    Window window;
    for (int64_t plane = 0; plane < image[0] * image[1]; ++plane)
      for (int64_t y = 0; y < output[2]; ++y)
        for (int64_t x = 0; x < output[3]; ++x) {
          window.output = linear++;
          window.plane = plane * height * width;
          window.top = y * stride[0] - padding[0];
          window.left = x * stride[1] - padding[1];
          // A window of ceil_mode may hang over the padding: what hangs over does not count.
          window.paddedArea = (std::min(window.top + kernel[0], height + padding[0]) - window.top) *
                              (std::min(window.left + kernel[1], width + padding[1]) - window.left);
          window.places.clear();
          window.from.clear();
          for (int64_t place = 0; place < kernel[0] * kernel[1]; ++place) {
            int64_t row = window.top + place / kernel[1], column = window.left + place % kernel[1];
            if (row < 0 || row >= height || column < 0 || column >= width) continue;
            window.places.push_back(place);
            window.from.push_back(window.plane + row * width + column);
          }
          body(window);
        }
  }
};
template <class Op> Windows windowsOf(Op op, Value image, Value output) {
  return {ir::shapeOf(image), ir::shapeOf(output), op.getKernelSize(), op.getStride(),
          op.getPadding()};
}

LogicalResult maxPool(OpEvaluation &e) {
  auto op = cast<ir::MaxPool2dOp>(e.op);
  Writer out(e.result(0), e.options.trackErrors), places(e.result(1), e.options.trackErrors);
  Reader x(e.operand(0));
  windowsOf(op, op.getX(), op.getResult()).forEach([&](const Windows::Window &window) {
    size_t best = 0;
    double low = -HUGE_VAL, high = -HUGE_VAL;
    for (size_t i = 0; i < window.from.size(); ++i) {
      Ball number = x[window.from[i]];
      if (std::isnan(number.value)) { // the first NaN wins
        best = i;
        break;
      }
      if (number.value > x[window.from[best]].value) best = i;
      low = std::max(low, number.low());
      high = std::max(high, number.high());
    }
    Ball winner = x[window.from[best]];
    if (std::isnan(winner.value)) {
      out.set(window.output, winner);
      return places.setInteger(window.output, window.places[best], 0);
    }
    double error = low == high ? 0 : std::max(high - winner.value, winner.value - low);
    out.set(window.output, {winner.value, std::isnan(error) ? HUGE_VAL : error});
    double elsewhere = 0;
    for (size_t i = 0; i < window.from.size(); ++i)
      if (i != best && undecided(x[window.from[i]], winner))
        elsewhere =
            std::max(elsewhere, std::fabs(double(window.places[i]) - double(window.places[best])));
    places.setInteger(window.output, window.places[best], elsewhere);
  });
  return success();
}

LogicalResult maxPoolGrad(OpEvaluation &e) {
  auto op = cast<ir::MaxPool2dGradOp>(e.op);
  const HostTensor &place = e.operand(1);
  Reader grad(e.operand(0));
  std::vector<Sum> sums(e.result().numElements());
  int64_t bad = -1;
  windowsOf(op, op.getResult(), op.getGrad()).forEach([&](const Windows::Window &window) {
    Ball g = grad[window.output];
    double error = place.errorAt(window.output);
    bool found = false;
    for (auto [candidate, to] : llvm::zip(window.places, window.from)) {
      bool taken = candidate == place.integers[window.output];
      found |= taken;
      if (error == 0 && taken)
        sums[to].add(g);
      else if (error != 0 &&
               std::fabs(double(candidate) - double(place.integers[window.output])) <= error)
        // It may be here or at another place.
        sums[to].add({taken ? g.value : 0, std::fabs(g.value) + g.error});
    }
    if (!found && bad < 0) bad = window.output;
  });
  if (bad >= 0)
    return e.emitError() << "place " << place.integers[bad] << " of window " << bad
                         << " is not in the image";
  Writer out(e.result(), e.options.trackErrors);
  for (auto [i, sum] : llvm::enumerate(sums)) out.set(i, sum.finish(out.arithmetic));
  return success();
}

LogicalResult avgPool(OpEvaluation &e) {
  auto op = cast<ir::AvgPool2dOp>(e.op);
  Writer out(e.result(), e.options.trackErrors);
  Reader x(e.operand(0));
  windowsOf(op, op.getX(), op.getResult()).forEach([&](const Windows::Window &window) {
    Sum sum;
    for (int64_t from : window.from) sum.add(x[from]);
    double count =
        double(op.getCountIncludePad() ? window.paddedArea : int64_t(window.from.size()));
    Ball y = out.arithmetic.div(sum.finish(out.arithmetic), {count, 0});
    out.set(window.output, out.arithmetic.loosened(y, 2, std::fabs(y.value)));
  });
  return success();
}

LogicalResult avgPoolGrad(OpEvaluation &e) {
  auto op = cast<ir::AvgPool2dGradOp>(e.op);
  Writer out(e.result(), e.options.trackErrors);
  Reader grad(e.operand(0));
  std::vector<Sum> sums(e.result().numElements());
  windowsOf(op, op.getResult(), op.getGrad()).forEach([&](const Windows::Window &window) {
    double count =
        double(op.getCountIncludePad() ? window.paddedArea : int64_t(window.from.size()));
    Ball share = out.arithmetic.div(grad[window.output], {count, 0});
    share = out.arithmetic.loosened(share, 2, std::fabs(share.value));
    for (int64_t to : window.from) sums[to].add(share);
  });
  for (auto [i, sum] : llvm::enumerate(sums)) out.set(i, sum.finish(out.arithmetic));
  return success();
}

} // namespace

void addPools(Handlers &handlers) {
  handlers["sinter.max_pool2d"] = maxPool;
  handlers["sinter.max_pool2d_grad"] = maxPoolGrad;
  handlers["sinter.avg_pool2d"] = avgPool;
  handlers["sinter.avg_pool2d_grad"] = avgPoolGrad;
}

} // namespace sinter::codegen::reference
