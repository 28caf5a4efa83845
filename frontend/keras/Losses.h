#pragma once

#include "sinter/frontend/Loss.h"

/// Losses on probabilities, as Keras defines them: what follows a softmax (or a sigmoid) is computed from its
/// operand, which is exact; other probabilities are brought into [1e-7, 1 - 1e-7].
namespace sinter::keras::losses {

/// Probabilities [N, classes], class indices [N] or [N, 1].
Tensor sparse_categorical_crossentropy(const Tensor &output, const Tensor &target,
                                       LossOptions options = {}, Where where = Where::current());
/// Probabilities and targets [N, classes].
Tensor categorical_crossentropy(const Tensor &output, const Tensor &target,
                                LossOptions options = {}, Where where = Where::current());
/// Probabilities and targets of one shape.
Tensor binary_crossentropy(const Tensor &output, const Tensor &target, LossOptions options = {},
                           Where where = Where::current());

} // namespace sinter::keras::losses
