#pragma once

#include "sinter/frontend/Init.h"
#include "sinter/frontend/Types.h"
#include "sinter/runtime/Program.h"

#include <memory>
#include <string>

namespace sinter::detail {

class Trace;

/// What outlives a step: a parameter, running statistics, a moment, a rate, the step, the seed.
/// Its identity is its address; its name is its place in checkpoints.
struct Variable {
  std::string name;
  TensorSpec spec;
  runtime::StateRole role = runtime::StateRole::parameter;
  init::Init init; // resolved
  bool trainable = true;
  Where where;
};
using VariablePtr = std::shared_ptr<Variable>;

/// Behind a Tensor: a variable, or a value of a trace.
struct TensorImpl {
  TensorSpec spec;
  VariablePtr variable;
  std::shared_ptr<Trace> trace;
  const void *value = nullptr; // mlir::Value, opaque
};

/// Names of the variables that every trace may ask for.
inline constexpr const char *stepName = "step", *seedName = "seed";
/// Those of a step that scales its loss.
inline constexpr const char *lossScaleName = "loss_scale",
                            *growthTrackerName = "loss_scale.growth_tracker";
/// Those of a step that is made of several passes, of a clipped gradient, of a schedule with momentum and of
/// averages.
inline constexpr const char *gradientSamplesName = "gradient.samples",
                            *gradientPassesName = "gradient.passes",
                            *gradientNormName = "gradient.norm",
                            *momentumName = "optimizer.momentum",
                            *averageShareName = "average.share";
/// Of the average of a parameter, after its name.
inline constexpr const char *averageSuffix = ".average";

} // namespace sinter::detail
