// What is tried on a tape is what the IR then is.
#include "RandomModel.h"

#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/memory/Beam.h"
#include "sinter/passes/memory/CheckPlan.h"
#include "sinter/passes/memory/Recompute.h"

#include "../../support/Ir.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace sinter;
using namespace sinter::ir;
using namespace sinter::passes;
using namespace sinter::passes::memory;

namespace {

int64_t peakOf(const std::vector<Extent> &extents) { return lowerBound(extents); }

/// A module of one function, as it is before its memory is planned.
struct Outlined {
  Outlined(test::Ir &ir, const std::string &text, bool singletons) : module(ir.parse(text)) {
    EXPECT_TRUE(module) << text;
    PassManager passes(&ir.context);
    FusionOptions options;
    options.singletons = singletons;
    passes.addPass(createFusion(options));
    passes.addPass(createOutline());
    EXPECT_TRUE(succeeded(passes.run(*module))) << text;
  }
  func::FuncOp function() { return *module->getOps<func::FuncOp>().begin(); }

  OwningOpRef<ModuleOp> module;
};

std::vector<codegen::HostTensor> inputsOf(func::FuncOp func, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<codegen::HostTensor> inputs;
  for (Type type : func.getArgumentTypes()) {
    std::vector<double> numbers(size_t(cast<RankedTensorType>(type).getNumElements()));
    for (double &number : numbers) number = uniform(random);
    inputs.push_back(codegen::fromNumbers(cast<RankedTensorType>(type), numbers));
  }
  return inputs;
}

class Tapes : public testing::TestWithParam<unsigned> {};

TEST_P(Tapes, HaveTheLifetimesOfTheFunction) {
  test::Ir ir;
  std::mt19937 random(GetParam());
  Outlined model(ir, test::randomModel(random), GetParam() % 2 == 0);
  func::FuncOp func = model.function();
  Precedence precedence(func);
  Homes homes = assignHomes(func, precedence);
  arrangeAsIs(func, precedence, homes);
  Tape tape(func, homes);
  std::vector<Extent> known = lifetimesOf(func, homes).extents(), extents = tape.extents();
  ASSERT_EQ(known.size(), extents.size());
  for (size_t i = 0; i < known.size(); ++i) {
    EXPECT_EQ(known[i].bytes, extents[i].bytes);
    EXPECT_EQ(known[i].first, extents[i].first);
    EXPECT_EQ(known[i].last, extents[i].last);
  }
  EXPECT_EQ(tape.peak(), peakOf(known));
  EXPECT_EQ(tape.excess(tape.peak()), 0);
  EXPECT_GT(tape.excess(tape.peak() - 1), 0);
}

// Within budgets that get smaller until nothing helps: the plan is valid, keeps the budget, and every
// result has the same bits.
TEST_P(Tapes, BudgetsChangeNoResult) {
  test::Ir ir;
  std::mt19937 random(GetParam());
  std::string text = test::randomModel(random);
  auto planned = [&](int64_t budget, bool &fits) {
    Outlined model(ir, text, GetParam() % 2 == 0);
    PassManager passes(&ir.context);
    passes.addPass(createRematerialize({budget}));
    passes.addPass(createPlanMemory({budget}));
    passes.addPass(createCheckPlan());
    fits = succeeded(passes.run(*model.module));
    return std::move(model.module);
  };
  bool fits = false;
  OwningOpRef<ModuleOp> whole = planned(0, fits);
  ASSERT_TRUE(fits) << ir.errors;
  auto function = [](ModuleOp module) { return *module.getOps<func::FuncOp>().begin(); };
  auto arenaOf = [&](ModuleOp module) {
    return function(module)->getAttrOfType<IntegerAttr>(arenaBytesAttr).getInt();
  };
  std::vector<codegen::HostTensor> inputs = inputsOf(function(*whole), GetParam());
  auto expected = codegen::evaluate(function(*whole), inputs);
  ASSERT_TRUE(succeeded(expected));
  int64_t arena = arenaOf(*whole);
  for (int64_t budget = arena - 64; budget > 0;
       budget -= std::max<int64_t>(64, arena / 8 / 64 * 64)) {
    ir.errors.clear();
    OwningOpRef<ModuleOp> within = planned(budget, fits);
    if (!fits) {
      EXPECT_NE(ir.errors.find("its budget is"), std::string::npos) << ir.errors;
      break;
    }
    EXPECT_LE(arenaOf(*within), budget);
    auto actual = codegen::evaluate(function(*within), inputs);
    ASSERT_TRUE(succeeded(actual)) << ir.errors;
    for (size_t i = 0; i < expected->size(); ++i)
      EXPECT_EQ((*expected)[i].values, (*actual)[i].values) << "result " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Tapes, testing::Range(0u, 24u));

// Pairs of a small and a large value in the worst order: all small ones are made of large ones first.
TEST(Parts, ScalarsBesideAReductionAreAKernelOnTheirOwn) {
  test::Ir ir;
  auto module = ir.parse(R"(
  sinter.kernel @k schedule(#sinter.reduction)
      : (tensor<8x4xf32>, tensor<f32>, tensor<1x1xf32>) -> (tensor<f32>, tensor<f32>, tensor<1x1xf32>) {
  ^bb0(%a: tensor<8x4xf32>, %t: tensor<f32>, %u: tensor<1x1xf32>):
    %s = sinter.sum %a {dim = array<i64: 0, 1>} : (tensor<8x4xf32>) -> tensor<f32>
    %n = sinter.exp %t : tensor<f32>
    %m = sinter.neg %u : tensor<1x1xf32>
    sinter.yield %s, %n, %m : tensor<f32>, tensor<f32>, tensor<1x1xf32>
  })");
  ASSERT_TRUE(module) << ir.errors;
  KernelOp kernel = *module->getOps<KernelOp>().begin();
  auto parts = sinter::passes::memory::partsOf(kernel);
  ASSERT_EQ(parts.size(), 3u);
  for (unsigned part : {0u, 1u}) EXPECT_TRUE(kernelOfParts(kernel, parts, {part}));
  EXPECT_TRUE(kernelOfParts(kernel, parts, {1u, 2u})); // of two shapes
  EXPECT_TRUE(succeeded(verify(*module))) << ir.errors;
}

TEST(Order, OneThatIsBadIsLeft) {
  test::Ir ir;
  std::string body, sums;
  constexpr int branches = 8;
  for (int i = 0; i < branches; ++i) {
    std::string n = std::to_string(i);
    body += "  %a" + n + " = sinter.matmul %x, %w" + n +
            " : (tensor<32x8xf32>, tensor<8x64xf32>) -> tensor<32x64xf32>\n";
    sums += "  %s" + n + " = sinter.sum %a" + n +
            " {dim = array<i64: 0, 1>} : (tensor<32x64xf32>) -> tensor<f32>\n";
  }
  std::string arguments = "%x: tensor<32x8xf32>", total = "%s0";
  for (int i = 0; i < branches; ++i) arguments += ", %w" + std::to_string(i) + ": tensor<8x64xf32>";
  for (int i = 1; i < branches; ++i) {
    std::string n = std::to_string(i);
    sums += "  %t" + n + " = sinter.add " + total + ", %s" + n + " : tensor<f32>\n";
    total = "%t" + n;
  }
  Outlined model(ir,
                 "func.func @f(" + arguments + ") -> tensor<f32> {\n" + body + sums + "  return " +
                     total + " : tensor<f32>\n}\n",
                 true);
  func::FuncOp func = model.function();
  Precedence precedence(func);
  Homes homes = assignHomes(func, precedence);
  int64_t before = lowerBound(lifetimesOf(func, homes).extents());
  orderLaunches(func, precedence, homes);
  int64_t after = lowerBound(lifetimesOf(func, homes).extents());
  constexpr int64_t large = 32 * 64 * 4;
  EXPECT_GE(before, branches * large);
  EXPECT_LT(after, large + branches * 64 + 64);
}

/// Four chains of products from one input, which grow and shrink again, added up; the lines in an order
/// drawn at random among those that are valid.
std::string shuffledChains(std::mt19937 &random) {
  auto type = [](int width) { return "tensor<16x" + std::to_string(width) + "xf32>"; };
  std::string arguments = "%x: " + type(16), body, total;
  std::vector<std::vector<std::string>> chains(4);
  for (int chain = 0; chain < 4; ++chain) {
    std::string from = "%x";
    int width = 16;
    for (int step = 0; step < 3; ++step) {
      int to = step == 2 ? 16 : 16 << (random() % 5);
      std::string n = std::to_string(chain) + "_" + std::to_string(step);
      std::string weight = "tensor<" + std::to_string(width) + "x" + std::to_string(to) + "xf32>";
      arguments += ", %w" + n + ": " + weight;
      chains[size_t(chain)].push_back("  %v" + n + " = sinter.matmul " + from + ", %w" + n +
                                      " : (" + type(width) + ", " + weight + ") -> " + type(to) +
                                      "\n");
      from = "%v" + n;
      width = to;
    }
  }
  for (size_t left = 12; left > 0;) {
    std::vector<std::string> &chain = chains[random() % 4];
    if (chain.empty()) continue;
    body += chain.front();
    chain.erase(chain.begin());
    --left;
  }
  total = "%v0_2";
  for (int chain = 1; chain < 4; ++chain) {
    std::string n = std::to_string(chain);
    body += "  %t" + n + " = sinter.add " + total + ", %v" + n + "_2 : " + type(16) + "\n";
    total = "%t" + n;
  }
  return "func.func @f(" + arguments + ") -> " + type(16) + " {\n" + body + "  return " + total +
         " : " + type(16) + "\n}\n";
}

TEST(Order, ABeamFindsBetterOrdersThanRandomOnes) {
  test::Ir ir;
  std::mt19937 random(3);
  int better = 0;
  for (int graph = 0; graph < 40; ++graph) {
    Outlined model(ir, shuffledChains(random), true);
    func::FuncOp func = model.function();
    Precedence precedence(func);
    Homes homes = assignHomes(func, precedence);
    arrangeAsIs(func, precedence, homes);
    Tape tape(func, homes);
    SmallVector<LaunchOp> launches = launchesOf(func);
    std::vector<std::vector<int>> after(launches.size());
    for (auto [i, launch] : llvm::enumerate(launches))
      for (Operation *next : precedence.after(launch))
        after[i].push_back(int(llvm::find(launches, next) - launches.begin()));
    int64_t present = tape.peak(), never = 0;
    for (const Tape::Step &step : tape.steps) never = std::max(never, tape.bytesAround(step));
    EXPECT_LE(never, present);
    tape.order = beamOrder(tape, after);
    std::vector<int> places = tape.places();
    for (size_t i = 0; i < after.size(); ++i)
      for (int next : after[i]) ASSERT_LT(places[i], places[size_t(next)]);
    better += tape.peak() < present;
    orderLaunches(func, precedence, homes);
    EXPECT_LE(lowerBound(lifetimesOf(func, homes).extents()), std::min(present, tape.peak()));
  }
  EXPECT_GE(better, 20);
}

} // namespace
