// The plug-in of the passes that sinter-pass-check is to catch, and of one good one. Each is bad in one way.
#include "Planted.h"

#include "mlir/Tools/Plugins/PassPlugin.h"

#include <atomic>

using namespace mlir;
using namespace sinter;

namespace {

/// The functions with a body.
std::vector<func::FuncOp> functionsOf(ModuleOp module) {
  std::vector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal()) functions.push_back(function);
  return functions;
}

/// The results of ops of floats, each once.
SmallVector<Value> floatsOf(ModuleOp module) {
  SmallVector<Value> values;
  module.walk([&](Operation *op) {
    if (!isa<ir::SinterDialect>(op->getDialect()) || op->hasTrait<OpTrait::ConstantLike>()) return;
    for (Value result : op->getResults())
      if (planted::isFloat(result)) values.push_back(result);
  });
  return values;
}

bool good(ModuleOp module) { // sums begin with the operand whose maker has fewer operands
  module.walk([](ir::AddOp op) {
    auto rank = [](Value value) {
      Operation *def = value.getDefiningOp();
      return def ? int64_t(def->getNumOperands()) : -1;
    };
    if (rank(op.getRhs()) >= rank(op.getLhs())) return;
    Value lhs = op.getLhs();
    op->setOperand(0, op.getRhs());
    op->setOperand(1, lhs);
  });
  return true;
}

bool value(ModuleOp module) { // a - b becomes a + b
  SmallVector<ir::SubOp> all;
  module.walk([&](ir::SubOp op) { all.push_back(op); });
  for (ir::SubOp op : all) {
    OpBuilder b(op);
    op.getResult().replaceAllUsesWith(
        ir::AddOp::create(b, op.getLoc(), op.getType(), op.getLhs(), op.getRhs()).getResult());
    op.erase();
  }
  return true;
}

bool restless(ModuleOp module) { // -(-x), again each time
  for (Value x : floatsOf(module)) {
    OpBuilder b(module.getContext());
    b.setInsertionPointAfterValue(x);
    Value minus = ir::NegOp::create(b, x.getLoc(), x.getType(), x);
    Value again = ir::NegOp::create(b, x.getLoc(), x.getType(), minus);
    x.replaceAllUsesExcept(again, minus.getDefiningOp());
    return true;
  }
  return true;
}

bool random(ModuleOp module) { // in an order that an address decides
  static std::atomic<unsigned> runs{0};
  unsigned run = runs++;
  module.walk([&](ir::MulOp op) {
    if (run % 2 == 0 || op.getLhs() == op.getRhs()) return;
    Value lhs = op.getLhs();
    op->setOperand(0, op.getRhs());
    op->setOperand(1, lhs);
  });
  return true;
}

bool nowhere(ModuleOp module) { // new ops without a location
  SmallVector<ir::ReluOp> all;
  module.walk([&](ir::ReluOp op) { all.push_back(op); });
  for (ir::ReluOp op : all) {
    OpBuilder b(op);
    auto made = ir::ReluOp::create(b, b.getUnknownLoc(), op.getType(), op.getX());
    op.getResult().replaceAllUsesWith(made.getResult());
    op.erase();
  }
  return true;
}

bool invalid(ModuleOp module) { // a sum over a dimension that is not there
  module.walk([](ir::SumOp op) { op.setDim({7}); });
  return true;
}

bool quadratic(ModuleOp module) { // looks at every pair of ops
  std::vector<Operation *> ops;
  module.walk([&](Operation *op) { ops.push_back(op); });
  int64_t pairs = 0;
  for (Operation *a : ops)
    for (Operation *b : ops)
      pairs += a != b && a->getName() == b->getName() && a->getNumOperands() == b->getNumOperands();
  OpBuilder b(module.getContext());
  for (func::FuncOp function : functionsOf(module))
    function->setAttr("planted.pairs", b.getI64IntegerAttr(pairs));
  return true;
}

int64_t paths(Value value) { // counts the paths to a value one by one
  int64_t count = 1;
  if (Operation *def = value.getDefiningOp())
    for (Value operand : def->getOperands()) count += paths(operand);
  return count;
}

bool exponential(ModuleOp module) {
  // Twice as many with each op: x + x, and so on.
  OpBuilder b(module.getContext());
  int64_t count = 0;
  for (func::FuncOp function : functionsOf(module)) {
    Operation *end = function.getBody().front().getTerminator();
    SmallVector<Value> values(function.getArguments().begin(), function.getArguments().end());
    for (Value result : end->getOperands()) count += paths(result);
    int64_t ops =
        std::distance(function.getBody().front().begin(), function.getBody().front().end());
    volatile int64_t spin = 0;
    for (int64_t i = 0; i < (int64_t(1) << std::min<int64_t>(ops, 60)); ++i) spin = spin + 1;
    function->setAttr("planted.paths", b.getI64IntegerAttr(count));
  }
  return true;
}

bool crash(ModuleOp module) { // takes for granted what makes an operand
  module.walk([](ir::MatmulOp op) {
    if (op.getRhs().getDefiningOp()->getNumOperands() > 2) op.setTransposeB(!op.getTransposeB());
  });
  return true;
}

bool silent(ModuleOp module) { // fails, and does not say why
  return !planted::firstOp<ir::SoftmaxOp>(module) && !planted::firstOp<ir::MaxOp>(module);
}

bool forgetful(ModuleOp module) { // drops what is known of arguments
  for (func::FuncOp function : functionsOf(module)) function.setArgAttrsAttr({});
  return true;
}

bool rare(ModuleOp module) { // right but for rows of 17
  module.walk([](ir::ReluOp op) {
    ArrayRef<int64_t> shape = ir::shapeOf(op.getX());
    if (!shape.empty() && shape.back() == 17) op.getResult().replaceAllUsesWith(op.getX());
  });
  return true;
}

bool narrow(ModuleOp module) { // multiplies in bf16
  SmallVector<ir::MulOp> all;
  module.walk([&](ir::MulOp op) {
    if (ir::elementOf(op.getResult()).isF32()) all.push_back(op);
  });
  for (ir::MulOp op : all) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    auto type = ir::tensorType(op.getResult()).clone(b.getBF16Type());
    Value lhs = ir::CastOp::create(b, loc, type, op.getLhs()),
          rhs = ir::CastOp::create(b, loc, type, op.getRhs());
    Value product = ir::MulOp::create(b, loc, type, lhs, rhs);
    op.getResult().replaceAllUsesWith(
        ir::CastOp::create(b, loc, op.getType(), product).getResult());
    op.erase();
  }
  return true;
}

bool nanLost(ModuleOp module) { // relu as a selection
  SmallVector<ir::ReluOp> all;
  module.walk([&](ir::ReluOp op) {
    if (planted::isFloat(op.getX())) all.push_back(op);
  });
  for (ir::ReluOp op : all) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value zero = ir::splat(b, loc, ir::tensorType(op.getX()), 0);
    Value above = ir::CompareOp::create(b, loc, ir::ComparePredicate::gt, op.getX(), zero);
    op.getResult().replaceAllUsesWith(
        ir::SelectOp::create(b, loc, above, op.getX(), zero).getResult());
    op.erase();
  }
  return true;
}

bool greedy(ModuleOp module) { // leaves a function that fusion does not accept
  for (func::FuncOp function : functionsOf(module)) {
    Operation *end = function.getBody().front().getTerminator();
    for (OpOperand &operand : end->getOpOperands()) {
      if (operand.get().getDefiningOp<ir::GradientOp>()) return true;
      if (!planted::isFloat(operand.get())) continue;
      OpBuilder b(end);
      operand.set(ir::GradientOp::create(b, operand.get().getLoc(),
                                         TypeRange(operand.get().getType()),
                                         ValueRange(operand.get()), ValueRange(operand.get()),
                                         ValueRange(operand.get()))
                      ->getResult(0));
      return true;
    }
  }
  return true;
}

const planted::Bug passes[] = {
    {"good-tidy", "Puts the operands of sums in order", good},
    {"bad-value", "Adds where it should subtract", value},
    {"bad-restless", "Changes what it made itself", restless},
    {"bad-random", "Does something else each time", random},
    {"bad-nowhere", "Loses locations", nowhere},
    {"bad-invalid", "Leaves invalid IR", invalid},
    {"bad-quadratic", "Looks at all pairs of ops", quadratic},
    {"bad-exponential", "Takes for ever", exponential},
    {"bad-crash", "Crashes on some graphs", crash},
    {"bad-silent", "Fails without a word", silent},
    {"bad-forgetful", "Drops roles and donations", forgetful},
    {"bad-rare", "Is wrong for one shape", rare},
    {"bad-narrow", "Multiplies in bf16", narrow},
    {"bad-nan", "Loses NaN", nanLost},
    {"bad-gradient", "Leaves a gradient closed", greedy},
};

struct BadPass : PassWrapper<BadPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(BadPass)
  explicit BadPass(const planted::Bug &bug) : bug(bug) {}
  BadPass(const BadPass &) = default;
  StringRef getArgument() const override { return bug.name; }
  StringRef getDescription() const override { return bug.description; }
  void runOnOperation() override {
    if (!bug.plant(getOperation())) signalPassFailure();
  }
  const planted::Bug &bug;
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "BadPasses", "1", [] {
            for (const planted::Bug &bug : passes)
              registerPass(
                  [&bug]() -> std::unique_ptr<Pass> { return std::make_unique<BadPass>(bug); });
          }};
}
