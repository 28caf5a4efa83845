#include "sinter/passes/fusion/Explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace sinter::passes;
using testing::HasSubstr;

namespace {

LedgerOp op(std::string value, std::string name, std::string line, std::string path,
            std::vector<std::string> kernels, bool gradient = false) {
  return {std::move(value), std::move(name), std::move(line),   std::move(path),
          gradient,         "4x4xf32",       std::move(kernels)};
}
LedgerEdge fused(unsigned from, unsigned to, std::string kernel) {
  LedgerEdge edge;
  edge.from = from, edge.to = to, edge.bytes = 64, edge.fused = true;
  edge.kernels = {std::move(kernel)};
  return edge;
}
LedgerEdge refused(unsigned from, unsigned to, int64_t bytes, std::string code) {
  LedgerEdge edge;
  edge.from = from, edge.to = to, edge.bytes = bytes;
  edge.code = std::move(code), edge.detail = "words";
  edge.costApart = 8000;
  return edge;
}

/// conv1 (a convolution, a bias), relu, a branch of two, their sum, and what autodiff made of the relu.
const Ledger ledger{"step",
                    {op("%0", "conv2d", "/home/model.cpp:14", "conv1", {"a"}),
                     op("%1", "add", "/home/model.cpp:14", "conv1", {"a"}),
                     op("%2", "relu", "/home/model.cpp:15", "", {"a"}),
                     op("%3", "matmul", "/home/model.cpp:16", "left.fc", {"b"}),
                     op("%4", "sum", "/home/model.cpp:17", "right", {"c"}),
                     op("%5", "relu", "/home/model.cpp:18", "", {"d"}),
                     op("%6", "mul", "/home/model.cpp:15", "", {"e"}, true),
                     op("%7", "exp", "/home/model.cpp:20", "", {"f", "g"}),
                     op("%8", "sin", "/home/model.cpp:21", "", {"f"})},
                    {fused(0, 1, "a"), fused(1, 2, "a"), refused(2, 3, 256, "no_profit"),
                     refused(2, 4, 1024, "different_domain"),
                     refused(3, 5, 16, "second_contraction"), refused(4, 5, 16, "multiple_uses"),
                     refused(5, 6, 32, "no_profit")}};

std::string ask(const std::string &a, const std::string &b) {
  explain::Found x = explain::find(ledger, a), y = explain::find(ledger, b);
  if (x.ops.empty()) return x.problem;
  return y.ops.empty() ? y.problem : explain::explain(ledger, x.ops, y.ops);
}

TEST(Explain, Neighbours) {
  EXPECT_EQ(ask("conv2d", "%1"),
            "conv2d (%0, model.cpp:14, conv1) and add (%1, model.cpp:14, conv1) are one kernel, a: "
            "the 64 bytes between them stay out of memory.");
  EXPECT_EQ(ask("%2", "sinter.matmul"),
            "relu (%2, model.cpp:15) and matmul (%3, model.cpp:16, left.fc) are not one kernel: "
            "no_profit (words); 256 bytes go through memory, from kernel a to b. The cost "
            "model, in bytes moved, gives the two kernels 8000.");
}

TEST(Explain, BothDirectionsSayTheSame) {
  const std::pair<const char *, const char *> pairs[] = {
      {"%2", "%3"}, {"%0", "%2"}, {"%0", "%5"}, {"conv1", "right"}};
  for (auto [a, b] : pairs) EXPECT_EQ(ask(a, b), ask(b, a));
}

TEST(Explain, TheFirstBoundariesOfEachWay) {
  std::string text = ask("conv1", "%5");
  EXPECT_THAT(text, HasSubstr("add (%1, model.cpp:14, conv1) and relu (%5, model.cpp:18) are not "
                              "one kernel: the first boundary on the way is relu (%2, "
                              "model.cpp:15) -> sum (%4, model.cpp:17, right), different_domain"));
  EXPECT_THAT(text,
              HasSubstr("Other ways meet relu (%2, model.cpp:15) -> matmul (%3, model.cpp:16, "
                        "left.fc), no_profit, 256 bytes."));
}

TEST(Explain, FarAndFused) {
  EXPECT_EQ(ask("%0", "%2"),
            "conv2d (%0, model.cpp:14, conv1) and relu (%2, model.cpp:15) are one kernel, a.");
}

TEST(Explain, WithoutAWay) {
  EXPECT_EQ(ask("exp", "sin"), "exp (%7, model.cpp:20) and sin (%8, model.cpp:21) are one kernel, "
                               "f, although no value flows between them.");
  EXPECT_EQ(ask("exp", "sum"),
            "sum (%4, model.cpp:17, right) and exp (%7, model.cpp:20) are not one kernel: no value "
            "flows from one to the other. They are in c and f, g.");
  EXPECT_EQ(ask("exp", "%7"), "Both names stand for exp (%7, model.cpp:20).");
}

TEST(Explain, LinesAndModules) {
  EXPECT_EQ(explain::find(ledger, "model.cpp:14").ops, (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(explain::find(ledger, "/home/model.cpp:14").ops, (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(explain::find(ledger, "left").ops, std::vector<unsigned>{3});
  EXPECT_EQ(explain::find(ledger, "left.fc").ops, std::vector<unsigned>{3});
  // The forward pass, unless asked for the other.
  EXPECT_EQ(explain::find(ledger, "model.cpp:15").ops, std::vector<unsigned>{2});
  EXPECT_EQ(explain::find(ledger, "gradient:model.cpp:15").ops, std::vector<unsigned>{6});
  EXPECT_TRUE(explain::find(ledger, "el.cpp:14").ops.empty());
  EXPECT_TRUE(explain::find(ledger, "le").ops.empty());
}

TEST(Explain, UnknownAndAmbiguousNames) {
  explain::Found unknown = explain::find(ledger, "conv");
  EXPECT_FALSE(unknown.isKnown);
  EXPECT_THAT(unknown.problem, HasSubstr("no op of step is called 'conv'; there are, for example: "
                                         "conv1"));
  explain::Found value = explain::find(ledger, "%99");
  EXPECT_THAT(value.problem, HasSubstr("%"));
  explain::Found ambiguous = explain::find(ledger, "relu");
  EXPECT_TRUE(ambiguous.isKnown);
  EXPECT_EQ(ambiguous.problem, "'relu' is the name of 2 ops of step; name a value, a line or a "
                               "module:\n  relu (%2, model.cpp:15)\n  relu (%5, model.cpp:18)");
  EXPECT_FALSE(explain::find(ledger, "").isKnown);
}

TEST(Explain, LargestBoundaries) {
  EXPECT_EQ(explain::largestBoundaries(ledger, 2),
            "relu (%2, model.cpp:15) -> sum (%4, model.cpp:17, right): different_domain, 1024 "
            "bytes; relu (%2, model.cpp:15) -> matmul (%3, model.cpp:16, left.fc): no_profit, 256 "
            "bytes");
}

} // namespace
