#include "GradientCheck.h"

#include "sinter/ir/Sinter.h"
#include "sinter/passes/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

using namespace mlir;
using sinter::codegen::HostTensor;

namespace sinter::test {

MLIRContext &context() {
  static MLIRContext *instance = [] {
    DialectRegistry registry;
    ir::registerDialects(registry);
    passes::registerPasses();
    auto *context = new MLIRContext(registry, MLIRContext::Threading::DISABLED);
    context->loadAllAvailableDialects();
    return context;
  }();
  return *instance;
}

OwningOpRef<ModuleOp> parse(const std::string &text) {
  auto module = parseSourceString<ModuleOp>(text, ParserConfig(&context()));
  EXPECT_TRUE(module) << text;
  return module;
}

bool runPasses(ModuleOp module, const std::string &pipeline) {
  PassManager pm(&context());
  return succeeded(parsePassPipeline(pipeline, pm)) && succeeded(pm.run(module));
}

std::vector<HostTensor> randomArguments(func::FuncOp function, const GradientCase &bounds,
                                        std::mt19937_64 &random) {
  std::uniform_real_distribution<double> real(bounds.low, bounds.high);
  std::uniform_int_distribution<int64_t> whole(0, bounds.integers - 1);
  std::vector<HostTensor> arguments;
  for (Type type : function.getArgumentTypes()) {
    HostTensor &tensor = arguments.emplace_back(cast<RankedTensorType>(type));
    for (int64_t &value : tensor.integers) value = whole(random);
    for (double &value : tensor.values) {
      do value = real(random);
      while (std::abs(value) < 0.1);
    }
  }
  return arguments;
}

static bool isFloat(Type type) {
  return isa<FloatType>(cast<RankedTensorType>(type).getElementType());
}

func::FuncOp gradientOf(func::FuncOp function) {
  func::FuncOp gradient = function.clone();
  gradient.setName((function.getName() + "_gradient").str());
  function->getBlock()->push_back(gradient);
  Block &body = gradient.getBody().front();
  Operation *end = body.getTerminator();
  SmallVector<Value> outputs, wrt, cotangents;
  for (BlockArgument argument : body.getArguments())
    if (isFloat(argument.getType())) wrt.push_back(argument);
  for (Value result : end->getOperands())
    if (isFloat(result.getType())) outputs.push_back(result);
  for (Value output : outputs)
    cotangents.push_back(body.addArgument(output.getType(), output.getLoc()));
  OpBuilder builder(end);
  auto op = ir::GradientOp::create(builder, end->getLoc(), ValueRange(wrt).getTypes(), outputs, wrt,
                                   cotangents);
  end->setOperands(op.getGradients());
  gradient.setFunctionType(
      builder.getFunctionType(body.getArgumentTypes(), end->getOperandTypes()));
  PassManager pm(&context(), func::FuncOp::getOperationName());
  pm.addPass(passes::createAutodiff());
  return succeeded(pm.run(gradient)) ? gradient : func::FuncOp();
}

std::vector<HostTensor> evaluated(func::FuncOp function, ArrayRef<HostTensor> arguments,
                                  bool trackErrors) {
  codegen::EvaluatorOptions options;
  options.trackErrors = trackErrors;
  auto results = codegen::evaluate(function, arguments, options);
  EXPECT_TRUE(succeeded(results));
  if (failed(results)) return {};
  return {results->begin(), results->end()};
}

double gradientError(func::FuncOp function, func::FuncOp gradient,
                     const std::vector<HostTensor> &arguments) {
  std::vector<HostTensor> found = evaluated(gradient, arguments);
  std::vector<HostTensor> inputs(arguments.begin(), arguments.begin() + function.getNumArguments());
  auto cotangents = ArrayRef(arguments).drop_front(inputs.size());
  // The scalar whose slope is compared: sum of cotangent times output.
  auto total = [&] {
    double sum = 0;
    size_t next = 0;
    for (const HostTensor &output : evaluated(function, inputs)) {
      if (!output.isFloat()) continue;
      const HostTensor &cotangent = cotangents[next++];
      for (size_t i = 0; i < output.values.size(); ++i)
        sum += output.values[i] * cotangent.values[i];
    }
    return sum;
  };
  double worst = 0;
  size_t next = 0;
  for (HostTensor &input : inputs) {
    if (!input.isFloat()) continue;
    const HostTensor &slopes = found.at(next++);
    for (size_t i = 0; i < input.values.size(); ++i) {
      double x = input.values[i], step = 1e-5;
      input.values[i] = x + step;
      double above = total();
      input.values[i] = x - step;
      double below = total();
      input.values[i] = x;
      double slope = (above - below) / (2 * step);
      double error = std::abs(slope - slopes.values[i]) / (1 + std::abs(slope));
      worst = error <= worst ? worst : error; // a NaN stays
    }
  }
  return worst;
}

} // namespace sinter::test
