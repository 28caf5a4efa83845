// The evaluator against PyTorch's values: in f64, and in narrower types against f64.

#include "Vectors.h"

#include "../../support/Ir.h"
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/passes/Passes.h"

#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace sinter::test {
namespace {

using codegen::HostTensor;

HostTensor hostTensor(Ir &ir, const VectorTensor &tensor, const std::string &element) {
  std::string name = tensor.dtype == "f64" ? element : tensor.dtype;
  auto dtype = *runtime::parseDType(name);
  auto type = mlir::RankedTensorType::get(tensor.shape, codegen::elementTypeOf(&ir.context, dtype));
  return codegen::fromNumbers(type, tensor.data);
}

/// Evaluates a case; empty when the dialect has no such op.
std::vector<HostTensor> run(Ir &ir, const VectorCase &vector, const std::string &element,
                            const std::vector<HostTensor> &inputs, VectorText &text) {
  text = textOf(vector, element);
  if (text.text.empty()) return {};
  auto module = ir.parse(text.text);
  if (!module) {
    ADD_FAILURE() << ir.errors << text.text;
    return {};
  }
  auto results = codegen::evaluate(Ir::function(*module, "f"), inputs);
  if (failed(results)) {
    ADD_FAILURE() << ir.errors << text.text;
    return {};
  }
  return {results->begin(), results->end()};
}

std::vector<HostTensor> inputsOf(Ir &ir, const VectorCase &vector, const std::string &element) {
  std::vector<HostTensor> inputs;
  for (const VectorTensor &tensor : vector.inputs)
    inputs.push_back(hostTensor(ir, tensor, element));
  return inputs;
}

/// Ops of PyTorch that the vectors have and the dialect does not (the DSL composes some of them).
const std::set<std::string> &notInTheDialect() {
  static const std::set<std::string> ops = {"adagrad",
                                            "adam",
                                            "adamw",
                                            "adaptive_max_pool2d",
                                            "argmin",
                                            "clip_grad_norm",
                                            "conv1d",
                                            "conv_transpose2d",
                                            "einsum",
                                            "expm1",
                                            "flip",
                                            "grad_scaler",
                                            "gru",
                                            "gru_layers",
                                            "huber_loss",
                                            "index_add",
                                            "index_select",
                                            "kl_div",
                                            "leaky_relu",
                                            "logsumexp",
                                            "lstm",
                                            "lstm_layers",
                                            "multihead_attention",
                                            "nll_loss",
                                            "normalize",
                                            "prod",
                                            "reciprocal",
                                            "rmsprop",
                                            "rnn_layers",
                                            "rnn_tanh",
                                            "round",
                                            "scaled_dot_product_attention",
                                            "sgd",
                                            "smooth_l1_loss",
                                            "training",
                                            "transformer_decoder_layer",
                                            "transformer_encoder_layer",
                                            "tril",
                                            "var",
                                            "weighted_cross_entropy"};
  return ops;
}

class VectorTest : public testing::TestWithParam<std::string> {};
class VectorGradientTest : public testing::TestWithParam<std::string> {};

/// PyTorch computes in f64 by its own formulas: agreement to a part in 10^12 of the element or of the
/// largest term, here at most about 10.
bool near(double expected, double actual) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (expected == actual) return true;
  return std::fabs(expected - actual) <= 1e-12 * std::fabs(expected) + 1e-14;
}

TEST_P(VectorTest, ValuesAreTorchs) {
  Ir ir;
  int compared = 0;
  for (const VectorCase &vector : loadVectors(GetParam())) {
    SCOPED_TRACE(vector.op + "/" + vector.name);
    VectorText text;
    std::vector<HostTensor> results = run(ir, vector, "f64", inputsOf(ir, vector, "f64"), text);
    for (size_t r = 0; r < results.size(); ++r) {
      auto wanted =
          std::find_if(vector.outputs.begin(), vector.outputs.end(),
                       [&](const VectorTensor &t) { return t.name == text.resultNames[r]; });
      ASSERT_NE(wanted, vector.outputs.end());
      ASSERT_EQ(results[r].numElements(), int64_t(wanted->data.size()));
      for (size_t i = 0; i < wanted->data.size(); ++i) {
        EXPECT_TRUE(near(wanted->data[i], results[r].at(i)))
            << "element " << i << ": " << results[r].at(i) << ", PyTorch " << wanted->data[i];
        // PyTorch is a correct device: the bound holds for it.
        EXPECT_TRUE(codegen::agrees(results[r], i, wanted->data[i]))
            << "element " << i << ": " << results[r].at(i) << " +- " << results[r].errorAt(i)
            << ", PyTorch " << wanted->data[i];
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

/// What the autodiff pass makes of `sinter.gradient`, evaluated in f64.
TEST_P(VectorGradientTest, AreTorchs) {
  int compared = 0;
  for (const VectorCase &vector : loadVectors(GetParam())) {
    SCOPED_TRACE(vector.op + "/" + vector.name);
    if (vector.gradients.empty()) continue;
    Ir ir;
    VectorText text = textOf(vector, "f64", /*gradient=*/true);
    if (text.text.empty()) continue;
    auto module = ir.parse(text.text);
    ASSERT_TRUE(module) << ir.errors << text.text;
    mlir::PassManager manager(&ir.context);
    manager.addNestedPass<mlir::func::FuncOp>(passes::createAutodiff());
    ASSERT_TRUE(succeeded(manager.run(*module))) << ir.errors;
    std::vector<HostTensor> inputs = inputsOf(ir, vector, "f64");
    inputs.push_back(hostTensor(ir, vector.cotangents[0], "f64"));
    auto results = codegen::evaluate(Ir::function(*module, "f"), inputs);
    ASSERT_TRUE(succeeded(results)) << ir.errors;
    for (size_t r = 0; r < results->size(); ++r) {
      const VectorTensor &wanted = vector.gradients[r];
      for (size_t i = 0; i < wanted.data.size(); ++i)
        EXPECT_TRUE(near(wanted.data[i], (*results)[r].at(i)))
            << wanted.name << ", element " << i << ": " << (*results)[r].at(i) << ", PyTorch "
            << wanted.data[i];
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

/// f64 is a correct device of every narrower type: it follows the graph and rounds less.
TEST_P(VectorTest, ErrorsCoverTheDistanceToF64) {
  Ir ir;
  for (const char *element : {"f32", "bf16", "f16"})
    for (const VectorCase &vector : loadVectors(GetParam())) {
      SCOPED_TRACE(vector.op + "/" + vector.name + " in " + element);
      VectorText text;
      std::vector<HostTensor> narrow = inputsOf(ir, vector, element), wide;
      for (size_t i = 0; i < narrow.size(); ++i) {
        wide.push_back(hostTensor(ir, vector.inputs[i], "f64"));
        if (narrow[i].isFloat()) wide[i].values = narrow[i].values;
      }
      std::vector<HostTensor> expected = run(ir, vector, "f64", wide, text);
      std::vector<HostTensor> actual = run(ir, vector, element, narrow, text);
      ASSERT_EQ(expected.size(), actual.size());
      for (size_t r = 0; r < actual.size(); ++r)
        for (int64_t i = 0; i < actual[r].numElements(); ++i) {
          double value = expected[r].at(i);
          // A device's result is of the declared type.
          if (actual[r].isFloat())
            value = codegen::roundTo(codegen::dtypeOf(actual[r].type.getElementType()), value);
          EXPECT_TRUE(codegen::agrees(actual[r], i, value))
              << "element " << i << ": " << actual[r].at(i) << " +- " << actual[r].errorAt(i)
              << ", f64 " << value;
        }
    }
}

std::vector<std::string> ops(bool withGradient) {
  std::set<std::string> names;
  for (const VectorCase &vector : loadVectors())
    if (!notInTheDialect().contains(vector.op) && !(withGradient && vector.gradients.empty()))
      names.insert(vector.op);
  return {names.begin(), names.end()};
}
INSTANTIATE_TEST_SUITE_P(Torch, VectorTest, testing::ValuesIn(ops(/*withGradient=*/false)),
                         [](const auto &info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Torch, VectorGradientTest, testing::ValuesIn(ops(/*withGradient=*/true)),
                         [](const auto &info) { return info.param; });

} // namespace
} // namespace sinter::test
