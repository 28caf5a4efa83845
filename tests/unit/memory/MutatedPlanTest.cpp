// Plans of random models, mutated at random: the checker refuses exactly those where live values meet.
#include "RandomModel.h"

#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/memory/CheckPlan.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <random>

using namespace mlir;
using namespace sinter;
using namespace sinter::ir;
using namespace sinter::passes;

namespace {

/// What one launched value occupies of the arena, told from uses alone.
struct Live {
  Value value, takes; // takes: the operand whose storage it is written over
  int64_t begin = 0, end = 0;
  int written = 0, read = 0;
};

class MutatedPlan : public testing::TestWithParam<unsigned> {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    random.seed(GetParam());
    std::string text = test::randomModel(random);
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module) << text;
    PassManager passes(&context);
    FusionOptions options;
    options.singletons = GetParam() % 2 == 0;
    passes.addPass(createFusion(options));
    passes.addPass(createOutline());
    passes.addPass(createPlanMemory());
    ASSERT_TRUE(succeeded(passes.run(*module))) << text;
    func = *module->getOps<func::FuncOp>().begin();
    func.walk([&](LaunchOp launch) { launches.push_back(launch); });
    // Room to move to where nobody lies, too.
    arena = func->getAttrOfType<IntegerAttr>(memory::arenaBytesAttr).getInt() + 4096;
    func->setAttr(memory::arenaBytesAttr, Builder(&context).getI64IntegerAttr(arena));
  }

  bool accepted() {
    ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) { return success(); });
    return succeeded(memory::checkPlan(func));
  }

  static int64_t bytesOf(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.getNumElements() * type.getElementTypeBitWidth() / 8;
  }
  static Value behindViews(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (op->getName().getStringRef() != "sinter.reshape") break;
      value = op->getOperand(0);
    }
    return value;
  }

  std::vector<Live> arenaValues() {
    std::vector<Live> values;
    for (int moment = 0; moment < int(launches.size()); ++moment) {
      LaunchOp launch = launches[size_t(moment)];
      for (OpResult result : launch->getResults()) {
        unsigned number = result.getResultNumber();
        if ((*launch.getHome())[number] >= 0) continue;
        Live live{result, nullptr, (*launch.getOffset())[number], 0, moment, moment};
        live.end = live.begin + bytesOf(result);
        if (int64_t operand = (*launch.getInPlace())[number]; operand >= 0)
          live.takes = behindViews(launch.getInputs()[operand]);
        for (int later = moment + 1; later < int(launches.size()); ++later)
          for (Value input : launches[size_t(later)].getInputs())
            if (behindViews(input) == result) live.read = later;
        values.push_back(live);
      }
    }
    return values;
  }

  // What is written over may not be read by way of another operand too.
  static bool readsOnce(Value result, Value value) {
    auto launch = cast<LaunchOp>(result.getDefiningOp());
    return llvm::count_if(launch.getInputs(),
                          [&](Value input) { return behindViews(input) == value; }) == 1;
  }

  bool someMeetOrLeave() {
    std::vector<Live> values = arenaValues();
    for (const Live &a : values) {
      if (a.begin < 0 || a.end > arena) return true;
      for (const Live &b : values) {
        bool before = b.written < a.written;
        bool beside = b.written == a.written && b.value != a.value;
        if (!(before || beside) || a.begin >= b.end || b.begin >= a.end || b.read < a.written)
          continue;
        bool handsOver = before && a.takes == b.value && b.read == a.written &&
                         a.begin == b.begin && a.end == b.end && readsOnce(a.value, b.value);
        if (!handsOver) return true;
      }
    }
    return false;
  }

  // Values that stand alone: none shares their storage on purpose.
  std::vector<Live> looseValues() {
    std::vector<Live> values = arenaValues(), loose;
    for (const Live &live : values)
      if (!live.takes &&
          llvm::none_of(values, [&](const Live &o) { return o.takes == live.value; }))
        loose.push_back(live);
    return loose;
  }

  void judge(const char *mutation) {
    bool meet = someMeetOrLeave();
    EXPECT_EQ(accepted(), !meet) << mutation << " in model " << GetParam();
    ++(meet ? meetings : harmless);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  std::vector<LaunchOp> launches;
  std::mt19937 random;
  int64_t arena = 0;
  int meetings = 0, harmless = 0;
};

TEST_P(MutatedPlan, OffsetsThatMeetAreRefused) {
  ASSERT_TRUE(accepted());
  std::vector<Live> loose = looseValues();
  for (int turn = 0; turn < 200 && !loose.empty(); ++turn) {
    auto result = cast<OpResult>(loose[random() % loose.size()].value);
    auto launch = cast<LaunchOp>(result.getOwner());
    SmallVector<int64_t> offsets(*launch.getOffset()), old = offsets;
    offsets[result.getResultNumber()] = 64 * int64_t(random() % uint64_t(arena / 64));
    launch.setOffset(offsets);
    judge("an offset");
    launch.setOffset(old);
  }
  EXPECT_TRUE(accepted());
  if (loose.size() > 2) { EXPECT_GT(meetings, 0); }
}

TEST_P(MutatedPlan, LifetimesThatMeetAreRefused) {
  for (int turn = 0; turn < 200; ++turn) {
    std::vector<Live> values = arenaValues();
    if (values.empty()) break;
    const Live &live = values[random() % values.size()];
    LaunchOp reader = launches[random() % launches.size()];
    if (reader.getInputs().empty()) continue;
    size_t operand = random() % reader.getInputs().size();
    // Read again, in place of another operand; not before it is written, nor where it is read over.
    int moment = int(std::find(launches.begin(), launches.end(), reader) - launches.begin());
    if (moment <= live.written || llvm::is_contained(*reader.getInPlace(), int64_t(operand)))
      continue;
    Value old = reader->getOperand(unsigned(operand));
    reader->setOperand(unsigned(operand), live.value);
    judge("a lifetime");
    reader->setOperand(unsigned(operand), old);
  }
  EXPECT_TRUE(accepted());
}

TEST_P(MutatedPlan, SizesThatMeetAreRefused) {
  std::vector<Live> loose = looseValues();
  for (int turn = 0; turn < 100 && !loose.empty(); ++turn) {
    Value value = loose[random() % loose.size()].value;
    Type old = value.getType();
    value.setType(
        RankedTensorType::get({int64_t(1 + random() % 2048)}, Float32Type::get(&context)));
    judge("a size");
    value.setType(old);
  }
  EXPECT_TRUE(accepted());
}

INSTANTIATE_TEST_SUITE_P(Models, MutatedPlan, testing::Range(0u, 24u));

} // namespace
