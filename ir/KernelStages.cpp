#include "sinter/ir/KernelKinds.h"

// Which kernels may be stages of one launch.

using namespace mlir;

namespace sinter::ir {

// Element operations of a staged kernel: some microseconds, in which other threads would just wake up.
static constexpr int64_t maxStagedWork = 1 << 16;

// Each op once for each of its elements; a contraction its terms.
static int64_t workOf(const KernelBody &body) {
  int64_t work = 0;
  for (Operation *op : body.ops) {
    if (isa<ConstantOp, ReshapeOp>(op)) continue;
    if (auto fusible = dyn_cast<FusibleOpInterface>(op)) work += fusible.getFlops();
    for (Value result : op->getResults()) work += tensorType(result).getNumElements();
  }
  return work;
}

bool runInOrder(Block &stages) {
  for (Operation &op : stages.without_terminator())
    for (Value operand : op.getOperands()) {
      while (auto reshape = operand.getDefiningOp<ReshapeOp>()) operand = reshape.getX();
      if (isa<FusedOp>(op) && operand.getDefiningOp<FusedOp>()) return true;
    }
  return false;
}

std::optional<RefusedBecause> whyNotStages(ArrayRef<Stage> stages, bool inOrder, int64_t operands,
                                           TargetAttr target) {
  bool isGpu = target && target.getKind() == "cuda";
  if (!target || (isGpu ? inOrder : target.getKind() != "cpu"))
    return RefusedBecause{Refusal::no_such_kind, "stages run on one thread of a CPU"};
  int64_t work = 0;
  for (const Stage &stage : stages) {
    if (isGpu && stage.kind != KernelKind::Contraction)
      return RefusedBecause{Refusal::no_such_kind,
                            "contractions alone run side by side in a launch of a GPU"};
    if (stage.kind == KernelKind::Staged || stage.kind == KernelKind::Scan ||
        stage.kind == KernelKind::Attention || stage.kind == KernelKind::Custom)
      return RefusedBecause{Refusal::is_output_of_other_kind,
                            ("a kernel of kind " + nameOf(stage.kind) + " is no stage").str()};
    work += workOf(stage.body);
  }
  if (stages.empty()) return RefusedBecause{Refusal::not_fusible, "no stages"};
  if (inOrder && work > maxStagedWork)
    return RefusedBecause{Refusal::serial_work, std::to_string(work) +
                                                    " operations on one thread, at most " +
                                                    std::to_string(maxStagedWork)};
  if (operands > maxOperands(KernelKind::Staged, target))
    return RefusedBecause{Refusal::too_many_operands,
                          std::to_string(operands) + " inputs and outputs"};
  return std::nullopt;
}

} // namespace sinter::ir
