#pragma once

#include "sinter/check/Observe.h"

namespace sinter::check {

/// A graph that passes are tried on.
struct Specimen {
  std::string name; // "random graph 17", "swiglu 3", "training step"
  std::string text;
  std::vector<RandomInput> inputs; // their intervals; empty: drawn by role
  uint64_t seed = 0;
};

/// Specimen `index` of a corpus: every third is a pattern that passes look for (a gated layer, a convolution
/// with its normalisation, attention, a layer with its activation, a training step whose state is donated), of
/// random shapes; the others are random graphs. The same index is the same specimen everywhere.
Specimen makeSpecimen(uint64_t index);

/// Two rounds of evenly spread inputs, one with a NaN and one with an infinity, where it can be evaluated.
std::optional<Rounds> roundsOf(mlir::ModuleOp module, const Specimen &specimen,
                               std::string &problem);

/// `copies` of the one function of `module` as one function: side by side, or one after the other where a
/// result fits an argument and nothing is differentiated.
mlir::OwningOpRef<mlir::ModuleOp> repeated(mlir::ModuleOp module, int64_t copies);

} // namespace sinter::check
