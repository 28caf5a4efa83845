#pragma once

#include "EndToEnd.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <map>

/// PyTorch's vectors on functions of the DSL, in f64, and on layers, whose parameters are f32.
namespace sinter::test {

using nlohmann::json;

/// A case's inputs by name.
using Tensors = std::map<std::string, Tensor>;
using Function = std::function<std::vector<Tensor>(Tensors &, const json &attributes)>;
/// What a case runs. Inputs with the names of the module's parameters are those.
struct Followed {
  Function function;
  std::shared_ptr<nn::Module> module = {};
};

inline double numberOf(const json &value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>();
  std::string text = value;
  return text == "nan" ? std::nan("") : text == "inf" ? HUGE_VAL : -HUGE_VAL;
}
inline Shape shapeOf(const json &tensor) { return tensor.at("shape").get<Shape>(); }

/// A tensor of a file; floating ones as `floating`.
inline Array arrayOf(const json &tensor, DType floating) {
  std::string dtype = tensor.at("dtype");
  Array made = Array::empty(shapeOf(tensor), dtype == "f64" ? floating : dtype == "i1" ? i1 : i64);
  auto fill = [&](auto *to) {
    for (const json &value : tensor.at("data"))
      *to++ = static_cast<std::remove_reference_t<decltype(*to)>>(numberOf(value));
  };
  switch (made.dtype()) {
  case f32:
    fill(static_cast<float *>(made.raw()));
    break;
  case f64:
    fill(static_cast<double *>(made.raw()));
    break;
  case i1:
    fill(static_cast<uint8_t *>(made.raw()));
    break;
  default:
    fill(static_cast<int64_t *>(made.raw()));
  }
  return made;
}

inline void expectNear(const json &wanted, const Array &actual, double tolerance) {
  ASSERT_EQ(shapeOf(wanted), actual.shape()) << wanted.at("name");
  for (int64_t i = 0; i < actual.size(); ++i) {
    double expected = numberOf(wanted.at("data").at(i)), found = actual.at(i);
    EXPECT_TRUE(std::isnan(expected) ? std::isnan(found)
                                     : found == expected || // infinities
                                           std::fabs(expected - found) <=
                                               tolerance * std::max(1.0, std::fabs(expected)))
        << wanted.at("name") << ", element " << i << ": " << found << ", PyTorch " << expected;
  }
}

class FollowsTorch : public OnDevice {
public:
  using Chosen = std::function<bool(const std::string &name)>;

  /// Runs every case of a file whose name `chosen` accepts, as `make` says.
  void followAs(const std::string &op, const std::function<Followed(const json &attributes)> &make,
                const Chosen &chosen = nullptr) {
    std::ifstream file(SINTER_TEST_SOURCE_DIR "/oracle/vectors/" + op + ".json");
    json vectors = json::parse(file);
    int cases = 0;
    for (const json &one : vectors.at("cases")) {
      if (chosen && !chosen(one.at("name"))) continue;
      SCOPED_TRACE(op + " " + one.at("name").get<std::string>());
      run(one, make(one.at("attributes")));
      ++cases;
    }
    EXPECT_GT(cases, 0) << op;
  }
  void follow(const std::string &op, const Function &function, const Chosen &chosen = nullptr) {
    followAs(
        op, [&](const json &) { return Followed{function}; }, chosen);
  }

private:
  void run(const json &one, const Followed &followed) {
    DType dtype = followed.module ? f32 : f64;
    double tolerance = followed.module ? 2e-5 : 1e-9;
    auto isFloat = [](const json &tensor) { return tensor.at("dtype") == "f64"; };
    // All floating inputs are parameters, so that there are gradients by them.
    Tensors parameters;
    for (const json &tensor : one.at("inputs"))
      if (isFloat(tensor))
        parameters[tensor.at("name")] =
            parameter(tensor.at("name"), shapeOf(tensor), init::zeros, dtype);
    if (followed.module)
      for (const nn::Module::Named &named : followed.module->named_parameters()) {
        ASSERT_TRUE(parameters.count(named.name)) << named.name << " is no parameter of PyTorch's";
        ASSERT_EQ(parameters[named.name].shape(), named.tensor.shape()) << named.name;
        parameters[named.name] = named.tensor;
      }
    auto outputs = [&] {
      Tensors all = parameters;
      for (const json &tensor : one.at("inputs"))
        if (!isFloat(tensor)) all[tensor.at("name")] = constant(arrayOf(tensor, dtype));
      return followed.function(all, one.at("attributes"));
    };
    auto compiled = [&](const Traced &traced) {
      Executable made = compile(traced, {.device = device()});
      for (const std::string &name : made.variables())
        for (const json &tensor : one.at("inputs"))
          if (tensor.at("name") == name) made.set(name, arrayOf(tensor, dtype));
      return made;
    };
    auto forward = trace([&](const std::vector<Tensor> &) { return outputs(); }, {});
    std::vector<Array> values = compiled(forward)();
    ASSERT_EQ(values.size(), one.at("outputs").size());
    for (size_t i = 0; i < values.size(); ++i)
      expectNear(one.at("outputs").at(i), values[i], tolerance);
    if (!one.contains("gradients")) return;

    auto loss = trace(
        [&](const std::vector<Tensor> &) {
          std::vector<Tensor> results = outputs();
          Tensor total;
          for (const json &cotangent : one.at("cotangents"))
            for (size_t i = 0; i < results.size(); ++i)
              if (one.at("outputs").at(i).at("name") == cotangent.at("name")) {
                Tensor part = sum(results[i] * constant(arrayOf(cotangent, dtype)));
                total = total ? total + part : part;
              }
          return std::vector<Tensor>{total};
        },
        {});
    std::vector<Tensor> wanted;
    for (const json &tensor : one.at("gradients")) wanted.push_back(parameters[tensor.at("name")]);
    std::vector<Array> gradients = compiled(grad(loss, wanted))();
    for (size_t i = 0; i < gradients.size(); ++i)
      expectNear(one.at("gradients").at(i), gradients[i], tolerance);
  }
};

} // namespace sinter::test
