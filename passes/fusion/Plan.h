#pragma once

#include "sinter/passes/fusion/Legality.h"

namespace sinter::passes::fusion {

/// Decides which ops of the groups' function become one kernel; changes no IR. In this order: the
/// optimiser update (pointwise results that are donated to state), pointwise ends of contractions,
/// every other edge and pair of readers by gain, small kernels of one shape.
void plan(Groups &groups, const CostModel &costs, const Legality &legality);
/// Then, kernels of so little work that one thread does them at once become stages of one kernel.
void planStages(Groups &groups, const CostModel &costs, const Legality &legality);

/// Why two groups that stayed apart did: the legality's refusal, or no_profit.
ir::RefusedBecause whyApart(const Legality &legality, unsigned producer, unsigned consumer);

} // namespace sinter::passes::fusion
