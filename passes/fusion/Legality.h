#pragma once

#include "sinter/passes/fusion/CostModel.h"
#include "sinter/passes/fusion/Groups.h"

#include <variant>

namespace sinter::passes::fusion {

/// Whether two groups may be one kernel, and of which kind. Kernel kinds are asked first
/// (ir/KernelKinds.h), then the graph (cycles), then what it would compute twice.
class Legality {
public:
  /// With `saveMemory`, a producer that reads more than it hands on stays apart.
  Legality(const Groups &groups, const CostModel &costs, ir::TargetAttr target,
           bool saveMemory = false)
      : groups(groups), costs(costs), target(target), saveMemory(saveMemory) {}

  /// The kind of kernel, or the refusal with its words.
  std::variant<ir::KernelKind, ir::RefusedBecause> check(unsigned a, unsigned b) const;
  /// The kind alone: what planning asks for.
  std::optional<ir::KernelKind> kindOf(unsigned a, unsigned b) const;
  /// The same, with what one kernel saves.
  struct Joined {
    ir::KernelKind kind;
    double cost, gain; // in the unit of CostModel
  };
  std::optional<Joined> join(unsigned a, unsigned b) const;

  bool savesMemory() const { return saveMemory; }
  /// Why one kernel of the two would keep more in memory than two do, where memory is to be saved.
  std::optional<ir::RefusedBecause> keepsMore(unsigned a, unsigned b) const;

  /// What the kernel of a group costs, and the bytes of what it reads and writes.
  double costOf(unsigned group) const { return of(group).cost; }
  int64_t bytesOf(unsigned group) const { return of(group).bytes; }

  /// What `reader` costs more when it computes for itself what it reads of `producer`; nothing where no
  /// kernel can.
  std::optional<double> costOfAbsorbing(unsigned reader, unsigned producer) const;

private:
  using Evaluated = CostModel::Evaluated;
  struct Known { // of a group, as long as it is of this version
    unsigned version = ~0u;
    int64_t bytes = 0;
    double repeated = 0, cost = 0;
  };
  const Known &of(unsigned group) const;
  bool isClosed(unsigned group) const; // takes no more ops
  std::optional<ir::KernelKind> kindOf(unsigned a, unsigned b, const ir::KernelBody &body,
                                       Evaluated &times) const;
  std::optional<ir::RefusedBecause> cycle(unsigned a, unsigned b) const;
  std::optional<ir::RefusedBecause> heavyWork(unsigned a, unsigned b, const ir::KernelBody &body,
                                              ir::KernelKind kind, const Evaluated &times) const;

  const Groups &groups;
  const CostModel &costs;
  ir::TargetAttr target;
  bool saveMemory;
  mutable std::vector<Known> known;
};

} // namespace sinter::passes::fusion
