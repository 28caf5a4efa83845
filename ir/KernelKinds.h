#pragma once

#include "sinter/ir/Sinter.h"

#include <optional>
#include <string>

/// What each kind of kernel accepts: the one contract between fusion (asks before it groups ops), the
/// verifier of sinter.fused and sinter.kernel (enforces) and code generation (trusts).
namespace sinter::ir {

enum class KernelKind {
  Pointwise,
  Reduction,
  Row,
  Contraction,
  Scatter,
  Update,
  Staged,
  Scan,
  Custom,
  Attention
};

/// Why ops are not one kernel. The names are spelled as in the fusion ledger.
enum class Refusal {
  // What a kernel of the kind cannot hold.
  not_fusible, // no element, reduction, contraction or scatter rule (also: composites, which are opened before)
  different_domain,      // loops over different shapes
  reduction_dims_differ, // reductions over different dimensions or shapes
  second_contraction,    // two contractions
  scatter_boundary,      // reads what the same kernel scatters
  layout_differs,        // outputs in different physical orders
  too_many_operands,     // more parameters than a kernel may have
  register_pressure,     // more ops than a kernel should keep in registers
  serial_work,           // more work than one thread should do alone
  no_such_kind,          // the target has no kernels of this kind
  // What fusion would not do although a kernel could.
  would_create_cycle,         // another kernel lies between
  would_duplicate_heavy_work, // the producer would be computed several times
  multiple_uses,              // the producer is needed elsewhere, in another shape
  is_output_of_other_kind,    // the other side is a kernel that takes no more ops of this kind
  no_profit,                  // the cost model sees no gain
  barrier,                    // a sinter.fusion_barrier stands between
  attention_boundary,         // stands after an attention, or beside it in a kernel of another kind
  over_budget,                // what it reads would be kept longer than the budget allows
};
llvm::StringRef nameOf(Refusal refusal);
/// Every refusal, in the order above; docs/fusion.md has a row for each.
llvm::ArrayRef<Refusal> allRefusals();
struct RefusedBecause {
  Refusal code;
  std::string detail;
};

/// The ops of a kernel in program order and the values it yields. What the ops read from outside are
/// its inputs, in order of first use.
struct KernelBody {
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallVector<mlir::Value> outputs;

  static KernelBody of(mlir::Block &block);
  llvm::SmallVector<mlir::Value> inputs() const;
};

/// The kind that a schedule attribute names; none for an attribute that is no schedule.
std::optional<KernelKind> kindOf(mlir::Attribute schedule);
llvm::StringRef nameOf(KernelKind kind);
/// The schedule of `kind` with its default parameters. Not for Custom.
mlir::Attribute defaultSchedule(KernelKind kind, mlir::MLIRContext *context);
/// Most inputs and outputs together.
int64_t maxOperands(KernelKind kind, TargetAttr target);

/// Why a kernel of `kind` does not accept `body`, or nothing when it does:
///  - pointwise: ops with ElementOpInterface; outputs of one shape, or reshapes of one another;
///  - reduction: reductions of one operand shape over the same dimensions, none after another; element
///    ops before them; after them pointwise ops and reshapes only; outputs have as many elements as the
///    reduced shape;
///  - row: the same, but reductions may follow each other through pointwise ops on the domain or the row
///    shape, broadcasts from rows to the domain and reshapes of rows; outputs of the domain or of a row
///    shape;
///  - contraction: one contraction, or matrix products that are added up (not strict); element ops before; after
///    it pointwise ops and reshapes, which with it are the outputs, each with as many elements as its result. Or,
///    after those, one pooling op whose windows do not overlap (WindowEnd), and pointwise ops and reshapes of its
///    results: then the outputs are of its shape;
///  - scatter: one op of kind Scatter with element ops before it; outputs are its results;
///  - attention: one op of kind Attention with element ops before it; outputs are its results;
///  - update: independent components (no value flows from one to another), each a pointwise kernel, or
///    sinter.segments;
///  - staged: sinter.fused ops of other kinds and reshapes between them. Where one reads another's results,
///    each is done before the next begins, on one thread, and together they are little work (CPU only); else they
///    run side by side: on a GPU, contractions alone;
///  - scan: one op of kind Loop: a sinter.scan, sinter.while or sinter.cond;
///  - custom: anything.
/// Splat constants may stand anywhere. An op "after" another is one that uses its result directly or
/// through others; every other element op is free: it is computed where its value is needed.
std::optional<RefusedBecause> whyNot(const KernelBody &body, KernelKind kind, TargetAttr target);

/// The pooling at the end of a contraction kernel: windows of `rows` x `columns` neighbours of a result
/// [N, C, H, W], none of which overlap, leave it or count padding. Each is a part of one channel's picture.
struct WindowEnd {
  mlir::Operation *op = nullptr;
  int64_t rows = 1, columns = 1, rowStride = 1, columnStride = 1;
};
/// What `op` is as such an end; none when it is something else.
std::optional<WindowEnd> windowEndOf(mlir::Operation *op);

/// A part of a staged kernel.
struct Stage {
  KernelBody body;
  KernelKind kind;
};
/// Why these are not one staged kernel of `operands` inputs and outputs, or nothing when they may be.
/// `inOrder`: one reads what another makes. Whether each body is one of its kind has been asked before.
std::optional<RefusedBecause> whyNotStages(llvm::ArrayRef<Stage> stages, bool inOrder,
                                           int64_t operands, TargetAttr target);
/// Whether one of the fused ops of a staged kernel's region reads what another makes.
bool runInOrder(mlir::Block &stages);

/// The same for a region and the schedule on its op; `why` gets the refusal in words.
mlir::LogicalResult acceptsRegion(mlir::Block &block, mlir::Attribute schedule, TargetAttr target,
                                  std::string *why = nullptr);

/// Groups of ops that exchange no values, each in program order, ordered by their first op; outputs
/// keep their order. Outputs that no op of `body` computes are left out.
llvm::SmallVector<KernelBody> componentsOf(const KernelBody &body);

/// Whether the kernel may write output `output` over input `input` (a value from outside): both have
/// the same type, and everything that reads the input reads it at the very element of the loop that
/// writes the output. Holds for kernels that at each point of their loops load before they store, and
/// for row kernels that write what has the domain's shape in a last pass over the row.
bool mayShareStorage(const KernelBody &body, KernelKind kind, unsigned output, mlir::Value input);

} // namespace sinter::ir
