#ifndef SINTER_IR_BASE
#define SINTER_IR_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "sinter/ir/Interfaces.td"

def Sinter_Dialect : Dialect {
  let name = "sinter";
  let cppNamespace = "::sinter::ir";
  let summary = "Dataflow graphs of deep-learning models";
  let description = [{
    Ops on ranked, static tensors with PyTorch's names, attributes and semantics. Logical shapes never
    change; physical order is an encoding on the tensor type. Function arguments carry
    `sinter.role` ("input", "parameter", "state", "scalar", "seed"), `sinter.name` and, where a result
    replaces the argument's storage, `sinter.donated` (the number of that result).
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = "void registerOps();";
}

// Element types: f32, f64, bf16, f16, i32, i64, i1, ui8.
def Sinter_Float : AnyTypeOf<[F32, F64, BF16, F16]>;
def Sinter_Int : AnyTypeOf<[I32, I64, UI8]>;
def Sinter_Element : AnyTypeOf<[F32, F64, BF16, F16, I32, I64, I1, UI8]>;
def Sinter_Tensor : StaticShapeTensorOf<[Sinter_Element]>;
def Sinter_FloatTensor : StaticShapeTensorOf<[F32, F64, BF16, F16]>;
def Sinter_NumberTensor : StaticShapeTensorOf<[F32, F64, BF16, F16, I32, I64, UI8]>;
def Sinter_IndexTensor : StaticShapeTensorOf<[I32, I64, UI8]>;
def Sinter_BoolTensor : StaticShapeTensorOf<[I1]>;
def Sinter_ScalarI64 : StaticShapeTensorOf<[I64]>; // rank 0, checked by the ops

// An op, its place in fusion (FusionKind) and in mixed precision (PrecisionPolicy).
class Sinter_Op<string mnemonic, string kind, string policy, list<Trait> traits = []>
    : Op<Sinter_Dialect, mnemonic, !listconcat([FusibleOpInterface, PrecisionOpInterface], traits)> {
  code moreDeclarations = "";
  let extraClassDeclaration = [{
    ::sinter::ir::FusionKind getFusionKind() { return ::sinter::ir::FusionKind::}] # kind # [{; }
    ::sinter::ir::PrecisionPolicy getPrecisionPolicy() { return ::sinter::ir::PrecisionPolicy::}] # policy # [{; }
  }] # moreDeclarations;
}

// Interface shorthands.
def Scalar : DeclareOpInterfaceMethods<ScalarOpInterface>;
def Vjp : DeclareOpInterfaceMethods<DifferentiableOpInterface>;
def Element : DeclareOpInterfaceMethods<ElementOpInterface>;
def ElementNoVector : DeclareOpInterfaceMethods<ElementOpInterface, ["isVectorizable"]>;
def Decompose : DeclareOpInterfaceMethods<DecomposableOpInterface>;
def Reduction : DeclareOpInterfaceMethods<ReductionOpInterface>;
def Contraction : DeclareOpInterfaceMethods<ContractionOpInterface>;
def Infer : DeclareOpInterfaceMethods<InferTypeOpInterface>;

#endif
