#ifndef SINTER_IR_INTERFACES
#define SINTER_IR_INTERFACES

include "mlir/IR/OpBase.td"

// Facts about an op live on the op. Passes and code generation ask these interfaces and never "is
// this op X".

def ScalarOpInterface : OpInterface<"ScalarOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    An elementwise op: element i of the result depends on element i of each operand. It states its
    scalar body once, in `arith` and `math`; CPU, CUDA and vector code all take it from here.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the body on operands of compute type (`computeType`: f32 for bf16 and f16, i32 for ui8,
      otherwise the element type itself), scalars or vectors alike; returns a value of the compute
      type of the result.
    }], "::mlir::Value", "buildScalar",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::ValueRange":$operands)>
  ];
}

def ElementOpInterface : OpInterface<"ElementOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    An op whose result elements can be computed one by one from elements of its operands: elementwise
    ops, views, gathers, random numbers, windows. What fuses into a kernel without memory of its own.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds element `indices` of result `result`, in compute type. Asks `b` for operand elements.
    }], "::mlir::Value", "buildElement",
    (ins "::sinter::ir::ElementBuilder &":$b, "unsigned":$result, "::mlir::ValueRange":$indices)>,
    InterfaceMethod<[{
      True when buildElement only maps indices by `b.apply`, reads data by `b.element` and computes
      with ops that work on vectors, so that `indices` may stand for a run of neighbours.
    }], "bool", "isVectorizable", (ins), "", [{ return true; }]>,
  ];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    An op with a vector-Jacobian product. An op without this interface has no gradient: what flows
    through it is a constant to autodiff.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds, at the builder's insertion point, the gradients of the operands that `vjp.needs`, from
      the cotangents of the results (null: zero).
    }], "void", "buildVjp", (ins "::sinter::ir::Vjp &":$vjp)>,
    InterfaceMethod<[{
      Replaces the op, when it has to, by one that keeps what buildVjp will want; true when the op is gone.
    }], "bool", "prepareVjp", (ins), "", [{ return false; }]>,
  ];
}

def DecomposableOpInterface : OpInterface<"DecomposableOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    A composite op (softmax, layer_norm, a loss, ...) that stays whole for patterns and gradients and
    can be opened into elementwise ops, reductions, views and contractions.
  }];
  let methods = [
    InterfaceMethod<"Builds the replacement values of the results, in order.",
      "::llvm::SmallVector<::mlir::Value>", "decompose", (ins "::mlir::OpBuilder &":$builder)>,
    InterfaceMethod<"Whether the target has a kernel for the op as it is, which is then not opened.",
      "bool", "hasKernel", (ins "::sinter::ir::TargetAttr":$target), "", [{ return false; }]>
  ];
}

def ReductionOpInterface : OpInterface<"ReductionOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    An op that folds some dimensions of operand 0 away with an associative combination. The
    accumulator may have several components (argmax: value and index).
  }];
  let methods = [
    InterfaceMethod<"The reduced dimensions of operand 0, ascending.",
      "::llvm::SmallVector<int64_t>", "getReducedDims", (ins)>,
    InterfaceMethod<"Whether reduced dimensions stay in the result with size 1.",
      "bool", "getKeepsDims", (ins)>,
    InterfaceMethod<[{
      The accumulator's initial components. `like` is the compute type of an element or a vector of it
      (every component has its shape).
    }], "::llvm::SmallVector<::mlir::Value>", "buildInit",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::Type":$like)>,
    InterfaceMethod<[{
      Lifts an element (compute type; at linear position `position`, an i64 or vector of i64, within the
      reduced dimensions) into an accumulator.
    }], "::llvm::SmallVector<::mlir::Value>", "buildLift",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::Value":$element,
           "::mlir::Value":$position)>,
    InterfaceMethod<"Combines two accumulators; associative and commutative up to rounding.",
      "::llvm::SmallVector<::mlir::Value>", "buildCombine",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::ValueRange":$a,
           "::mlir::ValueRange":$b)>,
    InterfaceMethod<[{
      Turns the final accumulator over `count` elements into the result's compute type (mean divides).
    }], "::mlir::Value", "buildFinish",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc, "::mlir::ValueRange":$accumulator,
           "int64_t":$count)>,
  ];
}

def ContractionOpInterface : OpInterface<"ContractionOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    result(batch, m, n) = sum over k of lhs(batch, m, k) * rhs(batch, k, n), where each of batch, m, n
    and k is a group of loops. Matmul, convolution and both of its gradients are of this form: the
    operands are virtual matrices whose elements are found by index arithmetic (im2col) or are zero
    (padding).
  }];
  let methods = [
    InterfaceMethod<"Extents of the four groups of loops, outermost first.",
      "::sinter::ir::ContractionDims", "getContractionDims", (ins)>,
    InterfaceMethod<"Operand number of the left (0) or right (1) virtual matrix.",
      "unsigned", "getSideOperand", (ins "unsigned":$side)>,
    InterfaceMethod<[{
      Where element (batch, mn, k) of side `side` lies in its operand. `mn` is the m group for side 0,
      the n group for side 1. The result's `inBounds` is null when it always exists; otherwise the
      element is zero where it is false (and `indices` may then be out of range).
    }], "::sinter::ir::ElementAddress", "getSideAddress",
      (ins "::sinter::ir::ElementBuilder &":$b, "unsigned":$side, "::mlir::ValueRange":$batch,
           "::mlir::ValueRange":$mn, "::mlir::ValueRange":$k)>,
    InterfaceMethod<"Indices of the result for loop point (batch, m, n).",
      "::llvm::SmallVector<::mlir::Value>", "getResultIndices",
      (ins "::sinter::ir::ElementBuilder &":$b, "::mlir::ValueRange":$batch, "::mlir::ValueRange":$m,
           "::mlir::ValueRange":$n)>,
  ];
}

def FusibleOpInterface : OpInterface<"FusibleOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{ What fusion may do with an op, and how its loops touch its operands. }];
  let methods = [
    InterfaceMethod<"The kind of loop nest the op is.", "::sinter::ir::FusionKind", "getFusionKind", (ins)>,
    InterfaceMethod<[{
      One affine map per operand then per result, from the op's iteration space (for pointwise and
      views: the result's dimensions; for reductions: operand 0's) to the tensor's dimensions. Empty
      when the access is not affine.
    }], "::llvm::SmallVector<::mlir::AffineMap>", "getIndexingMaps", (ins), "", [{ return {}; }]>,
    InterfaceMethod<"Floating point operations of the whole op, for cost models.",
      "int64_t", "getFlops", (ins), "", [{ return ::sinter::ir::defaultFlops($_op); }]>,
  ];
}

def PrecisionOpInterface : OpInterface<"PrecisionOpInterface"> {
  let cppNamespace = "::sinter::ir";
  let description = [{
    The op's place in the mixed-precision policy of docs/semantics: runs in low precision, runs in
    f32, or follows its widest input.
  }];
  let methods = [
    InterfaceMethod<"", "::sinter::ir::PrecisionPolicy", "getPrecisionPolicy", (ins)>
  ];
}

#endif
