#ifndef SINTER_IR_KERNEL
#define SINTER_IR_KERNEL

include "sinter/ir/Schedule.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/CallInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def GradientOp : Op<Sinter_Dialect, "gradient", [Pure, AttrSizedOperandSegments]> {
  let summary = "Gradients of `outputs` with respect to `wrt`, opened by the autodiff pass";
  let description = [{
    Result i is the sum over outputs j of the vector-Jacobian product of cotangent j with d output_j /
    d wrt_i, in wrt_i's type; zeros where there is no path. Without cotangents the single output is a
    scalar and its cotangent is 1.
  }];
  let arguments = (ins Variadic<Sinter_FloatTensor>:$outputs, Variadic<Sinter_FloatTensor>:$wrt,
                       Variadic<Sinter_FloatTensor>:$cotangents);
  let results = (outs Variadic<Sinter_FloatTensor>:$gradients);
  let assemblyFormat = [{
    $outputs `wrt` $wrt (`cotangents` $cotangents^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def ExpectFusedOp : Op<Sinter_Dialect, "expect_fused", [PrecisionOpInterface]> {
  let summary = "Fails the compilation unless one kernel computes all of `values`";
  let description = [{
    Computes nothing: fusion is the same with it as without. The fusion pass takes the op away and checks it
    against its ledger. Aliases (reshapes, barriers) stand for what they show.
  }];
  let arguments = (ins Variadic<Sinter_Tensor>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::sinter::ir::PrecisionPolicy getPrecisionPolicy() { return ::sinter::ir::PrecisionPolicy::Keep; }
  }];
}

def ExpectKernelsOp : Op<Sinter_Dialect, "expect_kernels"> {
  let summary = "Fails the compilation when the function becomes more than `max` kernels";
  let description = [{
    Launches are counted as they run, copies included. Computes nothing; the fusion pass takes the op away.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$max);
  let assemblyFormat = "`max` $max attr-dict";
}

def YieldOp : Op<Sinter_Dialect, "yield", [Pure, Terminator, ReturnLike, ParentOneOf<["FusedOp", "KernelOp", "ScanOp", "CondOp", "WhileOp", "SegmentsOp"]>]> {
  let summary = "Ends a region with its results";
  let arguments = (ins Variadic<Sinter_Tensor>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def FusedOp : Op<Sinter_Dialect, "fused", [Pure, IsolatedFromAbove, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "A group of ordinary ops that one kernel will compute";
  let description = [{
    Isolated: block argument i is operand i. `schedule` names the kind of kernel; KernelKinds.h says
    what a kind accepts, and the verifier enforces it against the module's target. The types of operands
    and results are the region's and need not be said: `sinter.fused(%a) schedule(#sinter.pointwise) { ... }`.
    Where `over` lists shapes, the region is that of a sinter.segments on the operands in order.
  }];
  let arguments = (ins Variadic<Sinter_Tensor>:$inputs, AnyAttr:$schedule);
  let results = (outs Variadic<Sinter_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def SegmentsOp : Op<Sinter_Dialect, "segments", [Pure, IsolatedFromAbove, AttrSizedOperandSegments,
                                                 SingleBlockImplicitTerminator<"YieldOp">,
                                                 ParentOneOf<["FusedOp", "KernelOp"]>]> {
  let summary = "One pointwise body for many parameters of an update";
  let description = [{
    The region is written for the first segment; the others compute the same on shapes of their own. Its
    arguments are the `shared` scalars, which all segments read, and the inputs of one segment; `inputs` and
    `outputs` are those of the segments one after the other. In the region every value is a scalar or has
    the segment's shape, and no element depends on another one: only pointwise ops, broadcasts of scalars
    and splat constants stand there. `over` lists the segments' shapes:
    `sinter.segments(%rate) of (%g0, %p0, %g1, %p1) over [32x3, 32] { ... }`.
  }];
  let arguments = (ins Variadic<Sinter_Tensor>:$shared, Variadic<Sinter_Tensor>:$inputs);
  let results = (outs Variadic<Sinter_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getInputsEach() { return getBody().front().getNumArguments() - getShared().size(); }
    unsigned getOutputsEach() { return getBody().front().getTerminator()->getNumOperands(); }
    unsigned getCount() { return getInputs().size() / getInputsEach(); }
    ::mlir::ValueRange inputsOf(unsigned segment) {
      return getInputs().slice(segment * getInputsEach(), getInputsEach());
    }
    ::mlir::ValueRange outputsOf(unsigned segment) {
      return getOutputs().slice(segment * getOutputsEach(), getOutputsEach());
    }
    ::llvm::ArrayRef<int64_t> shapeOfSegment(unsigned segment) {
      return ::llvm::cast<::mlir::RankedTensorType>(inputsOf(segment).front().getType()).getShape();
    }
    // Clones the region's ops for a segment of `shape`; returns what the region yields.
    ::llvm::SmallVector<::mlir::Value> instantiate(::mlir::OpBuilder &builder, ::llvm::ArrayRef<int64_t> shape,
                                                   ::mlir::ValueRange shared, ::mlir::ValueRange inputs);
  }];
}

def KernelOp : Op<Sinter_Dialect, "kernel", [IsolatedFromAbove, Symbol, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "An outlined fused region, shared by every launch of the same structure";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type, AnyAttr:$schedule);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `schedule` `(` $schedule `)` attr-dict-with-keyword `:` $function_type $body
  }];
  let hasRegionVerifier = 1;
}

def LaunchOp : Op<Sinter_Dialect, "launch", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel on tensors";
  let description = [{
    Launches run in the order of the block. After memory planning result i lies
      - in the storage of function result `home[i]` when that is not -1: the state of the argument that
        is donated to it, else the caller's buffer;
      - else at byte `offset[i]` of the arena.
    Two launches whose bytes meet, one of them writing, may not run at once or change places: reuse
    makes such pairs even where no value flows. `in_place[i]` (when not -1) is the operand in whose
    storage result i thereby lies; a kernel asked to do so loads all that it needs at a point of its
    loops before it stores there (ir/KernelKinds.h: mayShareStorage). Function results that no launch
    writes are donated arguments that keep their value: nothing is to be done for them.
    A kernel whose region only yields its arguments is a copy.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Sinter_Tensor>:$inputs,
                       OptionalAttr<DenseI64ArrayAttr>:$in_place, OptionalAttr<DenseI64ArrayAttr>:$offset,
                       OptionalAttr<DenseI64ArrayAttr>:$home);
  let results = (outs Variadic<Sinter_Tensor>:$outputs);
  let assemblyFormat = "$kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)";
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$outputs, "::mlir::FlatSymbolRefAttr":$kernel,
                                 "::mlir::ValueRange":$inputs),
      [{ build($_builder, $_state, outputs, kernel, inputs, nullptr, nullptr, nullptr); }]>];
}

#endif
