#ifndef SINTER_PASSES
#define SINTER_PASSES

include "mlir/Pass/PassBase.td"

// Each description states the contract: what the pass requires, what it guarantees, before and after,
// what it refuses. The order of passes is in Pipeline.cpp.

def MixedPrecision : Pass<"sinter-mixed-precision", "::mlir::func::FuncOp"> {
  let summary = "Runs the f32 parts of a graph in bf16 or f16 where the policy allows";
  let description = [{
    Requires: a traced function, before autodiff, so that gradients follow the types of the forward
    graph. Guarantees: arguments and results keep their types (parameters stay f32 masters); each op
    runs where PrecisionOpInterface says:
      low     f32 operands are cast down, one cast per value however many use it;
      full    lowered operands are cast back to f32;
      widest  low where every f32 operand has been lowered, f32 elsewhere. A constant filled with one
              number is a literal: it adopts the type of what it meets and never widens it. So does
              a layer's bias, a stretched rank-1 parameter beside the result of a low op;
      keep    the result follows the operands.
    f64, integers and what the user cast to a narrow type are untouched; the outputs and cotangents of
    sinter.gradient are f32. An op with the attribute `sinter.precision` ("f32", "bf16" or "f16") runs as
    if that had been the pass's type; values are cast on their way into and out of such a scope, and the
    attribute is gone afterwards: gradients follow the types that it left. `type=f32` obeys scopes
    alone. With `explain` each op gets its reason as `sinter.precision_reason`. Before, `type=bf16`:
      %y = sinter.matmul %x, %w : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    after:
      %0 = sinter.cast %x ... -> tensor<2x3xbf16>
      %1 = sinter.cast %w ... -> tensor<3x4xbf16>
      %y = sinter.matmul %0, %1 : ... -> tensor<2x4xbf16>
    Refuses: a type other than f32, bf16 and f16, of the pass or of a scope; a gradient behind ops in f16
    without cotangents (small gradients would become zero: the loss needs a scale).
  }];
  let options = [
    Option<"type", "type", "std::string", "\"bf16\"", "f32 (scopes alone), bf16 or f16">,
    Option<"explain", "explain", "bool", "false", "Leave the reason for its type on each op">,
  ];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def Autodiff : Pass<"sinter-autodiff", "::mlir::func::FuncOp"> {
  let summary = "Opens sinter.gradient into the ops that compute it";
  let description = [{
    Requires: traced functions, before fusion. Guarantees: no sinter.gradient is left; its results are
    computed by one reverse walk over the ops on a path from wrt to the outputs, each asked for its
    vector-Jacobian product (DifferentiableOpInterface). Nothing else is differentiated: no gradient
    of an input that is not in wrt. Several uses are added up in reverse program order; a wrt without
    a path gets zeros. Gradients of gradients are opened in program order. A composite op without a
    gradient of its own is decomposed first. An ordinary op without a gradient (floor, sign,
    comparisons, stop_gradient, random numbers) is a constant. New ops are located at
    "gradient"(the op they differentiate) and bear its `sinter.precision_reason`. Before:
      %l = sinter.sum %x ...; %g = sinter.gradient %l wrt %x
    after:
      %g = sinter.broadcast %one : (tensor<f32>) -> tensor<4xf32>
    Refuses: a path through an op that is none of these (a fused region, a launch, a call).
  }];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def Simplify : Pass<"sinter-simplify", "::mlir::func::FuncOp"> {
  let summary = "Canonicalises, folds constants within a bound, merges equal ops, drops dead ones";
  let description = [{
    Requires: nothing. Guarantees: the function computes the same values; identities are exact (they
    hold for NaN, infinities and signed zeros) but for these, which round less than what they replace:
    a sum over broadcast dimensions becomes a product, pow by a literal 2 or 3 becomes products (as
    PyTorch). A constant made by folding has at most `fold-limit` bytes, unless it is filled with one
    number. Equal ops are merged; the first one's location stays.
  }];
  let options = [Option<"foldLimit", "fold-limit", "int64_t", "65536",
                        "Largest constant that folding may make, in bytes">];
  let dependentDialects = ["::sinter::ir::SinterDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def Decompose : Pass<"sinter-decompose", "::mlir::func::FuncOp"> {
  let summary = "Opens composite ops that no single kernel claims";
  let description = [{
    Requires: after autodiff, whose rules want composites whole. Guarantees: a composite op that is
    left is one row kernel: all its reductions fold the same neighbouring dimensions of one shape and
    leave more than one row (softmax, layer_norm, cross_entropy without a mean). The others (losses
    that are reduced, batch_norm, layer_norm_grad) are opened into elementwise ops, reductions and
    views, so that fusion can divide them among kernels. With `all` every composite is opened.
    Scatters of bf16 and f16 are made in f32 and rounded once: memory is their accumulator.
  }];
  let options = [Option<"all", "all", "bool", "false", "Open every composite op">];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def Layout : Pass<"sinter-layout", "::mlir::func::FuncOp"> {
  let summary = "Gives operands the physical order that their op asks for";
  let description = [{
    Requires: after autodiff (gradients know logical axes only), before fusion. An op asks by the
    discardable attribute `sinter.operand_layouts`: one #sinter.layout or unit (row-major) per
    operand. Guarantees: each such operand is a sinter.relayout to that layout, one per value and
    layout however many ask; results stay row-major; relayouts that undo one another are gone; the
    attribute is gone. Logical shapes and values do not change. Where no op asks, nothing changes and a
    remark says so. Refuses, with a remark that names the op: a layout of another rank than the
    operand, a request that does not list every operand, a layout that is row-major anyway.
  }];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def RetypeF64 : Pass<"sinter-retype-f64", "::mlir::func::FuncOp"> {
  let summary = "Retypes every float of a function to f64, for checks of gradients";
  let description = [{
    Requires: a function before fusion. Guarantees: arguments, results, constants and ops are f64
    wherever they were floating point; constants keep their value exactly; integers are untouched.
    Refuses: fused regions and launches.
  }];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def CheckLocations : Pass<"sinter-check-locations"> {
  let summary = "Fails where an op has lost its source location";
  let description = [{
    Requires: nothing. Guarantees: every op but constants (which several users may share) has a
    location that names a file and line or a module path. Changes nothing; an op without is an error
    that names the op.
  }];
}

def OutlineControl : Pass<"sinter-outline-control", "::mlir::ModuleOp"> {
  let summary = "Makes each region of scans, loops and branches a private function, which is fused and planned like any other";
  let description = [{
    Requires: primitive ops, before fusion. Guarantees: every sinter.scan and sinter.while of a function names in
    `step` a private function with the region's ops, every sinter.cond two in `branches`: state arguments have the
    role `state` and are donated to the results that replace them, slices and captures are inputs. The ops keep their
    regions, by which they are evaluated.
  }];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def Fusion : Pass<"sinter-fusion", "::mlir::ModuleOp"> {
  let summary = "Puts every op that computes inside a sinter.fused, one for each future kernel";
  let description = [{
    Requires: no sinter.gradient, functions of one block. Guarantees: every op that computes is inside a
    `sinter.fused` whose schedule's kind accepts it (ir/KernelKinds.h); outside are only reshapes
    (aliases, never a copy), constants that are not splats, and the terminator. Results and their
    rounding are unchanged. Composite ops are opened first, and views that several ops read are
    computed by each reader.

    Before: %1 = sinter.exp %0 ; %2 = sinter.neg %1 ; return %2
    After:  %1 = sinter.fused(%0) schedule(#sinter.pointwise) { ^(%x): exp, neg, yield } ; return %1

    Order of decisions: donated pointwise results become one `update` kernel; pointwise ends join their
    contraction; then edges and ops with a common operand by gain (bytes and launches saved); then
    small reductions of one shape, and arithmetic on single elements beside them; last, casts of arguments
    that no reader took in share one launch. Refusals are named in ir/KernelKinds.h (enum Refusal) and
    explained in docs/fusion.md; with `ledger` every edge and its fate stand in the function's attribute
    sinter.ledger (passes/fusion/LedgerAttribute.h), and where remarks are on (--remarks-filter, category
    sinter-fusion) each is one.

    With `numerics=strict` the module gets the attribute sinter.numerics = "strict" (ir/Numerics.h): code
    generation then makes kernels whose results are the same bits however ops were grouped. Another word
    than default and strict is refused.

    With a `budget` that the kernels would not do with, a producer that reads more than it hands on stays a
    kernel of its own (over_budget) where less is then in use at once: what it reads need not be kept until
    its consumer runs.

    sinter.fusion_barrier and the sinter.expect_* ops are gone afterwards. An expect_fused that was not
    fulfilled is an error at its place, with the ledger's reason; expect_kernels waits, in an attribute, for
    sinter-check-expectations.
  }];
  let options = [
    Option<"ledger", "ledger", "bool", "false", "Record every edge in the attribute sinter.ledger">,
    Option<"singletons", "singletons", "bool", "false", "Fuse nothing: one kernel for each op">,
    Option<"numerics", "numerics", "std::string", "\"default\"",
           "default, or strict: kernels give the same bits whatever is fused">,
    Option<"budget", "budget", "int64_t", "0",
           "Bytes of working memory that a function should do with; 0: any">,
  ];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def CheckExpectations : Pass<"sinter-check-expectations", "::mlir::ModuleOp"> {
  let summary = "Compares the number of launches with what the model's writer expects";
  let description = [{
    Requires: what sinter-outline guarantees; after sinter-plan-memory, which may add copies. Guarantees:
    functions have no more launches than their sinter.expect_kernels allowed (sinter-fusion left them in the
    attribute sinter.expected_kernels, which goes). Refuses: a function with more, at the expectation's place,
    with the boundaries that cost most.
  }];
}

def Outline : Pass<"sinter-outline", "::mlir::ModuleOp"> {
  let summary = "Turns sinter.fused into sinter.kernel and sinter.launch";
  let description = [{
    Requires: what sinter-fusion guarantees. Guarantees: functions hold only sinter.launch,
    sinter.reshape, sinter.constant and the terminator; a kernel stands behind the functions, once for
    each structure (regions that differ in locations alone share one). Kernels are named after their
    ops, as sinter-fusion named them: @conv2d_add_relu_0. Names in a ledger follow.
  }];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def Rematerialize : Pass<"sinter-rematerialize", "::mlir::ModuleOp"> {
  let summary = "Makes every function fit into a budget of working memory";
  let description = [{
    Requires: what sinter-outline guarantees. Guarantees: sinter-plan-memory with the same `budget` finds each
    function a plan of at most `budget` bytes of arena; every result is bitwise what it was. Without a
    budget (0), and where a function fits as it is, nothing changes. Else, as far as each is needed:

    1. Fusions that raise the need are undone, as far as sinter-fusion has not refused them: parts of a kernel that exchange no values (the updates of
       several parameters, reductions or stages side by side) are launched on their own, each as soon as
       what it reads is there; neighbours stay together.
    2. Launches are run again, marked `sinter.recomputed`, just before what reads their results, which need
       not be kept until then. Chosen one by one: what takes most off the need above the budget for its
       cost, with the launches that it reads from run again as well or their results kept longer. Random
       numbers are the same again: they are made from the seed and their place.

    Before: %1 = launch @f(%0); ...; launch @g(%1) ; ...; launch @h(%1)
    After:  %1 = launch @f(%0); ...; launch @g(%1) ; ...; %2 = launch @f(%0) {sinter.recomputed}; launch @h(%2)

    Refuses, with an error at the user's line: a function that does not fit even so; the largest values at
    the moment that needs most are named, with their lines. Never run again: a launch that reads state
    which has been overwritten by then.
  }];
  let options = [Option<"budget", "budget", "int64_t", "0", "Bytes that the arena of a function may have; 0: any">];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def PlanMemory : Pass<"sinter-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Orders the launches and gives every value its bytes";
  let description = [{
    Requires: what sinter-outline guarantees. Guarantees: every launch carries `in_place`, `offset` and
    `home` as described at sinter.launch; functions carry sinter.arena_bytes and
    sinter.lower_bound_bytes (most bytes live at once in this order: no plan is smaller); the plan has
    passed sinter-check-plan. Results that no launch can write in place (a value returned twice, an
    argument returned as it is, state whose old value is still wanted) get a launch that copies.

    In place first: a result takes the storage of an operand that dies with it, where the kernel allows;
    state is updated where it lies. Then offsets, 64-byte aligned: the best of several greedy orders,
    then a bounded search, until within 0.1 % of the bound.

    Before: %1 = sinter.launch @exp_0(%0)
    After:  %1 = sinter.launch @exp_0(%0) {home = [0], in_place = [-1], offset = [-1]}

    Refuses: a plan of more than `budget` bytes (0: any); sinter-rematerialize is what keeps to one.
  }];
  let options = [Option<"budget", "budget", "int64_t", "0", "Bytes that the arena of a function may have; 0: any">];
  let dependentDialects = ["::sinter::ir::SinterDialect"];
}

def CheckPlan : Pass<"sinter-check-plan", "::mlir::ModuleOp"> {
  let summary = "Proves a memory plan by playing it";
  let description = [{
    Requires: what sinter-plan-memory guarantees. Changes nothing. An error at the first launch that
    reads bytes which no longer hold what it means, or writes where it reads something else; at the
    return where a result is not in its place.
  }];
}

#endif
