#pragma once

#include "sinter/codegen/BuildProgram.h"
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/runtime/Executor.h"

#include "../../support/Ir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

namespace sinter::test {

/// Runs functions that launch kernels on the CPU, and compares with the evaluator's values and bounds.
class KernelRun : public testing::Test {
protected:
  /// A module with one kernel and a function @f that launches it. `arguments`: "%a: tensor<4xf32>, ...";
  /// `body` ends with "yield %x, %y"; `results`: "tensor<4xf32>, ...".
  static std::string kernel(const std::string &schedule, const std::string &arguments,
                            const std::string &body, const std::string &results) {
    std::string types, names;
    for (size_t at = 0; at < arguments.size();) {
      size_t end = arguments.find(", %", at);
      std::string one = arguments.substr(at, end == std::string::npos ? end : end - at);
      size_t colon = one.find(':');
      names += (names.empty() ? "" : ", ") + one.substr(0, colon);
      types += (types.empty() ? "" : ", ") + one.substr(colon + 2);
      at = end == std::string::npos ? arguments.size() : end + 2;
    }
    size_t count = 1 + std::count(results.begin(), results.end(), '>') - 1;
    std::string launched = count == 1 ? "%r" : fmt::format("%r:{}", count), returned;
    for (size_t i = 0; i < count; ++i)
      returned += (i ? ", " : "") + (count == 1 ? std::string("%r") : fmt::format("%r#{}", i));
    size_t yield = body.rfind("yield ");
    return fmt::format("sinter.kernel @k schedule(#sinter.{}) : ({}) -> ({}) {{\n^bb0({}):\n{}  "
                       "sinter.yield {} : {}\n}}\n"
                       "func.func @f({}) -> ({}) {{\n  {} = sinter.launch @k({}) : ({}) -> ({})\n  "
                       "return {} : {}\n}}\n",
                       schedule, types, results, arguments, body.substr(0, yield),
                       body.substr(yield + 6), results, arguments, results, launched, names, types,
                       results, returned, results);
  }

  /// Numbers for an argument: small integers for integers, within (-2, 2) for floats.
  std::vector<double> numbers(mlir::RankedTensorType type, int64_t most = 5) {
    std::vector<double> result(type.getNumElements());
    bool isFloat = llvm::isa<mlir::FloatType>(type.getElementType());
    for (double &x : result)
      x = isFloat ? std::uniform_real_distribution<>(-2, 2)(random)
                  : double(std::uniform_int_distribution<>(
                        0, type.getElementType().isInteger(1) ? 1 : most)(random));
    return result;
  }

  /// Compiles @f for `isa` and compares every result with the evaluator's.
  void expectAgrees(const std::string &text, std::vector<std::vector<double>> inputs = {},
                    std::string isa = "", int threads = 1) {
    auto module = ir.parse(text);
    ASSERT_TRUE(module) << ir.errors << text;
    auto function = Ir::function(*module, "f");
    llvm::SmallVector<codegen::HostTensor> tensors;
    std::vector<std::vector<uint8_t>> bytes;
    std::vector<const void *> pointers;
    for (auto [number, type] : llvm::enumerate(function.getArgumentTypes())) {
      auto tensor = llvm::cast<mlir::RankedTensorType>(type);
      tensors.push_back(codegen::fromNumbers(
          tensor,
          number < inputs.size() && !inputs[number].empty() ? inputs[number] : numbers(tensor)));
      bytes.push_back(codegen::toBytes(tensors.back()));
    }
    for (auto &one : bytes) pointers.push_back(one.data());
    auto expected = codegen::evaluate(function, tensors);
    ASSERT_TRUE(succeeded(expected)) << ir.errors;
    codegen::CodegenOptions options;
    options.isa = isa;
    options.cache = false;
    auto program = codegen::compileToProgram(*module, options);
    ASSERT_TRUE(succeeded(program)) << ir.errors << text;
    auto executor = runtime::Executor::create(
        std::make_shared<runtime::Program>(std::move(*program)), runtime::cpuDevice({threads}));
    ASSERT_TRUE(executor.ok()) << executor.error().message;
    std::vector<std::vector<uint8_t>> outputs;
    std::vector<void *> outputPointers;
    for (mlir::Type type : function.getResultTypes())
      outputs.emplace_back(
          codegen::tensorTypeOf(llvm::cast<mlir::RankedTensorType>(type)).numBytes());
    for (auto &one : outputs) outputPointers.push_back(one.data());
    auto status = (*executor)->run(0, pointers, outputPointers);
    ASSERT_TRUE(status.ok()) << status.error().message;
    for (auto [number, type] : llvm::enumerate(function.getResultTypes())) {
      auto actual =
          codegen::fromBytes(llvm::cast<mlir::RankedTensorType>(type), outputs[number].data());
      int64_t at = codegen::firstDisagreement((*expected)[number], actual);
      EXPECT_EQ(at, -1) << "result " << number << " element " << at << ": expected "
                        << (*expected)[number].at(at) << " +- " << (*expected)[number].errorAt(at)
                        << ", got " << actual.at(at) << "\n"
                        << text;
    }
    lastOutputs = std::move(outputs);
  }

  /// As expectAgrees, and bit by bit the same on 1, 2, 3 and 7 threads.
  void expectAgreesOnAnyNumberOfThreads(const std::string &text) {
    std::mt19937 before = random;
    std::vector<std::vector<uint8_t>> one;
    for (int threads : {1, 2, 3, 7}) {
      random = before;
      expectAgrees(text, {}, "", threads);
      if (threads == 1) one = lastOutputs;
      EXPECT_EQ(one, lastOutputs) << threads << " threads";
    }
  }

  Ir ir;
  std::mt19937 random{7};
  std::vector<std::vector<uint8_t>> lastOutputs;
};

} // namespace sinter::test
