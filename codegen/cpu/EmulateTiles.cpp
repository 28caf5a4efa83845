#include "sinter/codegen/cpu/EmulateTiles.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace sinter::codegen::cpu {
namespace {

/// The array of a tile, row by row. Each op has one of its own, at the top of the function: what an op in a loop
/// made in the turn before is read, at most, by the same op in the next one, element by element.
Value arrayFor(OpBuilder &b, Operation *op, amx::TileType type) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&op->getParentOfType<func::FuncOp>().getBody().front());
  return memref::AllocaOp::create(b, op->getLoc(),
                                  MemRefType::get(type.getNumElements(), type.getElementType()));
}

struct Writer {
  OpBuilder &b;
  Location loc;

  Value number(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value add(Value lhs, Value rhs) { return arith::AddIOp::create(b, loc, lhs, rhs); }
  Value times(Value lhs, Value rhs) { return arith::MulIOp::create(b, loc, lhs, rhs); }
  void loop(int64_t count, llvm::function_ref<void(Value)> body) {
    auto loop = scf::ForOp::create(b, loc, number(0), number(count), number(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    body(loop.getInductionVar());
  }
  Value load(VectorType type, Value memory, Value at) {
    return vector::LoadOp::create(b, loc, type, memory, at);
  }
  void store(Value value, Value memory, Value at) {
    vector::StoreOp::create(b, loc, value, memory, at);
  }
  static VectorType row(amx::TileType type) {
    return VectorType::get(type.getShape()[1], type.getElementType());
  }
};

struct Zero : OpConversionPattern<amx::TileZeroOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(amx::TileZeroOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<amx::TileType>(op.getType());
    Value array = arrayFor(rewriter, op, type);
    Writer w{rewriter, op.getLoc()};
    VectorType row = Writer::row(type);
    Value zeros = arith::ConstantOp::create(rewriter, op.getLoc(), rewriter.getZeroAttr(row));
    w.loop(type.getShape()[0],
           [&](Value r) { w.store(zeros, array, w.times(r, w.number(row.getNumElements()))); });
    rewriter.replaceOp(op, array);
    return success();
  }
};

struct Load : OpConversionPattern<amx::TileLoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(amx::TileLoadOp op, OpAdaptor operands,
                                ConversionPatternRewriter &rewriter) const override {
    if (op.getIndices().size() != 1 || !op.getStride())
      return rewriter.notifyMatchFailure(op, "not of a row-by-row array with a stride");
    auto type = cast<amx::TileType>(op.getType());
    Value array = arrayFor(rewriter, op, type);
    Writer w{rewriter, op.getLoc()};
    VectorType row = Writer::row(type);
    w.loop(type.getShape()[0], [&](Value r) {
      Value from = w.add(operands.getIndices()[0], w.times(r, operands.getStride()));
      w.store(w.load(row, operands.getBase(), from), array,
              w.times(r, w.number(row.getNumElements())));
    });
    rewriter.replaceOp(op, array);
    return success();
  }
};

struct Store : OpConversionPattern<amx::TileStoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(amx::TileStoreOp op, OpAdaptor operands,
                                ConversionPatternRewriter &rewriter) const override {
    if (op.getIndices().size() != 1 || !op.getStride())
      return rewriter.notifyMatchFailure(op, "not to a row-by-row array with a stride");
    auto type = cast<amx::TileType>(op.getVal().getType());
    Writer w{rewriter, op.getLoc()};
    VectorType row = Writer::row(type);
    w.loop(type.getShape()[0], [&](Value r) {
      Value to = w.add(operands.getIndices()[0], w.times(r, operands.getStride()));
      w.store(w.load(row, operands.getVal(), w.times(r, w.number(row.getNumElements()))),
              operands.getBase(), to);
    });
    rewriter.eraseOp(op);
    return success();
  }
};

/// acc[m][n] += lhs[m][2 p] * rhs[p][2 n] + lhs[m][2 p + 1] * rhs[p][2 n + 1] (TDPBF16PS in Intel's manual).
struct Multiply : OpConversionPattern<amx::TileMulFOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(amx::TileMulFOp op, OpAdaptor operands,
                                ConversionPatternRewriter &rewriter) const override {
    auto left = cast<amx::TileType>(op.getLhs().getType()),
         right = cast<amx::TileType>(op.getRhs().getType()),
         sums = cast<amx::TileType>(op.getType());
    Value array = arrayFor(rewriter, op, sums);
    Writer w{rewriter, op.getLoc()};
    VectorType row = Writer::row(sums), pairs = Writer::row(right);
    int64_t columns = row.getNumElements(), depth = left.getShape()[1];
    w.loop(sums.getShape()[0], [&](Value m) {
      Value at = w.times(m, w.number(columns)), sum = w.load(row, operands.getAcc(), at);
      for (int64_t p = 0; p < right.getShape()[0]; ++p) {
        Value both = w.load(pairs, operands.getRhs(), w.number(p * 2 * columns));
        for (int64_t second : {0, 1}) {
          SmallVector<int64_t> lanes;
          for (int64_t n = 0; n < columns; ++n) lanes.push_back(2 * n + second);
          Value factor = memref::LoadOp::create(
              rewriter, w.loc, operands.getLhs(),
              ValueRange(w.add(w.times(m, w.number(depth)), w.number(2 * p + second))));
          factor = arith::ExtFOp::create(rewriter, w.loc, rewriter.getF32Type(), factor);
          Value others = vector::ShuffleOp::create(rewriter, w.loc, both, both, lanes);
          others = arith::ExtFOp::create(rewriter, w.loc, row, others);
          factor = vector::BroadcastOp::create(rewriter, w.loc, row, factor);
          sum = math::FmaOp::create(rewriter, w.loc, factor, others, sum);
        }
      }
      w.store(sum, array, at);
    });
    rewriter.replaceOp(op, array);
    return success();
  }
};

} // namespace

LogicalResult emulateTiles(ModuleOp module) {
  MLIRContext *context = module.getContext();
  TypeConverter converter;
  converter.addConversion([](Type type) { return type; });
  converter.addConversion([](amx::TileType type) -> Type {
    return MemRefType::get(type.getNumElements(), type.getElementType());
  });
  RewritePatternSet patterns(context);
  patterns.add<Zero, Load, Store, Multiply>(converter, context);
  ConversionTarget target(*context);
  target.addIllegalDialect<amx::AMXDialect>();
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns, target);
  return applyPartialConversion(module, target, std::move(patterns));
}

} // namespace sinter::codegen::cpu
