#include "sinter/passes/memory/CheckPlan.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/memory/Lifetimes.h"

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

constexpr const char *network = R"(
func.func @step(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>,
                %w1: tensor<16x32xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
                %w2: tensor<32x4xf32> {sinter.role = "parameter", sinter.donated = 2 : i64})
    -> (tensor<f32>, tensor<16x32xf32>, tensor<32x4xf32>) {
  %z = sinter.matmul %x, %w1 : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %h = sinter.tanh %z : tensor<8x32xf32>
  %o = sinter.matmul %h, %w2 : (tensor<8x32xf32>, tensor<32x4xf32>) -> tensor<8x4xf32>
  %d = sinter.sub %o, %y : tensor<8x4xf32>
  %q = sinter.mul %d, %d : tensor<8x4xf32>
  %l = sinter.sum %q {dim = array<i64: 0, 1>} : (tensor<8x4xf32>) -> tensor<f32>
  %g2 = sinter.matmul %h, %d {transpose_a = true} : (tensor<8x32xf32>, tensor<8x4xf32>) -> tensor<32x4xf32>
  %dh = sinter.matmul %d, %w2 {transpose_b = true} : (tensor<8x4xf32>, tensor<32x4xf32>) -> tensor<8x32xf32>
  %hh = sinter.mul %h, %h : tensor<8x32xf32>
  %p = sinter.mul %dh, %hh : tensor<8x32xf32>
  %dz = sinter.sub %dh, %p : tensor<8x32xf32>
  %g1 = sinter.matmul %x, %dz {transpose_a = true} : (tensor<8x16xf32>, tensor<8x32xf32>) -> tensor<16x32xf32>
  %n1 = sinter.sub %w1, %g1 : tensor<16x32xf32>
  %n2 = sinter.sub %w2, %g2 : tensor<32x4xf32>
  return %l, %n1, %n2 : tensor<f32>, tensor<16x32xf32>, tensor<32x4xf32>
}
)";

class PlanTest : public testing::TestWithParam<bool> {
protected:
  PlanTest() {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    module = parseSourceString<ModuleOp>(network, &context);
    PassManager passes(&context);
    FusionOptions options;
    options.singletons = GetParam();
    passes.addPass(createFusion(options));
    passes.addPass(createOutline());
    passes.addPass(createPlanMemory());
    planned = module && succeeded(passes.run(*module));
    if (planned) func = *module->getOps<func::FuncOp>().begin();
  }

  bool accepted() {
    ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) { return success(); });
    return succeeded(memory::checkPlan(func));
  }

  struct Live {
    int64_t begin, end; // bytes
    int first, last;    // launches
    Value takes;        // storage taken in place
  };

  /// What lies in the arena when, worked out pair by pair from uses alone.
  std::vector<std::pair<Value, Live>> liveValues() {
    auto launches = memory::launchesOf(func);
    std::vector<std::pair<Value, Live>> values;
    for (auto [moment, launch] : llvm::enumerate(launches))
      for (auto [number, result] : llvm::enumerate(launch.getOutputs())) {
        int64_t offset = (*launch.getOffset())[number];
        if ((*launch.getHome())[number] >= 0) continue;
        Live live{offset, offset + memory::bytesOf(result), int(moment), int(moment), nullptr};
        for (auto [later, reader] : llvm::enumerate(launches))
          if (llvm::is_contained(reader.getInputs(), result))
            live.last = std::max(live.last, int(later));
        if (int64_t operand = (*launch.getInPlace())[number]; operand >= 0)
          live.takes = launch.getInputs()[operand];
        values.emplace_back(result, live);
      }
    return values;
  }

  bool someMeet() {
    auto values = liveValues();
    for (size_t i = 0; i < values.size(); ++i)
      for (size_t j = 0; j < i; ++j) {
        const Live &a = values[i].second, &b = values[j].second; // b first
        bool handsOver = a.takes == values[j].first && b.last == a.first && a.begin == b.begin;
        if (!handsOver && a.begin < b.end && b.begin < a.end && a.first <= b.last &&
            b.first <= a.last)
          return true;
      }
    return false;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  bool planned = false;
};

TEST_P(PlanTest, TheWholeStepIsPlannedAtItsBound) {
  ASSERT_TRUE(planned);
  EXPECT_TRUE(accepted());
  EXPECT_FALSE(someMeet());
  int64_t arena = func->getAttrOfType<IntegerAttr>(memory::arenaBytesAttr).getInt();
  int64_t bound = func->getAttrOfType<IntegerAttr>(memory::lowerBoundAttr).getInt();
  EXPECT_GT(bound, 0);
  EXPECT_LE(double(arena), 1.02 * double(bound));
}

// Offsets are moved at random. Where two live values then meet, the checker must see it; where none
// do, it must not complain (but for the place that an in-place pair shares).
TEST_P(PlanTest, MovedValuesThatMeetAreRefused) {
  ASSERT_TRUE(planned);
  std::mt19937 random(5);
  auto launches = memory::launchesOf(func);
  int64_t arena = func->getAttrOfType<IntegerAttr>(memory::arenaBytesAttr).getInt();
  // Room to move to places that nobody uses, too.
  func->setAttr(memory::arenaBytesAttr, Builder(&context).getI64IntegerAttr(2 * arena));
  int meetings = 0, harmless = 0;
  for (int turn = 0; turn < 2000; ++turn) {
    LaunchOp launch = launches[random() % launches.size()];
    if (launch.getOutputs().empty()) continue;
    size_t result = random() % launch.getOutputs().size();
    if ((*launch.getHome())[result] >= 0 || (*launch.getInPlace())[result] >= 0) continue;
    // Values that take this one's storage would have to move along.
    bool isTaken = llvm::any_of(liveValues(), [&](auto &entry) {
      return entry.second.takes == launch.getOutputs()[result];
    });
    if (isTaken) continue;
    SmallVector<int64_t> offsets(*launch.getOffset());
    int64_t old = offsets[result];
    int64_t room = 2 * arena - memory::bytesOf(launch.getOutputs()[result]);
    offsets[result] = 64 * int64_t(random() % uint64_t(room / 64 + 1));
    launch.setOffset(offsets);
    bool meet = someMeet();
    EXPECT_EQ(accepted(), !meet) << "turn " << turn;
    ++(meet ? meetings : harmless);
    offsets[result] = old;
    launch.setOffset(offsets);
  }
  EXPECT_GT(meetings, 50);
  EXPECT_GT(harmless, 20);
}

TEST_P(PlanTest, AnArenaThatIsTooSmallIsRefused) {
  ASSERT_TRUE(planned);
  int64_t arena = func->getAttrOfType<IntegerAttr>(memory::arenaBytesAttr).getInt();
  func->setAttr(memory::arenaBytesAttr, Builder(&context).getI64IntegerAttr(arena - 64));
  EXPECT_FALSE(accepted());
}

TEST_P(PlanTest, ResultsWithoutAPlaceAreRefused) {
  ASSERT_TRUE(planned);
  for (LaunchOp launch : memory::launchesOf(func))
    for (size_t result = 0; result < launch.getOutputs().size(); ++result) {
      SmallVector<int64_t> homes(*launch.getHome()), old = homes;
      if (homes[result] < 0) continue;
      homes[result] = -1; // and its offset is -1
      launch.setHome(homes);
      EXPECT_FALSE(accepted());
      launch.setHome(old);
    }
  EXPECT_TRUE(accepted());
}

// Launches in another order read what is not there yet, or no more.
TEST_P(PlanTest, ExchangedLaunchesAreRefusedWhereBytesMeet) {
  ASSERT_TRUE(planned);
  int refused = 0;
  auto launches = memory::launchesOf(func);
  for (size_t i = 0; i + 1 < launches.size(); ++i) {
    LaunchOp first = launches[i], second = launches[i + 1];
    if (llvm::any_of(second.getInputs(),
                     [&](Value v) { return memory::storageOf(v).getDefiningOp() == first; }))
      continue;
    bool reshapesBetween = first->getNextNode() != second;
    if (reshapesBetween) continue;
    second->moveBefore(first);
    bool meet = someMeet();
    if (meet) {
      EXPECT_FALSE(accepted()) << "launch " << i;
      ++refused;
    }
    first->moveBefore(second);
  }
  RecordProperty("refused", refused);
}

INSTANTIATE_TEST_SUITE_P(Fusion, PlanTest, testing::Values(true, false),
                         [](const auto &info) { return info.param ? "Singletons" : "Fused"; });

} // namespace
