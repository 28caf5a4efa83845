#pragma once

#include "sinter/passes/fusion/CostModel.h"
#include "sinter/passes/fusion/Groups.h"

#include <variant>

namespace sinter::passes::fusion {

/// Whether two groups may be one kernel, and of which kind. Kernel kinds are asked first
/// (ir/KernelKinds.h), then the graph (cycles), then what it would compute twice.
class Legality {
public:
  Legality(const Groups &groups, const CostModel &costs, ir::TargetAttr target)
      : groups(groups), costs(costs), target(target) {}

  /// The kind of kernel, or the refusal with its words.
  std::variant<ir::KernelKind, ir::RefusedBecause> check(unsigned a, unsigned b) const;
  /// The kind alone: what planning asks for.
  std::optional<ir::KernelKind> kindOf(unsigned a, unsigned b) const;

  /// What `reader` costs more when it computes for itself what it reads of `producer`; nothing where no
  /// kernel can.
  std::optional<double> costOfAbsorbing(unsigned reader, unsigned producer) const;

private:
  std::optional<ir::RefusedBecause> cycle(unsigned a, unsigned b) const;
  std::optional<ir::RefusedBecause> heavyWork(unsigned a, unsigned b, const ir::KernelBody &body,
                                              ir::KernelKind kind) const;

  const Groups &groups;
  const CostModel &costs;
  ir::TargetAttr target;
};

} // namespace sinter::passes::fusion
