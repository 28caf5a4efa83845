#include "sinter/codegen/Elements.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace sinter::ir;

// What elements are read from and written to: buffers in their storage types, runs of neighbours as vectors.

namespace sinter::codegen {

Value Elements::fromStorage(Value value, Type element) {
  Type compute = computeType(element), target = withElement(value.getType(), compute);
  if (element.isInteger(1)) {
    Value zero = constantIntOf(builder, loc, value.getType(), 0);
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value, zero);
  }
  if (compute == element) return value;
  if (isa<FloatType>(compute)) return arith::ExtFOp::create(builder, loc, target, value);
  return arith::ExtUIOp::create(builder, loc, target, value);
}

Value Elements::load(Value buffer, Type element, AffineExpr position) {
  position = simplify(position);
  record(position);
  Type stored = cast<MemRefType>(buffer.getType()).getElementType();
  if (!run || !dependsOn(position, dimOf.lookup(run))) {
    Value scalar = memref::LoadOp::create(builder, loc, buffer, positionValue(position));
    return spread(fromStorage(scalar, element));
  }
  auto vector = VectorType::get(runLanes, stored);
  auto offsets = offsetsOf(position);
  bool contiguous = offsets && llvm::all_of(llvm::enumerate(*offsets), [](auto at) {
                      return at.value() == int64_t(at.index());
                    });
  if (mask && !contiguous) {
    if (Value shuffled = maskedShuffle(buffer, vector, position, offsets))
      return fromStorage(shuffled, element);
    runFailed = true;
    return constantIntOf(builder, loc, valueType(computeType(element)), 0);
  }
  if (mask) {
    Value zero = constantIntOf(builder, loc, vector, 0);
    Value loaded = vector::MaskedLoadOp::create(builder, loc, vector, buffer,
                                                positionValue(position), mask, zero);
    return fromStorage(loaded, element);
  }
  if (contiguous)
    return fromStorage(
        vector::LoadOp::create(builder, loc, vector, buffer, positionValue(position)), element);
  if (offsets) {
    auto [least, most] = std::minmax_element(offsets->begin(), offsets->end());
    int64_t low = *least, span = *most - low + 1;
    if (span > 1 && span <= runLanes) {
      // One shorter load, and a shuffle.
      SmallVector<int64_t> lanes;
      for (int64_t offset : *offsets) lanes.push_back(offset - low);
      Value some = vector::LoadOp::create(builder, loc, VectorType::get(span, stored), buffer,
                                          positionValue(position + low));
      return fromStorage(vector::ShuffleOp::create(builder, loc, some, some, lanes), element);
    }
    if (span > runLanes && span <= 2 * runLanes) {
      // Two loads that both lie inside, and a shuffle.
      auto at = [&](int64_t offset) -> Value {
        return vector::LoadOp::create(builder, loc, vector, buffer,
                                      positionValue(position + offset));
      };
      int64_t second = low + span - runLanes;
      SmallVector<int64_t> lanes;
      for (int64_t offset : *offsets)
        lanes.push_back(offset < second ? offset - low : runLanes + offset - second);
      return fromStorage(vector::ShuffleOp::create(builder, loc, at(low), at(second), lanes),
                         element);
    }
    SmallVector<Value> loaded;
    for (int64_t offset : *offsets) {
      auto same = llvm::find(*offsets, offset);
      size_t first = std::distance(offsets->begin(), same);
      loaded.push_back(first < loaded.size()
                           ? loaded[first]
                           : Value(memref::LoadOp::create(builder, loc, buffer,
                                                          positionValue(position + offset))));
    }
    return fromStorage(vector::FromElementsOp::create(builder, loc, vector, loaded), element);
  }
  AffineExpr variable = builder.getAffineDimExpr(dimOf.lookup(run));
  SmallVector<Value> loaded;
  for (int64_t lane = 0; lane < runLanes; ++lane)
    loaded.push_back(memref::LoadOp::create(
        builder, loc, buffer, positionValue(position.replace(variable, variable + lane))));
  return fromStorage(vector::FromElementsOp::create(builder, loc, vector, loaded), element);
}

/// Two loads and a shuffle, as far as the lanes of a constant mask need them; null where that does not do.
Value Elements::maskedShuffle(Value buffer, VectorType vector, AffineExpr position,
                              const std::optional<SmallVector<int64_t>> &offsets) {
  DenseElementsAttr known;
  if (!offsets || !matchPattern(mask, m_Constant(&known))) return nullptr;
  auto valid = llvm::to_vector(known.getValues<bool>());
  int64_t low = std::numeric_limits<int64_t>::max(), high = std::numeric_limits<int64_t>::min();
  for (auto [offset, exists] : llvm::zip_equal(*offsets, valid))
    if (exists) low = std::min(low, offset), high = std::max(high, offset);
  if (high - low >= 2 * runLanes) return nullptr;
  SmallVector<bool> first(runLanes, false), second(runLanes, false);
  SmallVector<int64_t> lanes;
  for (auto [offset, exists] : llvm::zip_equal(*offsets, valid)) {
    int64_t from = exists ? offset - low : 0;
    (from < runLanes ? first[from] : second[from - runLanes]) = true;
    lanes.push_back(from);
  }
  auto booleans = VectorType::get(runLanes, builder.getI1Type());
  Value zero = constantIntOf(builder, loc, vector, 0);
  auto at = [&](int64_t offset, ArrayRef<bool> exists) -> Value {
    Value some = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(booleans, exists));
    return vector::MaskedLoadOp::create(builder, loc, vector, buffer,
                                        positionValue(position + offset), some, zero);
  };
  Value lower = at(low, first);
  Value upper = high - low < runLanes ? lower : at(low + runLanes, second);
  return vector::ShuffleOp::create(builder, loc, lower, upper, lanes);
}

void Elements::store(Value value, Value buffer, Type element, AffineExpr position) {
  position = simplify(position);
  record(position);
  value = spread(value);
  Type stored = cast<MemRefType>(buffer.getType()).getElementType();
  Type target = withElement(value.getType(), stored);
  if (element.isInteger(1))
    value = arith::ExtUIOp::create(builder, loc, target, value);
  else if (value.getType() != target && isa<FloatType>(stored))
    value = arith::TruncFOp::create(builder, loc, target, value);
  else if (value.getType() != target)
    value = arith::TruncIOp::create(builder, loc, target, value);
  if (!run) {
    memref::StoreOp::create(builder, loc, value, buffer, positionValue(position));
    return;
  }
  auto offsets = offsetsOf(position);
  if (offsets && llvm::all_of(llvm::enumerate(*offsets),
                              [](auto at) { return at.value() == int64_t(at.index()); })) {
    if (mask)
      vector::MaskedStoreOp::create(builder, loc, buffer, positionValue(position), mask, value);
    else
      vector::StoreOp::create(builder, loc, value, buffer, positionValue(position));
    return;
  }
  if (mask) {
    runFailed = true;
    return;
  }
  AffineExpr variable = builder.getAffineDimExpr(dimOf.lookup(run));
  for (int64_t lane = 0; lane < runLanes; ++lane) {
    Value scalar = vector::ExtractOp::create(builder, loc, value, lane);
    memref::StoreOp::create(builder, loc, scalar, buffer,
                            positionValue(position.replace(variable, variable + lane)));
  }
}

Value Elements::temporary(int64_t count, Type element) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(entry);
  return memref::AllocaOp::create(builder, loc, MemRefType::get(count, element),
                                  builder.getI64IntegerAttr(64));
}

Value Elements::constantMemory(ConstantOp op) {
  auto module = entry->getParentOp()->getParentOfType<ModuleOp>();
  auto elements = cast<DenseElementsAttr>(op.getValue());
  Type stored = storageType(elements.getElementType());
  auto type = MemRefType::get(elements.getNumElements(), stored);
  if (!module) // a trial
    return memory[op.getResult()] = temporary(elements.getNumElements(), stored);
  auto flat = RankedTensorType::get(elements.getNumElements(), stored);
  DenseElementsAttr values;
  if (stored == elements.getElementType()) {
    values = elements.reshape(flat);
  } else {
    SmallVector<APInt> bytes;
    for (APInt value : elements.getValues<APInt>()) bytes.push_back(value.zextOrTrunc(8));
    values = DenseElementsAttr::get(flat, bytes);
  }
  OpBuilder::InsertionGuard guard(builder);
  auto function = cast<FunctionOpInterface>(entry->getParentOp());
  builder.setInsertionPoint(function);
  std::string name = (function.getName() + "_constant" + Twine(memory.size())).str();
  auto global = memref::GlobalOp::create(builder, loc, builder.getStringAttr(name),
                                         builder.getStringAttr("private"), TypeAttr::get(type),
                                         values, builder.getUnitAttr(), IntegerAttr());
  builder.setInsertionPointToStart(entry);
  return memory[op.getResult()] =
             memref::GetGlobalOp::create(builder, loc, type, global.getSymName());
}

} // namespace sinter::codegen
