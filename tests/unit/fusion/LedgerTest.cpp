#include "sinter/ir/KernelKinds.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"
#include "sinter/passes/fusion/LedgerAttribute.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <set>

using namespace mlir;
using namespace sinter::ir;
using namespace sinter::passes;

namespace {

constexpr const char *model = R"(
func.func @step(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>,
                %w1: tensor<16x32xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
                %b: tensor<32xf32> {sinter.role = "parameter", sinter.donated = 2 : i64},
                %w2: tensor<32x4xf32> {sinter.role = "parameter", sinter.donated = 3 : i64})
    -> (tensor<f32>, tensor<16x32xf32>, tensor<32xf32>, tensor<32x4xf32>) {
  %z = sinter.matmul %x, %w1 : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32> loc("model.cpp":3:1)
  %v = sinter.broadcast %b : (tensor<32xf32>) -> tensor<8x32xf32> loc("model.cpp":4:1)
  %a = sinter.add %z, %v : tensor<8x32xf32> loc("model.cpp":4:1)
  %h = sinter.tanh %a : tensor<8x32xf32> loc("model.cpp":5:1)
  %o = sinter.matmul %h, %w2 : (tensor<8x32xf32>, tensor<32x4xf32>) -> tensor<8x4xf32> loc("model.cpp":6:1)
  %d = sinter.sub %o, %y : tensor<8x4xf32> loc("model.cpp":7:1)
  %q = sinter.mul %d, %d : tensor<8x4xf32> loc("model.cpp":8:1)
  %f = sinter.reshape %q : (tensor<8x4xf32>) -> tensor<32xf32> loc("model.cpp":8:9)
  %l = sinter.sum %f {dim = array<i64: 0>} : (tensor<32xf32>) -> tensor<f32> loc("model.cpp":9:1)
  %g2 = sinter.matmul %h, %d {transpose_a = true} : (tensor<8x32xf32>, tensor<8x4xf32>) -> tensor<32x4xf32> loc("model.cpp":6:1)
  %dh = sinter.matmul %d, %w2 {transpose_b = true} : (tensor<8x4xf32>, tensor<32x4xf32>) -> tensor<8x32xf32> loc("model.cpp":6:1)
  %hh = sinter.mul %h, %h : tensor<8x32xf32> loc("model.cpp":5:1)
  %p = sinter.mul %dh, %hh : tensor<8x32xf32> loc("model.cpp":5:1)
  %dz = sinter.sub %dh, %p : tensor<8x32xf32> loc("model.cpp":5:1)
  %gb = sinter.sum %dz {dim = array<i64: 0>} : (tensor<8x32xf32>) -> tensor<32xf32> loc("model.cpp":4:1)
  %g1 = sinter.matmul %x, %dz {transpose_a = true} : (tensor<8x16xf32>, tensor<8x32xf32>) -> tensor<16x32xf32> loc("model.cpp":3:1)
  %n1 = sinter.sub %w1, %g1 : tensor<16x32xf32> loc("sgd.cpp":1:1)
  %nb = sinter.sub %b, %gb : tensor<32xf32> loc("sgd.cpp":1:1)
  %n2 = sinter.sub %w2, %g2 : tensor<32x4xf32> loc("sgd.cpp":1:1)
  return %l, %n1, %nb, %n2 : tensor<f32>, tensor<16x32xf32>, tensor<32xf32>, tensor<32x4xf32>
}
)";

class LedgerTest : public testing::Test {
protected:
  LedgerTest() {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    module = parseSourceString<ModuleOp>(model, &context);
  }

  bool run(bool outline) {
    PassManager passes(&context);
    FusionOptions options;
    options.ledger = true;
    passes.addPass(createFusion(options));
    if (outline) passes.addPass(createOutline());
    return module && succeeded(passes.run(*module));
  }

  /// Pairs of computing ops joined by a value, reshapes looked through, counted without the pass.
  size_t countEdges() {
    size_t edges = 0;
    module->walk([&](Operation *op) {
      if (!isa<FusibleOpInterface>(op) || isa<ConstantOp, ReshapeOp>(op)) return;
      std::set<const void *> sources;
      for (Value operand : op->getOperands()) {
        while (auto reshape = operand.getDefiningOp<ReshapeOp>()) operand = reshape.getX();
        if (operand.getDefiningOp() && !operand.getDefiningOp<ConstantOp>())
          sources.insert(operand.getAsOpaquePointer());
      }
      edges += sources.size();
    });
    return edges;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(LedgerTest, EveryEdgeIsFusedOrRefused) {
  size_t expected = countEdges();
  ASSERT_TRUE(run(false));
  std::vector<Ledger> ledgers = ledgersOf(*module);
  ASSERT_EQ(ledgers.size(), 1u);
  const Ledger &ledger = ledgers.front();
  EXPECT_EQ(ledger.function, "step");
  EXPECT_EQ(ledger.edges.size(), expected);
  EXPECT_EQ(ledger.fused() + ledger.refused(), expected);
  EXPECT_GT(ledger.fused(), 0u);
  EXPECT_GT(ledger.refused(), 0u);
  for (const LedgerEdge &edge : ledger.edges) {
    EXPECT_GT(edge.bytes, 0);
    EXPECT_EQ(edge.fused, !edge.kernels.empty());
    EXPECT_EQ(edge.fused, edge.code.empty());
    EXPECT_EQ(edge.fused, edge.detail.empty());
    EXPECT_NE(edge.fused, edge.costApart.has_value());
  }
  for (const LedgerOp &op : ledger.ops) {
    EXPECT_NE(op.line.find(".cpp:"), std::string::npos) << op.line;
    EXPECT_EQ(op.value[0], '%');
    EXPECT_FALSE(op.kernels.empty());
  }
}

TEST_F(LedgerTest, KernelsOfFusedEdgesExistAfterOutlining) {
  ASSERT_TRUE(run(true));
  size_t named = 0;
  Ledger ledger = ledgersOf(*module).front();
  for (const LedgerEdge &edge : ledger.edges)
    if (edge.fused) {
      for (const std::string &kernel : edge.kernels)
        EXPECT_TRUE(module->lookupSymbol<KernelOp>(kernel)) << kernel;
      ++named;
    }
  EXPECT_GT(named, 0u);
}

TEST_F(LedgerTest, BiasAndActivationAreInTheContraction) {
  ASSERT_TRUE(run(true));
  Ledger ledger = ledgersOf(*module).front();
  auto edge = llvm::find_if(ledger.edges, [&](const LedgerEdge &e) {
    return ledger.ops[e.from].op == "add" && ledger.ops[e.to].op == "tanh";
  });
  ASSERT_NE(edge, ledger.edges.end());
  ASSERT_TRUE(edge->fused) << edge->code;
  EXPECT_EQ(edge->kernels[0].find("matmul_add_tanh"), 0u) << edge->kernels[0];
  EXPECT_EQ(edge->bytes, 8 * 32 * 4);
  EXPECT_EQ(ledger.ops[edge->from].line, "model.cpp:4");
  EXPECT_EQ(ledger.ops[edge->from].type, "8x32xf32");
}

TEST_F(LedgerTest, JsonSaysTheSame) {
  ASSERT_TRUE(run(true));
  std::vector<Ledger> ledgers = takeLedgers(*module);
  EXPECT_TRUE(ledgersOf(*module).empty());
  auto json = nlohmann::json::parse(toJson(ledgers));
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["edges"].size(), ledgers[0].edges.size());
  EXPECT_EQ(json[0]["fused"].get<size_t>() + json[0]["refused"].get<size_t>(),
            ledgers[0].edges.size());
  for (auto &edge : json[0]["edges"]) EXPECT_NE(edge.contains("fused"), edge.contains("refused"));

  // And is read back.
  std::string problem;
  auto read = ledgersFromJson(toJson(ledgers), problem);
  ASSERT_TRUE(read) << problem;
  EXPECT_EQ(toJson(*read), toJson(ledgers));
}

TEST_F(LedgerTest, JsonOfAnotherShapeIsRefused) {
  for (const char *text : {"", "{}", "[1]", "[{\"function\": \"f\"}]",
                           R"([{"function": "f", "ops": [], "edges": [{"from": 3, "to": 4}]}])"}) {
    std::string problem;
    EXPECT_FALSE(ledgersFromJson(text, problem)) << text;
    EXPECT_FALSE(problem.empty()) << text;
  }
}

// The table of docs/fusion.md has one row for each refusal, in the order of the enum.
TEST_F(LedgerTest, EveryRefusalIsDocumented) {
  std::ifstream page(SINTER_SOURCE_DIR "/docs/fusion.md");
  ASSERT_TRUE(page);
  std::vector<std::string> documented, expected;
  for (std::string line; std::getline(page, line);)
    if (line.rfind("| `", 0) == 0) {
      size_t end = line.find('`', 3);
      documented.push_back(line.substr(3, end - 3));
      EXPECT_GE(std::count(line.begin(), line.end(), '|'), 4) << line;
    }
  for (Refusal refusal : allRefusals()) expected.push_back(nameOf(refusal).str());
  EXPECT_EQ(documented, expected);
  EXPECT_EQ(std::set<std::string>(expected.begin(), expected.end()).size(), expected.size());
}

// The same module gives the same kernels in the same order.
TEST_F(LedgerTest, FusionIsDeterministic) {
  auto text = [&] {
    module = parseSourceString<ModuleOp>(model, &context);
    EXPECT_TRUE(run(true));
    std::string printed;
    llvm::raw_string_ostream os(printed);
    module->print(os);
    return printed;
  };
  EXPECT_EQ(text(), text());
}

} // namespace
