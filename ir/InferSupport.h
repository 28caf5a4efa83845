#pragma once

#include "sinter/ir/Sinter.h"

/// Helpers of shape inference and verification. Messages start with the op's mnemonic and give the
/// facts; the DSL puts the user's file and line before them.
namespace sinter::ir {

/// "[2, 3]"
std::string shapeText(llvm::ArrayRef<int64_t> shape);
/// "f32[2, 3]"
std::string typeText(mlir::Type type);
/// A plain row-major tensor.
mlir::RankedTensorType tensorOf(llvm::ArrayRef<int64_t> shape, mlir::Type element);
/// Refuses unless `reduction` is mean, sum or none.
mlir::LogicalResult checkReduction(std::optional<mlir::Location> loc, llvm::StringRef op,
                                   llvm::StringRef reduction);
/// Extent of one pooled or convolved dimension, PyTorch's formula; at most 0 when the window does not fit.
int64_t windowExtent(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                     int64_t dilation, bool ceilMode);

/// Emits `parts` as an error at `loc` when there is one.
template <class... Parts>
mlir::LogicalResult refuse(std::optional<mlir::Location> loc, Parts &&...parts) {
  return mlir::emitOptionalError(loc, std::forward<Parts>(parts)...);
}

struct ConvolutionFacts {
  llvm::StringRef op;
  mlir::Value weight; // may be null
  llvm::ArrayRef<int64_t> input, weightShape, stride, padding, dilation;
  int64_t groups = 1;
};
/// The output's shape, or a message about what does not fit.
mlir::FailureOr<llvm::SmallVector<int64_t>> convolutionShape(std::optional<mlir::Location> loc,
                                                             const ConvolutionFacts &facts);

struct PoolFacts {
  llvm::StringRef op;
  llvm::ArrayRef<int64_t> input, kernel, stride, padding;
  bool ceilMode = false;
};
mlir::FailureOr<llvm::SmallVector<int64_t>> poolShape(std::optional<mlir::Location> loc,
                                                      const PoolFacts &facts);

} // namespace sinter::ir
