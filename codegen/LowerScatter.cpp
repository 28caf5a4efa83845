#include "sinter/codegen/LowerArgsort.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Kernels whose results go to data-dependent places. Additions are made in index order: parallel over the
/// dimensions that the data does not choose, serial along the rest.
class ScatterLowering {
public:
  explicit ScatterLowering(KernelFrame &frame)
      : frame(frame), b(frame.builder), elements(frame.elements()) {}

  LogicalResult run() {
    Operation *scatter = frame.yield()->getOperand(0).getDefiningOp();
    return TypeSwitch<Operation *, LogicalResult>(scatter)
        .Case([&](EmbeddingGradOp op) { return lower(op); })
        .Case([&](ScatterAddOp op) { return lower(op); })
        .Case([&](ArgsortOp op) { return lowerArgsort(frame, *elements, op); })
        .Default([](Operation *op) { return op->emitOpError("has no scatter lowering"); });
  }

private:
  void loop(int64_t extent, llvm::function_ref<void(Value)> body) {
    emitLoop(b, frame.loc, frame.constant(0), frame.constant(extent), frame.constant(1), {},
             [&](Value counter, ValueRange) {
               elements->variable(counter, 0, extent - 1);
               body(counter);
               return SmallVector<Value>();
             });
  }
  /// Data as an index that exists in a dimension of `size`.
  Value clamped(Value data, int64_t size) {
    Value zero = constantIntOf(b, frame.loc, data.getType(), 0);
    Value last = constantIntOf(b, frame.loc, data.getType(), size - 1);
    data = arith::MinSIOp::create(b, frame.loc, arith::MaxSIOp::create(b, frame.loc, data, zero),
                                  last);
    Value index = elements->asIndex(data);
    elements->variable(index, 0, size - 1);
    return index;
  }
  AffineExpr position(ValueRange indices, ArrayRef<int64_t> shape) {
    SmallVector<AffineExpr> exprs;
    for (Value index : indices) exprs.push_back(elements->exprOf(index));
    return linearIndex(exprs, shape, b.getContext());
  }
  /// result[indices] += value.
  void add(Value result, ValueRange indices, Value value) {
    AffineExpr at = position(indices, shapeOf(result));
    Value buffer = frame.outputBuffer(0);
    Value old = elements->load(buffer, elementOf(result), at);
    Value sum = plus(old, value);
    elements->store(sum, buffer, elementOf(result), at);
  }
  Value plus(Value lhs, Value rhs) {
    if (isa<FloatType>(getElementTypeOrSelf(lhs.getType())))
      return arith::AddFOp::create(b, frame.loc, lhs, rhs);
    return arith::AddIOp::create(b, frame.loc, lhs, rhs);
  }

  /// Threads share the columns. A CPU's goes along its columns in each row, a GPU's along the rows in its column.
  LogicalResult lower(EmbeddingGradOp op) {
    Value result = op.getResult();
    int64_t rows = shapeOf(result)[0], columns = shapeOf(result)[1];
    ArrayRef<int64_t> shape = shapeOf(op.getIndices());
    int64_t tokens = tensorType(op.getIndices()).getNumElements();
    auto forColumns = [&](llvm::function_ref<void(Value)> body) {
      emitParallelNest(frame, *elements, {columns}, /*vectorize=*/true, rows + tokens,
                       [&](ValueRange column, int64_t) { body(column[0]); });
    };
    auto clear = [&](Value row, Value column) {
      Value zero = constantOf(b, frame.loc, elements->valueType(computeType(elementOf(result))), 0);
      elements->store(zero, frame.outputBuffer(0), elementOf(result),
                      position({row, column}, {rows, columns}));
    };
    auto forToken = [&](Value token, llvm::function_ref<void(Value, ValueRange)> body) {
      SmallVector<Value> indices;
      int64_t stride = tokens;
      for (int64_t extent : shape) {
        stride /= extent;
        indices.push_back(elements->apply(b.getAffineDimExpr(0).floorDiv(stride) % extent, token));
      }
      Value row = clamped(elements->element(op.getIndices(), indices), rows);
      auto skipped = op.getPaddingIdx();
      if (!skipped) return body(row, indices);
      Value counts = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::ne, row,
                                           frame.constant(*skipped));
      auto branch = scf::IfOp::create(b, frame.loc, counts, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      body(row, indices);
    };
    auto accumulate = [&](Value row, ValueRange token, Value column) {
      SmallVector<Value> indices(token);
      indices.push_back(column);
      add(result, {row, column}, elements->element(op.getGrad(), indices));
    };
    if (frame.options.gpu) {
      forColumns([&](Value column) {
        loop(rows, [&](Value row) { clear(row, column); });
        loop(tokens, [&](Value token) {
          forToken(token, [&](Value row, ValueRange at) { accumulate(row, at, column); });
        });
      });
    } else {
      loop(rows, [&](Value row) { forColumns([&](Value column) { clear(row, column); }); });
      loop(tokens, [&](Value token) {
        forToken(token, [&](Value row, ValueRange at) {
          forColumns([&](Value column) { accumulate(row, at, column); });
        });
      });
    }
    return failure(elements->failed());
  }

  LogicalResult lower(ScatterAddOp op) {
    Value result = op.getResult();
    ArrayRef<int64_t> shape = shapeOf(result), indexShape = shapeOf(op.getIndex());
    int64_t dim = op.getDim();
    SmallVector<int64_t> others;
    for (auto [number, extent] : llvm::enumerate(shape))
      if (int64_t(number) != dim) others.push_back(extent);
    emitParallelNest(
        frame, *elements, others, /*vectorize=*/false, shape[dim] + indexShape[dim],
        [&](ValueRange point, int64_t) {
          auto with = [&](Value index) {
            SmallVector<Value> all(point);
            all.insert(all.begin() + dim, index);
            return all;
          };
          loop(shape[dim], [&](Value place) {
            Value old = elements->element(op.getX(), with(place));
            elements->store(old, frame.outputBuffer(0), elementOf(result),
                            position(with(place), shape));
          });
          // The index may be smaller than x.
          Value inside;
          unsigned at = 0;
          for (auto [number, extent] : llvm::enumerate(indexShape)) {
            if (int64_t(number) == dim) continue;
            Value index = point[at++];
            if (extent == shape[number]) continue;
            Value holds = arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, index,
                                                frame.constant(extent));
            inside =
                inside ? arith::AndIOp::create(b, frame.loc, inside, holds).getResult() : holds;
          }
          auto accumulate = [&] {
            loop(indexShape[dim], [&](Value place) {
              Value target = clamped(elements->element(op.getIndex(), with(place)), shape[dim]);
              add(result, with(target), elements->element(op.getSrc(), with(place)));
            });
          };
          if (!inside) return accumulate();
          auto branch = scf::IfOp::create(b, frame.loc, inside, /*withElseRegion=*/false);
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToStart(branch.thenBlock());
          accumulate();
        });
    return failure(elements->failed());
  }

  KernelFrame &frame;
  OpBuilder &b;
  std::unique_ptr<Elements> elements;
};

} // namespace

LogicalResult lowerScatter(KernelFrame &frame) { return ScatterLowering(frame).run(); }

} // namespace sinter::codegen
