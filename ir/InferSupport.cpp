#include "sinter/ir/InferSupport.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace sinter::ir {

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(shape, stream);
  stream << "]";
  return text;
}

std::string typeText(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << tensor.getElementType() << shapeText(tensor.getShape());
  return text;
}

RankedTensorType tensorOf(ArrayRef<int64_t> shape, Type element) {
  return RankedTensorType::get(shape, element);
}

LogicalResult checkReduction(std::optional<Location> loc, StringRef op, StringRef reduction) {
  if (reduction == "mean" || reduction == "sum" || reduction == "none") return success();
  return refuse(loc, op, ": reduction is '", reduction, "', expected mean, sum or none");
}

int64_t windowExtent(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                     int64_t dilation, bool ceilMode) {
  int64_t span = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (span < 0) return 0;
  int64_t extent = (span + (ceilMode ? stride - 1 : 0)) / stride + 1;
  // The last window must start inside the input or its left padding.
  if (ceilMode && (extent - 1) * stride >= size + padding) --extent;
  return extent;
}

static LogicalResult checkPair(std::optional<Location> loc, StringRef op, StringRef what,
                               ArrayRef<int64_t> pair, int64_t least) {
  if (pair.size() != 2)
    return refuse(loc, op, ": ", what, " has ", pair.size(), " values, expected 2");
  for (int64_t value : pair)
    if (value < least)
      return refuse(loc, op, ": ", what, " is ", shapeText(pair), ", each must be at least ",
                    least);
  return success();
}

FailureOr<SmallVector<int64_t>> convolutionShape(std::optional<Location> loc,
                                                 const ConvolutionFacts &f) {
  if (f.input.size() != 4)
    return refuse(loc, f.op, ": input has shape ", shapeText(f.input), ", expected [N, C, H, W]");
  if (f.weightShape.size() != 4)
    return refuse(loc, f.op, ": weight has shape ", shapeText(f.weightShape),
                  ", expected [O, C/groups, R, S]");
  if (failed(checkPair(loc, f.op, "stride", f.stride, 1)) ||
      failed(checkPair(loc, f.op, "padding", f.padding, 0)) ||
      failed(checkPair(loc, f.op, "dilation", f.dilation, 1)))
    return failure();
  if (f.groups < 1) return refuse(loc, f.op, ": groups is ", f.groups, ", must be at least 1");
  std::string weight = f.weight ? describe("weight", f.weight) : std::string("weight");
  if (f.input[1] != f.weightShape[1] * f.groups) {
    if (f.groups == 1)
      return refuse(loc, f.op, ": input has ", f.input[1], " channels, ", weight, " expects ",
                    f.weightShape[1]);
    return refuse(loc, f.op, ": input has ", f.input[1], " channels, ", weight, " expects ",
                  f.weightShape[1], " x ", f.groups, " groups");
  }
  if (f.weightShape[0] % f.groups != 0)
    return refuse(loc, f.op, ": ", weight, " has ", f.weightShape[0],
                  " output channels, not divisible by ", f.groups, " groups");
  SmallVector<int64_t> shape{f.input[0], f.weightShape[0]};
  for (int i = 0; i < 2; ++i) {
    int64_t extent = windowExtent(f.input[2 + i], f.weightShape[2 + i], f.stride[i], f.padding[i],
                                  f.dilation[i], false);
    if (extent <= 0)
      return refuse(loc, f.op, ": kernel ", shapeText(f.weightShape.drop_front(2)),
                    " with dilation ", shapeText(f.dilation), " does not fit input ",
                    shapeText(f.input.drop_front(2)), " with padding ", shapeText(f.padding));
    shape.push_back(extent);
  }
  return shape;
}

FailureOr<SmallVector<int64_t>> poolShape(std::optional<Location> loc, const PoolFacts &f) {
  if (f.input.size() != 4)
    return refuse(loc, f.op, ": input has shape ", shapeText(f.input), ", expected [N, C, H, W]");
  if (failed(checkPair(loc, f.op, "kernel_size", f.kernel, 1)) ||
      failed(checkPair(loc, f.op, "stride", f.stride, 1)) ||
      failed(checkPair(loc, f.op, "padding", f.padding, 0)))
    return failure();
  SmallVector<int64_t> shape{f.input[0], f.input[1]};
  for (int i = 0; i < 2; ++i) {
    if (f.padding[i] * 2 > f.kernel[i])
      return refuse(loc, f.op, ": padding ", shapeText(f.padding),
                    " is more than half of kernel_size ", shapeText(f.kernel));
    int64_t extent =
        windowExtent(f.input[2 + i], f.kernel[i], f.stride[i], f.padding[i], 1, f.ceilMode);
    if (extent <= 0)
      return refuse(loc, f.op, ": kernel_size ", shapeText(f.kernel), " does not fit input ",
                    shapeText(f.input.drop_front(2)), " with padding ", shapeText(f.padding));
    shape.push_back(extent);
  }
  return shape;
}

} // namespace sinter::ir
