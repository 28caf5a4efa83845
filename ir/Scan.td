#ifndef SINTER_IR_SCAN
#define SINTER_IR_SCAN

include "sinter/ir/Base.td"
include "mlir/IR/SymbolInterfaces.td"

def ScanOp : Op<Sinter_Dialect, "scan", [Pure, FusibleOpInterface, AttrSizedOperandSegments, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"YieldOp">,
    DeclareOpInterfaceMethods<DifferentiableOpInterface, ["prepareVjp"]>]> {
  let summary = "A recurrence: `count` steps of one region, each from the state that the one before left";
  let description = [{
    The region's arguments are the state, one slice of each of `xs` along its first dimension, and `captures`,
    which are the same at every step. It yields the next state and this step's outputs. Results are the last
    state and the outputs stacked along a new first dimension. With `reverse` the steps go from the last slice
    to the first, and outputs lie where their slice does. Random numbers drawn inside are those of one step.

    The last `saved` of the outputs are kept for the gradient: the state before each step, then the results of
    the contractions. `step`, set before fusion, names the private function that the region became: what is launched.
  }];
  let arguments = (ins Variadic<Sinter_Tensor>:$init, Variadic<Sinter_Tensor>:$xs, Variadic<Sinter_Tensor>:$captures,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$count, DefaultValuedAttr<BoolAttr, "false">:$reverse,
                       DefaultValuedAttr<I64Attr, "0">:$saved,
                       OptionalAttr<FlatSymbolRefAttr>:$step);
  let results = (outs Variadic<Sinter_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `init` `(` $init `)` `xs` `(` $xs `)` `captures` `(` $captures `)` attr-dict-with-keyword `:`
    functional-type(operands, results) $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::sinter::ir::FusionKind getFusionKind() { return ::sinter::ir::FusionKind::Loop; }
    int64_t getFlops();
    /// The last state, and the outputs of all steps.
    ::mlir::ValueRange getLast() { return getOutputs().take_front(getInit().size()); }
    ::mlir::ValueRange getStacked() { return getOutputs().drop_front(getInit().size()); }
    /// The region's arguments, by what they stand for.
    ::mlir::ValueRange getStateArguments() { return ::mlir::ValueRange(getBody().getArguments()).take_front(getInit().size()); }
    ::mlir::ValueRange getSliceArguments() {
      return ::mlir::ValueRange(getBody().getArguments()).slice(getInit().size(), getXs().size());
    }
    ::mlir::ValueRange getCaptureArguments() {
      return ::mlir::ValueRange(getBody().getArguments()).take_back(getCaptures().size());
    }
  }];
}

#endif
