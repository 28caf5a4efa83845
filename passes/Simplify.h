#pragma once

#include "mlir/IR/PatternMatch.h"

namespace sinter::passes {

/// Rewrites of single ops and of neighbours.
void populateSimplifyPatterns(mlir::RewritePatternSet &patterns);

/// Scans: what nobody reads, and what is the same at every step.
void populateScanPatterns(mlir::RewritePatternSet &patterns);

/// Gradients of convolutions with a stride, as gradients without.
void populateConvolutionPatterns(mlir::RewritePatternSet &patterns);

/// Folding of elementwise ops on constants. A result that is not filled with one number has at most
/// `limitBytes` bytes.
void populateConstantFolding(mlir::RewritePatternSet &patterns, int64_t limitBytes);

} // namespace sinter::passes
