#include "Planted.h"

using namespace mlir;
using namespace sinter;

namespace planted {
namespace {

/// Lets `op`'s result be what `make` makes of it.
template <class Make> bool rewriteResult(Operation *op, Make make) {
  if (!op) return false;
  OpBuilder b(op->getContext());
  b.setInsertionPointAfter(op);
  Value old = op->getResult(0);
  Value made = make(b, op->getLoc(), old);
  old.replaceUsesWithIf(made, [&](OpOperand &use) {
    for (Value value = made; Operation *def = value.getDefiningOp(); value = def->getOperand(0)) {
      if (use.getOwner() == def) return false;
      if (def == op || def->getNumOperands() == 0) break;
    }
    return use.getOwner() != made.getDefiningOp();
  });
  return true;
}

/// The first op in the middle of floating-point arithmetic.
Operation *firstArithmetic(ModuleOp module) {
  Operation *found = nullptr;
  module.walk([&](Operation *op) {
    if (!isa<ir::MulOp, ir::AddOp, ir::SubOp, ir::DivOp, ir::ExpOp, ir::MatmulOp, ir::Conv2dOp>(
            op) ||
        ir::elementOf(op->getResult(0)).isBF16() || !isFloat(op->getResult(0)))
      return WalkResult::advance();
    found = op;
    return WalkResult::interrupt();
  });
  return found;
}

bool type(ModuleOp module) { // through an integer and back
  return rewriteResult(firstArithmetic(module), [](OpBuilder &b, Location loc, Value x) -> Value {
    auto whole = ir::tensorType(x).clone(b.getI32Type());
    return ir::CastOp::create(b, loc, x.getType(), ir::CastOp::create(b, loc, whole, x));
  });
}

bool rounding(ModuleOp module) { // through bf16 and back
  return rewriteResult(firstArithmetic(module), [](OpBuilder &b, Location loc, Value x) -> Value {
    auto narrow = ir::tensorType(x).clone(b.getBF16Type());
    return ir::CastOp::create(b, loc, x.getType(), ir::CastOp::create(b, loc, narrow, x));
  });
}

bool mask(ModuleOp module) { // the branches of a selection change places
  auto select = firstOp<ir::SelectOp>(
      module, [](ir::SelectOp op) { return op.getOnTrue() != op.getOnFalse(); });
  if (!select) return false;
  Value yes = select.getOnTrue(), no = select.getOnFalse();
  select->setOperands({select.getCondition(), no, yes});
  return true;
}

bool boundary(ModuleOp module) { // what happens where both are equal
  auto compare = firstOp<ir::CompareOp>(module, [](ir::CompareOp op) {
    return isFloat(op.getLhs()) && op.getPredicate() != ir::ComparePredicate::eq &&
           op.getPredicate() != ir::ComparePredicate::ne;
  });
  if (!compare) return false;
  using P = ir::ComparePredicate;
  P now = compare.getPredicate();
  compare.setPredicate(now == P::lt ? P::le : now == P::le ? P::lt : now == P::gt ? P::ge : P::gt);
  return true;
}

bool sign(ModuleOp module) { // the last difference: earlier ones may be squared
  ir::SubOp sub;
  module.walk([&](ir::SubOp op) {
    if (op.getLhs() != op.getRhs() && isFloat(op.getLhs())) sub = op;
  });
  if (!sub) return false;
  sub->setOperands({sub.getRhs(), sub.getLhs()});
  return true;
}

bool constant(ModuleOp module) { // a little more than it was
  auto op = firstOp<ir::ConstantOp>(module, [](ir::ConstantOp each) {
    auto splat = dyn_cast<SplatElementsAttr>(each.getValue());
    return splat && isFloat(each.getResult()) && !each->use_empty() &&
           !splat.getSplatValue<APFloat>().isZero();
  });
  if (!op) return false;
  auto splat = cast<SplatElementsAttr>(op.getValue());
  double value = splat.getSplatValue<APFloat>().convertToDouble() * 1.01;
  auto element = cast<FloatType>(ir::elementOf(op.getResult()));
  op.setValueAttr(DenseElementsAttr::get(cast<ShapedType>(op.getType()),
                                         Attribute(FloatAttr::get(element, value))));
  return true;
}

bool epsilon(ModuleOp module) { // a small number that keeps a divisor or a root away from zero
  auto op = firstOp<ir::ConstantOp>(module, [](ir::ConstantOp each) {
    auto splat = dyn_cast<SplatElementsAttr>(each.getValue());
    if (!splat || !isFloat(each.getResult()) || each->use_empty()) return false;
    double value = splat.getSplatValue<APFloat>().convertToDouble();
    return value > 0 && value <= 1e-4;
  });
  if (!op) return false;
  op.setValueAttr(DenseElementsAttr::get(
      cast<ShapedType>(op.getType()), Attribute(FloatAttr::get(ir::elementOf(op.getResult()), 0))));
  return true;
}

bool reductionKind(ModuleOp module) { // a sum becomes a maximum
  Operation *op = nullptr;
  module.walk([&](Operation *each) {
    bool fits =
        isa<ir::SumOp, ir::MeanOp>(each) && ir::tensorType(each->getOperand(0)).getNumElements() >
                                                ir::tensorType(each->getResult(0)).getNumElements();
    op = fits ? each : nullptr;
    return fits ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!op) return false;
  OpBuilder b(op);
  OperationState state(op->getLoc(), "sinter.max", op->getOperands(), op->getResultTypes(),
                       op->getAttrs());
  op->replaceAllUsesWith(b.create(state));
  op->erase();
  return true;
}

bool gradientDropped(ModuleOp module) { // one of two gradients that meet is forgotten
  auto add = firstOp<ir::AddOp>(module, [](ir::AddOp op) {
    std::string place;
    llvm::raw_string_ostream os(place);
    op->getLoc().print(os);
    return isFloat(op.getResult()) && place.find("gradient") != std::string::npos &&
           op.getLhs() != op.getRhs();
  });
  if (!add) return false;
  add.getResult().replaceAllUsesWith(add.getLhs());
  add.erase();
  return true;
}

bool nanLost(ModuleOp module) { // a comparison is false for NaN, and relu keeps it
  return rewriteResult(
      firstOp<ir::ReluOp>(module, [](ir::ReluOp op) { return isFloat(op.getX()); }),
      [](OpBuilder &b, Location loc, Value relu) -> Value {
        Value x = relu.getDefiningOp()->getOperand(0);
        Value zero = ir::splat(b, loc, ir::tensorType(x), 0);
        Value above = ir::CompareOp::create(b, loc, ir::ComparePredicate::gt, x, zero);
        return ir::SelectOp::create(b, loc, above, x, zero);
      });
}

bool randomStream(ModuleOp module) {
  Operation *op = nullptr;
  module.walk([&](Operation *each) {
    if (each->hasAttr("stream")) op = each;
    return op ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!op) return false;
  auto stream = op->getAttrOfType<IntegerAttr>("stream");
  op->setAttr("stream", IntegerAttr::get(stream.getType(), stream.getInt() + 1));
  return true;
}

bool randomStep(ModuleOp module) { // the same mask in every step
  auto op = firstOp<ir::DropoutOp>(module);
  if (!op) return false;
  OpBuilder b(op);
  op->setOperand(2, ir::splat(b, op.getLoc(), ir::tensorType(op->getOperand(2)), 0));
  return true;
}

bool updateLost(ModuleOp module) { // state keeps its old value
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.getArguments())
      if (auto donated =
              function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), ir::donatedAttr)) {
        function.getBody().front().getTerminator()->setOperand(unsigned(donated.getInt()),
                                                               argument);
        return true;
      }
  return false;
}

bool clampBound(ModuleOp module) {
  auto op = firstOp<ir::ReluOp>(module);
  if (!op || !isFloat(op.getX())) return false;
  OpBuilder b(op);
  auto made = ir::ClampOp::create(b, op.getLoc(), op.getType(), op.getX(), b.getF64FloatAttr(0),
                                  b.getF64FloatAttr(0.125));
  op.getResult().replaceAllUsesWith(made.getResult());
  op.erase();
  return true;
}

} // namespace

ArrayRef<Bug> valueBugs() {
  static const Bug bugs[] = {
      {"plant-type", "Takes a value through an integer", type},
      {"plant-rounding", "Takes a value through bf16", rounding},
      {"plant-mask", "Swaps the branches of a selection", mask},
      {"plant-boundary", "Makes a strict comparison lax", boundary},
      {"plant-sign", "Swaps the operands of a difference", sign},
      {"plant-constant", "Changes a constant by a hundredth", constant},
      {"plant-epsilon", "Makes a small constant zero", epsilon},
      {"plant-reduction-kind", "Makes a sum a maximum", reductionKind},
      {"plant-gradient-dropped", "Forgets one of two gradients", gradientDropped},
      {"plant-nan-lost", "Makes relu a selection, which loses NaN", nanLost},
      {"plant-random-stream", "Draws other random numbers", randomStream},
      {"plant-random-step", "Draws the same mask in every step", randomStep},
      {"plant-update-lost", "Returns state as it was", updateLost},
      {"plant-clamp", "Bounds a relu above", clampBound},
  };
  return bugs;
}

} // namespace planted
