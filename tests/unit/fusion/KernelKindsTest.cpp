#include "sinter/ir/KernelKinds.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace sinter::ir;

namespace {

class KernelKindsTest : public testing::Test {
protected:
  KernelKindsTest() {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// The kernel that a function's body would be.
  KernelBody parse(const std::string &function) {
    module = parseSourceString<ModuleOp>(function, &context);
    EXPECT_TRUE(module);
    func = *module->getOps<func::FuncOp>().begin();
    return KernelBody::of(func.getBody().front());
  }
  std::string why(const KernelBody &body, KernelKind kind) {
    auto refused = whyNot(body, kind, nullptr);
    return refused ? nameOf(refused->code).str() : "accepted";
  }
  Value argument(unsigned number) { return func.getArgument(number); }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
};

TEST_F(KernelKindsTest, SchedulesAndKindsAreOneToOne) {
  for (KernelKind kind : {KernelKind::Pointwise, KernelKind::Reduction, KernelKind::Row,
                          KernelKind::Contraction, KernelKind::Scatter, KernelKind::Update,
                          KernelKind::Staged, KernelKind::Scan, KernelKind::Attention})
    EXPECT_EQ(kindOf(defaultSchedule(kind, &context)), kind);
  EXPECT_EQ(kindOf(CustomScheduleAttr::get(&context, "mine")), KernelKind::Custom);
  EXPECT_FALSE(kindOf(StringAttr::get(&context, "pointwise")));
}

TEST_F(KernelKindsTest, InputsAreInOrderOfFirstUse) {
  KernelBody body = parse(R"(func.func @f(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
    %c = sinter.sub %b, %a : tensor<4xf32>
    return %c : tensor<4xf32> })");
  EXPECT_EQ(body.inputs(), (SmallVector<Value>{argument(1), argument(0)}));
}

TEST_F(KernelKindsTest, AScanIsAKernelOfItsOwn) {
  std::string scan = R"(func.func @f(%h: tensor<4xf32>) -> tensor<4xf32> {
    %c = sinter.scan init(%h) xs() captures() attributes {count = 3 : i64} : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%s: tensor<4xf32>):
      %e = sinter.exp %s : tensor<4xf32>
      sinter.yield %e : tensor<4xf32>
    })";
  KernelBody alone = parse(scan + "\n return %c : tensor<4xf32> }");
  EXPECT_EQ(why(alone, KernelKind::Scan), "accepted");
  EXPECT_EQ(why(alone, KernelKind::Pointwise), "not_fusible");
  KernelBody more =
      parse(scan + "\n %d = sinter.exp %c : tensor<4xf32>\n return %d : tensor<4xf32> }");
  EXPECT_EQ(why(more, KernelKind::Scan), "is_output_of_other_kind");
  EXPECT_EQ(why(more, KernelKind::Pointwise), "not_fusible");
}

TEST_F(KernelKindsTest, AttentionTakesWhatComesBeforeIt) {
  std::string type = "tensor<1x2x8x4xf32>",
              lines = R"(func.func @f(%x: tensor<1x8x2x4xf32>) -> TYPE {
    %q = sinter.transpose %x {permutation = array<i64: 0, 2, 1, 3>} : (tensor<1x8x2x4xf32>) -> TYPE
    %r:2 = sinter.attention %q, %q, %q {scale = 0.5 : f64} : (TYPE, TYPE, TYPE) -> (TYPE, tensor<1x2x8xf32>))";
  auto parsed = [&](std::string text) {
    for (size_t at; (at = text.find("TYPE")) != std::string::npos;) text.replace(at, 4, type);
    return parse(text);
  };
  KernelBody before = parsed(lines + "\n return %r#0 : TYPE }");
  EXPECT_EQ(why(before, KernelKind::Attention), "accepted");
  EXPECT_EQ(why(before, KernelKind::Pointwise), "attention_boundary");
  EXPECT_EQ(why(before, KernelKind::Row), "attention_boundary");
  KernelBody after = parsed(lines + "\n %e = sinter.exp %r#0 : TYPE\n return %e : TYPE }");
  EXPECT_EQ(why(after, KernelKind::Attention), "attention_boundary");
}

TEST_F(KernelKindsTest, AChainIsPointwiseAndAnUpdateButNoReduction) {
  KernelBody body = parse(R"(func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
    %c = sinter.exp %a : tensor<4xf32>
    return %c : tensor<4xf32> })");
  EXPECT_EQ(why(body, KernelKind::Pointwise), "accepted");
  EXPECT_EQ(why(body, KernelKind::Update), "accepted");
  EXPECT_EQ(why(body, KernelKind::Reduction), "different_domain");
  EXPECT_EQ(why(body, KernelKind::Contraction), "different_domain");
  EXPECT_EQ(why(body, KernelKind::Scatter), "different_domain");
}

TEST_F(KernelKindsTest, ComponentsOfAnUpdateMayDifferInShape) {
  KernelBody body = parse(
      R"(func.func @f(%a: tensor<4xf32>, %b: tensor<2x2xf32>) -> (tensor<4xf32>, tensor<2x2xf32>) {
    %c = sinter.exp %a : tensor<4xf32>
    %d = sinter.neg %b : tensor<2x2xf32>
    return %c, %d : tensor<4xf32>, tensor<2x2xf32> })");
  EXPECT_EQ(why(body, KernelKind::Pointwise), "different_domain");
  EXPECT_EQ(why(body, KernelKind::Update), "accepted");
  SmallVector<KernelBody> components = componentsOf(body);
  ASSERT_EQ(components.size(), 2u);
  EXPECT_EQ(components[1].outputs.front(), body.outputs[1]);
}

TEST_F(KernelKindsTest, AConstantConnectsNoComponents) {
  KernelBody body = parse(
      R"(func.func @f(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    %two = sinter.constant dense<2.0> : tensor<4xf32>
    %c = sinter.mul %a, %two : tensor<4xf32>
    %d = sinter.mul %b, %two : tensor<4xf32>
    return %c, %d : tensor<4xf32>, tensor<4xf32> })");
  SmallVector<KernelBody> components = componentsOf(body);
  ASSERT_EQ(components.size(), 2u);
  for (const KernelBody &component : components) EXPECT_EQ(component.ops.size(), 2u);
  EXPECT_TRUE(mayShareStorage(body, KernelKind::Update, 0, argument(0)));
  EXPECT_TRUE(mayShareStorage(body, KernelKind::Update, 1, argument(1)));
  EXPECT_FALSE(mayShareStorage(body, KernelKind::Update, 0, argument(1)));
}

TEST_F(KernelKindsTest, OutputsInTwoLayoutsAreTwoKernels) {
  KernelBody body = parse(R"(
    func.func @f(%a: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32, #sinter.layout<[1, 0]>>) {
    %c = sinter.exp %a : tensor<4x8xf32>
    %d = sinter.relayout %c : (tensor<4x8xf32>) -> tensor<4x8xf32, #sinter.layout<[1, 0]>>
    return %c, %d : tensor<4x8xf32>, tensor<4x8xf32, #sinter.layout<[1, 0]>> })");
  EXPECT_EQ(why(body, KernelKind::Pointwise), "layout_differs");
}

TEST_F(KernelKindsTest, OperandsAndOpsAreCounted) {
  std::string arguments, sum = "%a0", ops;
  for (int i = 0; i < 70; ++i) {
    arguments += (i ? ", " : "") + ("%a" + std::to_string(i)) + ": tensor<4xf32>";
    if (i) {
      ops += "%s" + std::to_string(i) + " = sinter.add " + sum + ", %a" + std::to_string(i) +
             " : tensor<4xf32>\n";
      sum = "%s" + std::to_string(i);
    }
  }
  KernelBody many = parse("func.func @f(" + arguments + ") -> tensor<4xf32> {\n" + ops + "return " +
                          sum + " : tensor<4xf32> }");
  EXPECT_EQ(why(many, KernelKind::Pointwise), "too_many_operands");
  EXPECT_EQ(why(many, KernelKind::Update), "accepted");
  std::string chain = "%a";
  ops.clear();
  for (int i = 0; i < 200; ++i) {
    ops += "%s" + std::to_string(i) + " = sinter.neg " + chain + " : tensor<4xf32>\n";
    chain = "%s" + std::to_string(i);
  }
  KernelBody deep = parse("func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {\n" + ops + "return " +
                          chain + " : tensor<4xf32> }");
  EXPECT_EQ(why(deep, KernelKind::Pointwise), "register_pressure");
}

TEST_F(KernelKindsTest, NonSplatConstantsAndCompositesStayOutside) {
  KernelBody table = parse(R"(func.func @f(%a: tensor<2xf32>) -> tensor<2xf32> {
    %t = sinter.constant dense<[1.0, 2.0]> : tensor<2xf32>
    %c = sinter.add %a, %t : tensor<2xf32>
    return %c : tensor<2xf32> })");
  EXPECT_EQ(why(table, KernelKind::Pointwise), "not_fusible");
  KernelBody composite = parse(R"(func.func @f(%a: tensor<2x2xf32>) -> tensor<2x2xf32> {
    %c = sinter.softmax %a {dim = 1 : i64} : tensor<2x2xf32>
    return %c : tensor<2x2xf32> })");
  EXPECT_EQ(why(composite, KernelKind::Row), "not_fusible");
}

TEST_F(KernelKindsTest, StorageIsSharedWhereEveryReadIsAtTheElementThatIsWritten) {
  KernelBody chain =
      parse(R"(func.func @f(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
    %t = sinter.transpose %b {permutation = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %c = sinter.add %a, %t : tensor<4x4xf32>
    return %c : tensor<4x4xf32> })");
  EXPECT_TRUE(mayShareStorage(chain, KernelKind::Pointwise, 0, argument(0)));
  EXPECT_FALSE(mayShareStorage(chain, KernelKind::Pointwise, 0, argument(1)));

  KernelBody both = parse(R"(func.func @f(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
    %e = sinter.exp %a : tensor<4x4xf32>
    %t = sinter.transpose %e {permutation = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %c = sinter.add %a, %t : tensor<4x4xf32>
    return %c : tensor<4x4xf32> })");
  EXPECT_FALSE(mayShareStorage(both, KernelKind::Pointwise, 0, argument(0)));

  KernelBody matmul = parse(
      R"(func.func @f(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>, %r: tensor<4x4xf32>) -> tensor<4x4xf32> {
    %m = sinter.matmul %a, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %c = sinter.add %m, %r : tensor<4x4xf32>
    return %c : tensor<4x4xf32> })");
  EXPECT_FALSE(mayShareStorage(matmul, KernelKind::Contraction, 0, argument(0)));
  EXPECT_FALSE(mayShareStorage(matmul, KernelKind::Contraction, 0, argument(1)));
  EXPECT_TRUE(mayShareStorage(matmul, KernelKind::Contraction, 0, argument(2)));
}

TEST_F(KernelKindsTest, ARowKernelMayWriteOverTheRowsItFolds) {
  KernelBody rows =
      parse(R"(func.func @f(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %s = sinter.sum %a {dim = array<i64: 1>, keepdim = true} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %v = sinter.broadcast %s : (tensor<4x1xf32>) -> tensor<4x8xf32>
    %d = sinter.div %a, %v : tensor<4x8xf32>
    %t = sinter.slice %b {start = array<i64: 0, 0>, limit = array<i64: 4, 8>, step = array<i64: 1, 1>} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %c = sinter.add %d, %t : tensor<4x8xf32>
    return %c : tensor<4x8xf32> })");
  EXPECT_EQ(why(rows, KernelKind::Row), "accepted");
  EXPECT_EQ(why(rows, KernelKind::Reduction), "different_domain");
  EXPECT_TRUE(mayShareStorage(rows, KernelKind::Row, 0, argument(0)));
  EXPECT_FALSE(mayShareStorage(rows, KernelKind::Row, 0, argument(1)));
}

TEST_F(KernelKindsTest, ARowKernelMayWriteWhatItMakesOnceARowOverWhatItReadsForThatAlone) {
  // The last pass reads what it spreads after that was written.
  for (auto [spread, shared] : {std::pair("%s", true), {"%b", false}}) {
    std::string text = R"(
  func.func @f(%a: tensor<4x8xf32>, %b: tensor<4x1xf32>) -> (tensor<4x1xf32>, tensor<4x8xf32>) {
    %s = sinter.sum %a {dim = array<i64: 1>, keepdim = true} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %n = sinter.add %b, %s : tensor<4x1xf32>
    %v = sinter.broadcast )" +
                       std::string(spread) + R"( : (tensor<4x1xf32>) -> tensor<4x8xf32>
    %d = sinter.div %a, %v : tensor<4x8xf32>
    return %n, %d : tensor<4x1xf32>, tensor<4x8xf32> })";
    KernelBody rows = parse(text);
    EXPECT_EQ(why(rows, KernelKind::Row), "accepted");
    EXPECT_EQ(mayShareStorage(rows, KernelKind::Row, 0, argument(1)), shared) << spread;
  }
}

TEST_F(KernelKindsTest, OneRowIsReadBeforeWhatItFoldsToIsWritten) {
  auto mayShare = [&](const std::string &shape, const char *returned) {
    std::string domain = "tensor<" + shape + "xf32>", one = "tensor<f32>";
    KernelBody row =
        parse("func.func @f(%a: " + domain + ", %b: " + one + ") -> (" + one + ", " + domain +
              ") {\n%w = sinter.broadcast %b : (" + one + ") -> " + domain +
              "\n%d = sinter.mul %a, %w : " + domain +
              "\n%s = sinter.sum %d {dim = array<i64: 0, 1>} : (" + domain + ") -> " + one +
              "\n%n = sinter.add %b, %s : " + one + "\n%v = sinter.broadcast %s : (" + one +
              ") -> " + domain + "\n%e = sinter.mul %d, %v : " + domain + "\nreturn %n, " +
              returned + " : " + one + ", " + domain + "}");
    EXPECT_EQ(why(row, KernelKind::Row), "accepted");
    return mayShareStorage(row, KernelKind::Row, 0, argument(1));
  };
  EXPECT_TRUE(mayShare("8x16", "%d"));
  EXPECT_FALSE(mayShare("8x16", "%e")) << "a pass after it reads again";
  EXPECT_FALSE(mayShare("4x8", "%d")) << "a warp does not wait for its threads' reads";
}

TEST_F(KernelKindsTest, AnUpdateMayNotWriteWhatAnotherComponentReads) {
  KernelBody body = parse(
      R"(func.func @f(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    %c = sinter.add %a, %b : tensor<4xf32>
    %d = sinter.neg %b : tensor<4xf32>
    return %c, %d : tensor<4xf32>, tensor<4xf32> })");
  EXPECT_TRUE(mayShareStorage(body, KernelKind::Update, 0, argument(0)));
  EXPECT_FALSE(mayShareStorage(body, KernelKind::Update, 0, argument(1)));
  EXPECT_FALSE(mayShareStorage(body, KernelKind::Update, 1, argument(1)));
}

} // namespace
