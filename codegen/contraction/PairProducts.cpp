#include "sinter/codegen/contraction/TileEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sinter::ir;

// Products of bf16 without a matrix unit: AVX-512 adds up two neighbours of k in each lane (vdpbf16ps).

namespace sinter::codegen {

void TileEmitter::multiplyPairs(Value row, int64_t count, Value column, int64_t vectors) {
  int64_t most = std::min<int64_t>((frame.options.registers - 1 - vectors) / vectors, 12);
  int64_t parts = llvm::divideCeil(count, most);
  for (int64_t part = 0; part < parts; ++part) { // of about the same number of rows
    int64_t first = count * part / parts, end = count * (part + 1) / parts;
    multiplyPairsOf(row, first, end - first, column, vectors);
  }
}

/// Sums of `count` rows from `first` of the tile at `row`, in registers.
void TileEmitter::multiplyPairsOf(Value row, int64_t first, int64_t count, Value column,
                                  int64_t vectors) {
  int64_t W = plan.W, width = plan.tileVectors * W;
  Value rows = plan.direct ? rowOperand() : rowPanel;
  auto pairs = VectorType::get(W, b.getI32Type());
  // Elsewhere bf16 is moved as 16 bits, which is what its type becomes.
  auto asPairs = [&](Value value) -> Value {
    Value bits =
        vector::BitCastOp::create(b, frame.loc, VectorType::get(2 * W, b.getI16Type()), value);
    return LLVM::BitcastOp::create(b, frame.loc, panelVector(2 * W), bits);
  };
  Value zero = constantOf(b, frame.loc, vectorType(), 0);
  Indices initial;
  for (int64_t r = 0; r < count; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      if (plan.kBlocks == 1) {
        initial.push_back(zero);
        continue;
      }
      Value before = vector::LoadOp::create(b, frame.loc, vectorType(), sums,
                                            sumAt(row, first + r, column, v));
      initial.push_back(arith::SelectOp::create(b, frame.loc, firstOfK, zero, before));
    }
  // What a block leaves of its last pair is zeros.
  Indices totals = emitLoop(
      b, frame.loc, constant(0), kLength(), constant(2), initial, [&](Value k, ValueRange carried) {
        elements->variable(k, 0, plan.kMost - 1);
        Value start = plan.resident ? affine(d(0) * plan.kInner + d(1), {kBase, k}) : k;
        Indices right, next;
        for (int64_t v = 0; v < vectors; ++v) {
          Value at = plan.tiled ? affine(d(1) * kSize() + d(0) * width + v * 2 * W, {k, column})
                                : affine(d(0) * ldb + d(1) * 2 + v * 2 * W, {k, column});
          right.push_back(
              asPairs(vector::LoadOp::create(b, frame.loc, panelVector(2 * W), columnPanel, at)));
        }
        for (int64_t r = 0; r < count; ++r) {
          Value at = plan.direct ? rowInPlace(row, first + r, start)
                                 : affine((d(0) + first + r) * rowStride + d(1), {row, start});
          Value left = vector::LoadOp::create(b, frame.loc, panelVector(2), rows, at);
          left = vector::BitCastOp::create(b, frame.loc, VectorType::get(1, b.getI32Type()), left);
          left = vector::ExtractOp::create(b, frame.loc, left, 0);
          left = asPairs(vector::BroadcastOp::create(b, frame.loc, pairs, left));
          for (int64_t v = 0; v < vectors; ++v)
            next.push_back(
                LLVM::CallIntrinsicOp::create(b, frame.loc, vectorType(),
                                              b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                              ValueRange{carried[r * vectors + v], left, right[v]})
                    .getResult(0));
        }
        return next;
      });
  for (int64_t r = 0; r < count; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      vector::StoreOp::create(b, frame.loc, totals[r * vectors + v], sums,
                              sumAt(row, first + r, column, v));
}

} // namespace sinter::codegen
