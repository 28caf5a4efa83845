#include "sinter/ir/KernelKinds.h"

#include "llvm/ADT/TypeSwitch.h"

// Kinds of kernels and refusals by name, and the schedules that stand for kinds.

using namespace mlir;

namespace sinter::ir {

StringRef nameOf(Refusal refusal) {
  switch (refusal) {
  case Refusal::not_fusible:
    return "not_fusible";
  case Refusal::different_domain:
    return "different_domain";
  case Refusal::reduction_dims_differ:
    return "reduction_dims_differ";
  case Refusal::second_contraction:
    return "second_contraction";
  case Refusal::scatter_boundary:
    return "scatter_boundary";
  case Refusal::layout_differs:
    return "layout_differs";
  case Refusal::too_many_operands:
    return "too_many_operands";
  case Refusal::register_pressure:
    return "register_pressure";
  case Refusal::serial_work:
    return "serial_work";
  case Refusal::no_such_kind:
    return "no_such_kind";
  case Refusal::would_create_cycle:
    return "would_create_cycle";
  case Refusal::would_duplicate_heavy_work:
    return "would_duplicate_heavy_work";
  case Refusal::multiple_uses:
    return "multiple_uses";
  case Refusal::is_output_of_other_kind:
    return "is_output_of_other_kind";
  case Refusal::no_profit:
    return "no_profit";
  case Refusal::barrier:
    return "barrier";
  case Refusal::attention_boundary:
    return "attention_boundary";
  case Refusal::over_budget:
    return "over_budget";
  }
  llvm_unreachable("a refusal without a name");
}

ArrayRef<Refusal> allRefusals() {
  static const SmallVector<Refusal> all = [] {
    SmallVector<Refusal> made;
    for (int code = 0; code <= int(Refusal::over_budget); ++code) made.push_back(Refusal(code));
    return made;
  }();
  return all;
}

StringRef nameOf(KernelKind kind) {
  switch (kind) {
  case KernelKind::Pointwise:
    return "pointwise";
  case KernelKind::Reduction:
    return "reduction";
  case KernelKind::Row:
    return "row";
  case KernelKind::Contraction:
    return "contraction";
  case KernelKind::Scatter:
    return "scatter";
  case KernelKind::Update:
    return "update";
  case KernelKind::Staged:
    return "staged";
  case KernelKind::Scan:
    return "scan";
  case KernelKind::Attention:
    return "attention";
  case KernelKind::Custom:
    return "custom";
  }
  llvm_unreachable("a kind without a name");
}

std::optional<KernelKind> kindOf(Attribute schedule) {
  return TypeSwitch<Attribute, std::optional<KernelKind>>(schedule)
      .Case([](PointwiseScheduleAttr) { return KernelKind::Pointwise; })
      .Case([](ReductionScheduleAttr) { return KernelKind::Reduction; })
      .Case([](RowScheduleAttr) { return KernelKind::Row; })
      .Case([](ContractionScheduleAttr) { return KernelKind::Contraction; })
      .Case([](ScatterScheduleAttr) { return KernelKind::Scatter; })
      .Case([](UpdateScheduleAttr) { return KernelKind::Update; })
      .Case([](StagedScheduleAttr) { return KernelKind::Staged; })
      .Case([](ScanScheduleAttr) { return KernelKind::Scan; })
      .Case([](AttentionScheduleAttr) { return KernelKind::Attention; })
      .Case([](CustomScheduleAttr) { return KernelKind::Custom; })
      .Default([](Attribute) { return std::nullopt; });
}

Attribute defaultSchedule(KernelKind kind, MLIRContext *context) {
  switch (kind) {
  case KernelKind::Pointwise:
    return PointwiseScheduleAttr::get(context, 1, 256);
  case KernelKind::Reduction:
    return ReductionScheduleAttr::get(context, 1, 256);
  case KernelKind::Row:
    return RowScheduleAttr::get(context, 1, 256);
  case KernelKind::Contraction:
    return ContractionScheduleAttr::get(context, 64, 64, 16, 1, 256, 0);
  case KernelKind::Scatter:
    return ScatterScheduleAttr::get(context, 1, 256);
  case KernelKind::Update:
    return UpdateScheduleAttr::get(context, 1, 256);
  case KernelKind::Staged:
    return StagedScheduleAttr::get(context);
  case KernelKind::Scan:
    return ScanScheduleAttr::get(context);
  case KernelKind::Attention:
    return AttentionScheduleAttr::get(context);
  case KernelKind::Custom:
    break;
  }
  llvm_unreachable("a custom schedule needs a name");
}

} // namespace sinter::ir
