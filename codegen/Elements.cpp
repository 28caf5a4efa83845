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

namespace sinter::codegen {

Type storageType(Type element) {
  if (element.isInteger(1) || element.isUnsignedInteger(8))
    return IntegerType::get(element.getContext(), 8);
  return element;
}

Elements::Elements(OpBuilder &builder, Location loc, Block *entry)
    : ElementBuilder(builder, loc), entry(entry) {}

Value Elements::variable(Value index, int64_t least, int64_t most) {
  exprLog.push_back(index);
  dimOf[index] = variables.size();
  variables.push_back(index);
  ranges.push_back(IndexRange{least, most});
  return index;
}

AffineExpr Elements::exprOf(Value index) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return builder.getAffineConstantExpr(constant.getSExtValue());
  if (auto known = exprs.find(index); known != exprs.end()) return known->second;
  auto known = dimOf.find(index);
  if (known == dimOf.end()) {
    std::optional<IndexRange> range;
    if (auto argument = dyn_cast<BlockArgument>(index))
      if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
          loop && argument == loop.getInductionVar()) {
        APInt least, end;
        if (matchPattern(loop.getLowerBound(), m_ConstantInt(&least)) &&
            matchPattern(loop.getUpperBound(), m_ConstantInt(&end)) && least.slt(end))
          range = IndexRange{least.getSExtValue(), end.getSExtValue() - 1};
      }
    known = dimOf.try_emplace(index, variables.size()).first;
    variables.push_back(index);
    ranges.push_back(range);
    exprLog.push_back(index);
  }
  return builder.getAffineDimExpr(known->second);
}

SmallVector<AffineExpr> Elements::exprsOf(ValueRange indices) {
  SmallVector<AffineExpr> result;
  for (Value index : indices) result.push_back(exprOf(index));
  return result;
}

/// Whether nothing negative is divided, so that division needs no signs.
static bool dividesNonNegative(AffineExpr expr, IndexRanges ranges) {
  bool result = true;
  expr.walk([&](AffineExpr part) {
    if (part.getKind() != AffineExprKind::FloorDiv && part.getKind() != AffineExprKind::Mod) return;
    std::optional<IndexRange> range = rangeOf(cast<AffineBinaryOpExpr>(part).getLHS(), ranges);
    result &= range && range->least >= 0;
  });
  return result;
}

Value Elements::indexOf(AffineExpr expr) {
  expr = simplify(expr);
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) return index(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) return variables[dim.getPosition()];
  SmallVector<Value> operands;
  SmallVector<AffineExpr> replacements(variables.size(), builder.getAffineConstantExpr(0));
  for (unsigned dim = 0; dim < variables.size(); ++dim)
    if (expr.isFunctionOfDim(dim)) {
      replacements[dim] = builder.getAffineDimExpr(operands.size());
      operands.push_back(variables[dim]);
    }
  auto map = AffineMap::get(operands.size(), 0, expr.replaceDimsAndSymbols(replacements, {}));
  auto op = affine::AffineApplyOp::create(builder, loc, map, operands);
  if (dividesNonNegative(expr, ranges)) op->setAttr("sinter.non_negative", builder.getUnitAttr());
  Value result = op;
  exprs[result] = expr;
  exprLog.push_back(result);
  return result;
}

Value Elements::apply(AffineExpr expr, ValueRange operands) {
  return indexOf(expr.replaceDimsAndSymbols(exprsOf(operands), {}));
}

void Elements::setRun(Value variable, int64_t lanes) {
  run = lanes > 1 ? variable : Value();
  runLanes = lanes;
}

Type Elements::valueType(Type scalar) {
  return run ? Type(VectorType::get(runLanes, scalar)) : scalar;
}

Value Elements::spread(Value value) {
  if (!run || isa<VectorType>(value.getType())) return value;
  return vector::BroadcastOp::create(builder, loc, valueType(value.getType()), value);
}

/// The scalar that a vector was spread from, or null.
Value Elements::uniformOf(Value value) {
  if (!isa<VectorType>(value.getType())) return value;
  if (auto broadcast = value.getDefiningOp<vector::BroadcastOp>())
    return isa<VectorType>(broadcast.getSource().getType()) ? Value() : broadcast.getSource();
  DenseElementsAttr constant;
  if (matchPattern(value, m_Constant(&constant)) && constant.isSplat())
    return arith::ConstantOp::create(builder, loc, constant.getSplatValue<TypedAttr>());
  Operation *op = value.getDefiningOp();
  // Through pure arithmetic on uniform operands.
  if (!op || op->getNumResults() != 1 || op->getNumRegions() || op->getNumOperands() == 0 ||
      !isa<arith::ArithDialect>(op->getDialect()))
    return nullptr;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    Value uniform = uniformOf(operand);
    if (!uniform) return nullptr;
    operands.push_back(uniform);
  }
  OperationState state(op->getLoc(), op->getName(), operands,
                       cast<VectorType>(value.getType()).getElementType(), op->getAttrs());
  return builder.create(state)->getResult(0);
}

void Elements::record(AffineExpr position) {
  if (recorder) recorder->push_back(simplify(position));
}

std::optional<SmallVector<int64_t>> Elements::offsetsOf(AffineExpr position) {
  return laneOffsets(position, dimOf.lookup(run), runLanes, ranges);
}

/// Whether `value` may be used where code is emitted now.
bool Elements::reaches(Value value) {
  Region *region = value.getParentRegion();
  return region && region->isAncestor(builder.getInsertionBlock()->getParent());
}

/// Whether `tensor` is computed from a value that is bound to a whole run.
bool Elements::usesBoundRun(Value tensor) {
  if (bound.empty()) return false;
  SmallVector<Value> work{tensor};
  llvm::SmallDenseSet<Value> seen;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value).second) continue;
    if (auto found = bound.find(value); found != bound.end()) {
      if (isa<VectorType>(found->second.getType())) return true;
      continue;
    }
    if (Operation *producer = value.getDefiningOp())
      llvm::append_range(work, producer->getOperands());
  }
  return false;
}

void Elements::rollBack(Operation *last, size_t logged, size_t loggedExprs) {
  Block *block = builder.getInsertionBlock();
  auto end = builder.getInsertionPoint();
  while (end != block->begin()) {
    Operation *op = &*std::prev(end);
    if (op == last) break;
    op->dropAllUses();
    op->erase();
  }
  for (size_t i = logged; i < memoLog.size(); ++i) memo.erase(memoLog[i]);
  memoLog.resize(logged);
  for (size_t i = loggedExprs; i < exprLog.size(); ++i) {
    exprs.erase(exprLog[i]);
    dimOf.erase(exprLog[i]);
  }
  exprLog.resize(loggedExprs);
}

Value Elements::firstLanes(Value count) {
  APInt known;
  auto booleans = VectorType::get(runLanes, builder.getI1Type());
  if (matchPattern(count, m_ConstantInt(&known))) {
    SmallVector<bool> lanes;
    for (int64_t lane = 0; lane < runLanes; ++lane) lanes.push_back(lane < known.getSExtValue());
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(booleans, ArrayRef<bool>(lanes)));
  }
  auto numbers = VectorType::get(runLanes, builder.getI32Type());
  SmallVector<int32_t> lanes(runLanes);
  std::iota(lanes.begin(), lanes.end(), 0);
  Value iota = arith::ConstantOp::create(builder, loc,
                                         DenseElementsAttr::get(numbers, ArrayRef<int32_t>(lanes)));
  Value bound = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), count);
  bound = vector::BroadcastOp::create(builder, loc, numbers, bound);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, iota, bound);
}

Value Elements::masked(Value value, Value otherwise) {
  if (!mask) return value;
  return arith::SelectOp::create(builder, loc, mask, value, otherwise);
}

bool Elements::failed() {
  // Nobody took back what does not work for a run: the kernel would be wrong.
  if (runFailed && !std::exchange(broken, true))
    emitError(loc) << "a kernel cannot compute this for a run of neighbours";
  return broken;
}

bool Elements::attempt(function_ref<void()> emit) {
  Block *block = builder.getInsertionBlock();
  auto point = builder.getInsertionPoint();
  Operation *last = point == block->begin() ? nullptr : &*std::prev(point);
  size_t logged = memoLog.size(), loggedExprs = exprLog.size();
  bool outerFailed = std::exchange(runFailed, false);
  emit();
  bool worked = !std::exchange(runFailed, outerFailed);
  if (!worked) rollBack(last, logged, loggedExprs);
  return worked;
}

Value Elements::element(Value tensor, ValueRange indices) {
  if (auto value = bound.find(tensor); value != bound.end()) return spread(value->second);
  SmallVector<AffineExpr> exprs = exprsOf(indices);
  for (AffineExpr &expr : exprs) expr = simplify(expr);
  unsigned runDim = run ? dimOf.lookup(run) : 0;
  // A dimension of size 1 runs too: what is bound has its lanes, of which the first one counts.
  if (run && llvm::none_of(exprs, [&](AffineExpr expr) { return dependsOn(expr, runDim); }) &&
      !usesBoundRun(tensor)) {
    if (inGuard) { // a guard's lanes differ, so the element may not exist at all
      runFailed = true;
      return constantIntOf(builder, loc, valueType(computeType(elementOf(tensor))), 0);
    }
    Value variable = std::exchange(run, Value()), lanes = std::exchange(mask, Value());
    Value scalar = element(tensor, indices);
    run = variable;
    mask = lanes;
    return spread(scalar);
  }
  Key key{tensor.getAsOpaquePointer(), run.getAsOpaquePointer(), mask.getAsOpaquePointer()};
  for (AffineExpr expr : exprs) key.push_back(expr.getAsOpaquePointer());
  if (auto known = memo.find(key); known != memo.end() && reaches(known->second))
    return known->second;
  Location outer = loc;
  if (tensor.getDefiningOp()) loc = tensor.getLoc();
  Value result = compute(tensor, indices);
  loc = outer;
  memo[key] = result;
  memoLog.push_back(key);
  return result;
}

Value Elements::compute(Value tensor, ValueRange indices) {
  if (auto maker = makers.find(tensor); maker != makers.end()) return maker->second(indices);
  // A reshape of memory is the same memory.
  Value source = tensor;
  while (auto reshape = source.getDefiningOp<ReshapeOp>()) source = reshape.getX();
  Value buffer = memory.lookup(source);
  if (auto constant = source.getDefiningOp<ConstantOp>();
      constant && !buffer && !constant.getValue().isSplat())
    buffer = constantMemory(constant);
  if (buffer)
    return load(buffer, elementOf(tensor),
                linearIndex(exprsOf(indices), shapeOf(tensor), builder.getContext()));

  auto op = dyn_cast_or_null<ElementOpInterface>(tensor.getDefiningOp());
  if (!op) {
    if (!std::exchange(broken, true))
      emitError(loc) << "a kernel cannot compute single elements of "
                     << (tensor.getDefiningOp() ? tensor.getDefiningOp()->getName().getStringRef()
                                                : "this value");
    return constantIntOf(builder, loc, valueType(computeType(elementOf(tensor))), 0);
  }
  unsigned number = cast<OpResult>(tensor).getResultNumber();
  Value result;
  if (!run) {
    result = op.buildElement(*this, number, indices);
  } else {
    auto build = [&] { result = spread(op.buildElement(*this, number, indices)); };
    if (mask)
      build();
    else if (!attempt(build))
      return laneByLane(computeType(elementOf(tensor)), indices,
                        [&](ValueRange lane) { return element(tensor, lane); });
  }
  FusionKind kind = cast<FusibleOpInterface>(op.getOperation()).getFusionKind();
  if (kind == FusionKind::View || kind == FusionKind::Gather)
    return result; // moves values that are rounded already
  return rounded(result, elementOf(tensor));
}

Value Elements::forRun(Type scalar, ValueRange indices, ValueAt emit) {
  if (!run || mask) return emit(indices);
  Value result;
  if (attempt([&] { result = emit(indices); })) return result;
  return laneByLane(scalar, indices, emit);
}

// What does not work on a run is computed lane after lane, through a little memory.
Value Elements::laneByLane(Type scalar, ValueRange indices, ValueAt emit) {
  bool boolean = scalar.isInteger(1);
  Value lanesOf = temporary(runLanes, boolean ? builder.getI8Type() : scalar);
  unsigned runDim = dimOf.lookup(run);
  SmallVector<AffineExpr> exprs = exprsOf(indices);
  Value variable = std::exchange(run, Value());
  auto loop = scf::ForOp::create(builder, loc, index(0), index(runLanes), index(1));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value lane = this->variable(loop.getInductionVar(), 0, runLanes - 1);
    AffineExpr moved = builder.getAffineDimExpr(runDim) + exprOf(lane);
    SmallVector<Value> laneIndices;
    for (AffineExpr expr : exprs)
      laneIndices.push_back(indexOf(expr.replace(builder.getAffineDimExpr(runDim), moved)));
    Value value = emit(laneIndices);
    if (boolean) value = arith::ExtUIOp::create(builder, loc, builder.getI8Type(), value);
    memref::StoreOp::create(builder, loc, value, lanesOf, lane);
  }
  run = variable;
  Type stored = VectorType::get(runLanes, boolean ? builder.getI8Type() : scalar);
  Value result = vector::LoadOp::create(builder, loc, stored, lanesOf, index(0));
  if (boolean) result = arith::TruncIOp::create(builder, loc, valueType(scalar), result);
  return result;
}

Value Elements::asData(Value index, Type type) {
  AffineExpr expr = simplify(exprOf(index));
  record(expr);
  auto data = [&](AffineExpr at) -> Value {
    return arith::IndexCastOp::create(builder, loc, type, indexOf(at));
  };
  if (!run) return data(expr);
  auto vector = cast<VectorType>(valueType(type));
  if (Value known = knownData(expr, type)) return known;
  auto offsets = offsetsOf(expr);
  if (!offsets) { // how far apart the lanes are depends on where the run starts
    AffineExpr variable = builder.getAffineDimExpr(dimOf.lookup(run));
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < runLanes; ++lane)
      lanes.push_back(data(expr.replace(variable, variable + lane)));
    return vector::FromElementsOp::create(builder, loc, vector, lanes);
  }
  Value all = vector::BroadcastOp::create(builder, loc, vector, data(expr));
  if (!dependsOn(expr, dimOf.lookup(run))) return all;
  unsigned bits = type.getIntOrFloatBitWidth();
  SmallVector<APInt> values;
  for (int64_t offset : *offsets) values.push_back(APInt(bits, uint64_t(offset), true, true));
  Value step = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vector, values));
  return arith::AddIOp::create(builder, loc, all, step);
}

/// The lanes of an index that is a function of the run alone, where the run is known.
Value Elements::knownData(AffineExpr expr, Type type) {
  if (!runStart) return nullptr;
  AffineExpr variable = builder.getAffineDimExpr(dimOf.lookup(run));
  SmallVector<APInt> values;
  for (int64_t lane = 0; lane < runLanes; ++lane) {
    auto value = dyn_cast<AffineConstantExpr>(
        simplify(expr.replace(variable, builder.getAffineConstantExpr(*runStart + lane))));
    if (!value) return nullptr;
    values.push_back(APInt(type.getIntOrFloatBitWidth(), uint64_t(value.getValue()), true, true));
  }
  auto vector = cast<VectorType>(valueType(type));
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vector, values));
}

Value Elements::asIndex(Value data) {
  Value scalar = uniformOf(data);
  if (!scalar) {
    runFailed = true;
    return index(0);
  }
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), scalar);
}

Value Elements::guarded(Value condition, Value otherwise, function_ref<Value()> inside) {
  Value uniform = uniformOf(condition);
  if (!uniform) {
    // What holds for all lanes is a branch outside of what differs.
    if (auto both = condition.getDefiningOp<arith::AndIOp>())
      for (bool first : {true, false})
        if (Value side = first ? both.getLhs() : both.getRhs(); uniformOf(side))
          return guarded(side, spread(otherwise), [&] {
            return guarded(first ? both.getRhs() : both.getLhs(), spread(otherwise), inside);
          });
    // Lanes differ: loads inside are masked, arithmetic on the other lanes is thrown away.
    Value outer = mask;
    if (mask) condition = builder.createOrFold<arith::AndIOp>(loc, mask, condition);
    mask = condition;
    bool outerGuard = std::exchange(inGuard, true);
    Value value = spread(inside());
    inGuard = outerGuard;
    mask = outer;
    return arith::SelectOp::create(builder, loc, condition, value, spread(otherwise));
  }
  APInt known;
  if (matchPattern(uniform, m_ConstantInt(&known))) return known.isZero() ? otherwise : inside();
  auto branch =
      scf::IfOp::create(builder, loc, otherwise.getType(), uniform, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, loc, otherwise);
  builder.setInsertionPointToStart(branch.thenBlock());
  Value value = inside();
  if (value.getType() != otherwise.getType()) value = spread(value);
  scf::YieldOp::create(builder, loc, value);
  return branch.getResult(0);
}

/// Whether lanes of `value` are known to be numbers of `declared`: read as such or rounded to it, or chosen
/// among such.
static bool isAmong(Value value, Type declared, unsigned depth = 6) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0) return false;
  if (auto wide = dyn_cast<arith::ExtFOp>(op))
    return getElementTypeOrSelf(wide.getIn()) == declared;
  APFloat number(0.0f);
  if (matchPattern(value, m_ConstantFloat(&number))) {
    bool loses = false;
    number.convert(cast<FloatType>(declared).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &loses);
    return !loses;
  }
  if (isa<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp, arith::NegFOp,
          vector::BroadcastOp, vector::ShuffleOp>(op))
    return llvm::all_of(op->getOperands(),
                        [&](Value operand) { return isAmong(operand, declared, depth - 1); });
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return isAmong(select.getTrueValue(), declared, depth - 1) &&
           isAmong(select.getFalseValue(), declared, depth - 1);
  return false;
}

Value Elements::rounded(Value value, Type declared) {
  if (declared.isBF16() || declared.isF16()) {
    if (isa<VectorType>(value.getType()) && isAmong(value, declared)) return value;
    Value narrow =
        arith::TruncFOp::create(builder, loc, withElement(value.getType(), declared), value);
    return arith::ExtFOp::create(builder, loc, value.getType(), narrow);
  }
  if (declared.isUnsignedInteger(8))
    return arith::AndIOp::create(builder, loc, value,
                                 constantIntOf(builder, loc, value.getType(), 255));
  return value;
}

} // namespace sinter::codegen
