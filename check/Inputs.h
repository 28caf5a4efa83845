#pragma once

#include "sinter/check/RandomGraph.h"
#include "sinter/codegen/reference/HostTensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sinter::check {

using Values = std::vector<codegen::HostTensor>;

/// What numbers a round of evaluations begins with.
enum class Draw {
  plain,    // spread evenly
  edges,    // few different numbers, zeros of both signs among them: ties and boundaries
  nan,      // as plain, but for one NaN: more of them leave nothing else in any result
  infinity, // as plain, but for one infinity
};
const char *nameOf(Draw draw);

/// Values for every argument of `function`, the same for the same seed. Roles say what an argument is: a
/// parameter is drawn as a layer's initialiser would, state is not negative (second moments are rooted), a
/// scalar is small and positive (rates), a seed is any number. An integer that indexes something stays within
/// it.
Values drawInputs(mlir::func::FuncOp function, uint64_t seed, Draw draw);

/// Puts a NaN or an infinity at one place of one of the floats among `values`, chosen by `seed`; `mayBe` says which
/// of them may have it.
void plantSpecial(Values &values, Draw draw, uint64_t seed, const std::vector<bool> &mayBe);

/// The same for a random graph, within the intervals that it was written for.
Values inputsOf(mlir::MLIRContext *context, const RandomGraph &graph, uint64_t round = 0);

} // namespace sinter::check
