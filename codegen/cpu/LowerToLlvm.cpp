#include "sinter/codegen/cpu/LowerToLlvm.h"
#include "sinter/codegen/LowerKernel.h"
#include "sinter/codegen/cpu/EmulateTiles.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/AMX/Transforms.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <numeric>

using namespace mlir;

namespace sinter::codegen::cpu {

Isa Isa::of(StringRef name) {
  bool emulates = name == "amx-emulated";
  bool tiles = name == "amx" || name == "avx512_bf16";
  bool wide = tiles || emulates || name == "avx512" || name == "avx2";
  return {name.str(), wide, wide, tiles, emulates};
}

void prepareContext(MLIRContext &context) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context
      .loadDialect<amx::AMXDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                   LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                   ub::UBDialect, vector::VectorDialect>();
}

namespace {

/// Without the instruction, a fused multiply-add would be a call.
struct SplitFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FmaOp op, PatternRewriter &rewriter) const override {
    Value product = arith::MulFOp::create(rewriter, op.getLoc(), op.getA(), op.getB());
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

/// bf16 to f32: the same bits, sixteen places up.
struct ExtendBf16 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    Type from = op.getIn().getType();
    if (!getElementTypeOrSelf(from).isBF16() || !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not from bf16 to f32");
    Location loc = op.getLoc();
    auto typed = [&](Type element) -> Type {
      if (auto vector = dyn_cast<VectorType>(from)) return vector.cloneWith(std::nullopt, element);
      return element;
    };
    Type i32 = typed(rewriter.getI32Type());
    Value bits = arith::BitcastOp::create(rewriter, loc, typed(rewriter.getI16Type()), op.getIn());
    Value wide = arith::ExtUIOp::create(rewriter, loc, i32, bits);
    TypedAttr sixteen = rewriter.getI32IntegerAttr(16);
    if (auto vector = dyn_cast<VectorType>(i32))
      sixteen = DenseElementsAttr::get(vector, Attribute(sixteen));
    Value shift = arith::ConstantOp::create(rewriter, loc, sixteen);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(
        op, op.getType(), arith::ShLIOp::create(rewriter, loc, wide, shift));
    return success();
  }
};

/// f32 to bf16 by the instruction for it, which makes zeros of subnormal numbers.
struct TruncateBf16OnTiles : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    constexpr int64_t lanes = 16;
    auto from = dyn_cast<VectorType>(op.getIn().getType());
    if (!from || !getElementTypeOrSelf(op.getType()).isBF16() || !from.getElementType().isF32() ||
        from.getNumElements() % lanes || from.getNumElements() > 2 * lanes ||
        !op->getParentOfType<func::FuncOp>()->hasAttr(tilesAttr))
      return rewriter.notifyMatchFailure(op, "not from vectors of f32 to bf16 beside tiles");
    Location loc = op.getLoc();
    bool two = from.getNumElements() > lanes;
    SmallVector<Value> parts{op.getIn()};
    if (two) {
      auto part = [&](int64_t first) -> Value {
        SmallVector<int64_t> chosen(lanes);
        std::iota(chosen.begin(), chosen.end(), first);
        return vector::ShuffleOp::create(rewriter, loc, op.getIn(), op.getIn(), chosen);
      };
      parts = {part(lanes), part(0)}; // the upper half is the first operand
    }
    StringRef name =
        two ? "llvm.x86.avx512bf16.cvtne2ps2bf16.512" : "llvm.x86.avx512bf16.cvtneps2bf16.512";
    Value rounded = LLVM::CallIntrinsicOp::create(rewriter, loc, op.getType(),
                                                  rewriter.getStringAttr(name), parts)
                        .getResult(0);
    Type bits = from.cloneWith(std::nullopt, rewriter.getI16Type());
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(
        op, op.getType(), LLVM::BitcastOp::create(rewriter, loc, bits, rounded));
    return success();
  }
};

/// f32 to bf16, to nearest even; NaN keeps its sign and becomes quiet.
struct TruncateBf16 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type from = op.getIn().getType();
    if (!getElementTypeOrSelf(op.getType()).isBF16() || !getElementTypeOrSelf(from).isF32())
      return rewriter.notifyMatchFailure(op, "not from f32 to bf16");
    Location loc = op.getLoc();
    auto typed = [&](Type element) -> Type {
      if (auto vector = dyn_cast<VectorType>(from)) return vector.cloneWith(std::nullopt, element);
      return element;
    };
    Type i32 = typed(rewriter.getI32Type());
    auto number = [&](int32_t value) -> Value {
      TypedAttr attribute = rewriter.getI32IntegerAttr(value);
      if (auto vector = dyn_cast<VectorType>(i32))
        attribute = DenseElementsAttr::get(vector, Attribute(attribute));
      return arith::ConstantOp::create(rewriter, loc, attribute);
    };
    Value bits = arith::BitcastOp::create(rewriter, loc, i32, op.getIn());
    Value high = arith::ShRUIOp::create(rewriter, loc, bits, number(16));
    Value odd = arith::AndIOp::create(rewriter, loc, high, number(1));
    Value bias = arith::AddIOp::create(rewriter, loc, odd, number(0x7fff));
    Value rounded = arith::ShRUIOp::create(
        rewriter, loc, arith::AddIOp::create(rewriter, loc, bits, bias), number(16));
    Value quiet = arith::OrIOp::create(rewriter, loc, high, number(0x40));
    Value nan =
        arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::UNO, op.getIn(), op.getIn());
    Value chosen = arith::SelectOp::create(rewriter, loc, nan, quiet, rounded);
    Value narrow = arith::TruncIOp::create(rewriter, loc, typed(rewriter.getI16Type()), chosen);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), narrow);
    return success();
  }
};

/// A constant of bf16 as its bits (see lowerToLlvm).
struct ConstantBf16 : ConvertOpToLLVMPattern<arith::ConstantOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult matchAndRewrite(arith::ConstantOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isBF16())
      return rewriter.notifyMatchFailure(op, "not of bf16");
    Type bits = rewriter.getI16Type();
    TypedAttr value;
    if (auto number = dyn_cast<FloatAttr>(op.getValue()))
      value = rewriter.getIntegerAttr(bits, number.getValue().bitcastToAPInt());
    else
      value = cast<DenseElementsAttr>(op.getValue()).bitcast(bits);
    rewriter.replaceOpWithNewOp<LLVM::ConstantOp>(op, getTypeConverter()->convertType(op.getType()),
                                                  value);
    return success();
  }
};

bool isInstruction(Operation *op) {
  return isa<math::AbsFOp, math::FloorOp, math::CeilOp, math::SqrtOp, math::FmaOp,
             math::CopySignOp>(op);
}

LogicalResult expandMath(ModuleOp module, const Isa &isa, bool strict) {
  MLIRContext *context = module.getContext();
  GreedyRewriteConfig config;
  config.enableFolding(!strict);
  {
    RewritePatternSet patterns(context);
    // sin and cos are left to libm: the polynomials lose all digits of large angles.
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name == math::ExpOp::getOperationName() || name == math::LogOp::getOperationName() ||
             name == math::Log1pOp::getOperationName() ||
             name == math::TanhOp::getOperationName() || name == math::ErfOp::getOperationName();
    });
    patterns.add<ExtendBf16, TruncateBf16>(context);
    if (isa.tiles) patterns.add<TruncateBf16OnTiles>(context, /*benefit=*/2);
    if (failed(applyPatternsGreedily(module, std::move(patterns), config))) return failure();
  }
  if (!isa.fma) {
    RewritePatternSet patterns(context);
    patterns.add<SplitFma>(context);
    if (failed(applyPatternsGreedily(module, std::move(patterns), config))) return failure();
  }
  bool calls = false;
  module.walk([&](Operation *op) {
    calls |= isa_and_nonnull<math::MathDialect>(op->getDialect()) && !isInstruction(op);
  });
  if (!calls) return success();
  RewritePatternSet patterns(context);
  populateMathToLibmConversionPatterns(patterns);
  ConversionTarget target(*context);
  target.addLegalDialect<amx::AMXDialect, arith::ArithDialect, BuiltinDialect, func::FuncDialect,
                         LLVM::LLVMDialect, memref::MemRefDialect, scf::SCFDialect,
                         vector::VectorDialect>();
  target.addDynamicallyLegalDialect<math::MathDialect>(
      [](Operation *op) { return isInstruction(op); });
  return applyPartialConversion(module, target, std::move(patterns));
}

} // namespace

LogicalResult lowerToLlvm(ModuleOp module, const Isa &isa, bool strict) {
  MLIRContext *context = module.getContext();
  if (isa.emulatesTiles && failed(emulateTiles(module))) return failure();
  if (failed(expandMath(module, isa, strict))) return failure();
  {
    RewritePatternSet patterns(context);
    populateSCFToControlFlowConversionPatterns(patterns);
    ConversionTarget target(*context);
    target.addIllegalDialect<scf::SCFDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(module, target, std::move(patterns)))) return failure();
  }
  LowerToLLVMOptions options(context);
  options.useBarePtrCallConv = true;
  LLVMTypeConverter converter(context, options);
  // Kernels only move bf16 and convert it by its bits. As bfloat, LLVM would keep a lane that it takes
  // apart as a float, and call the compiler's runtime library to round it again.
  converter.addConversion(
      [](BFloat16Type type) { return IntegerType::get(type.getContext(), 16); });
  converter.addConversion([](VectorType type) -> std::optional<Type> {
    if (!type.getElementType().isBF16()) return std::nullopt;
    return type.cloneWith(std::nullopt, IntegerType::get(type.getContext(), 16));
  });
  RewritePatternSet patterns(context);
  patterns.add<ConstantBf16>(converter, /*benefit=*/10);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  populateFuncToLLVMConversionPatterns(converter, patterns);
  populateAMXLegalizeForLLVMExportPatterns(converter, patterns);
  LLVMConversionTarget target(*context);
  target.addLegalOp<ModuleOp>();
  if (failed(applyFullConversion(module, target, std::move(patterns)))) return failure();
  // Descriptors that code generation made by itself (BufferArray.h) are what their memrefs have become.
  SmallVector<UnrealizedConversionCastOp> casts;
  module.walk([&](UnrealizedConversionCastOp cast) { casts.push_back(cast); });
  reconcileUnrealizedCasts(casts);
  return success();
}

} // namespace sinter::codegen::cpu
