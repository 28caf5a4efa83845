#include "sinter/frontend/nn/Lora.h"

#include "sinter/frontend/Checkpoint.h"
#include "sinter/frontend/detail/Differences.h"
#include "sinter/frontend/detail/Variable.h"
#include "sinter/runtime/Safetensors.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace sinter::nn {

static init::Init fanInUniform(int64_t features) {
  double bound = 1 / std::sqrt(static_cast<double>(features));
  return init::uniform(-bound, bound);
}

LoraLinear::Factor::Factor(Module *parent, std::string name, Shape shape, init::Init init,
                           Where where)
    : Module(parent, std::move(name), where) {
  weight = parameter("weight", std::move(shape), init, f32, where);
}

LoraLinear::LoraLinear(Module *parent, std::string name, Options given, Where where)
    : Module(parent, std::move(name), where), options(std::move(given)) {
  auto require = [&](bool holds, const char *option, int64_t value) {
    if (!holds) throw UserError(fmt::format("nn::LoraLinear: {} is {}", option, value), where);
  };
  int64_t in = options.in_features, out = options.out_features, rank = options.lora.r;
  require(in > 0, "in_features", in);
  require(out > 0, "out_features", out);
  require(rank >= 0, "r", rank);
  init::Init own = fanInUniform(in);
  weight = parameter("weight", {out, in}, options.init.value_or(own), f32, where);
  if (options.bias) bias = parameter("bias", {out}, options.init ? init::zeros : own, f32, where);
  if (rank == 0) return;
  lora_A.emplace(this, "lora_A", Shape{rank, in}, own, where);
  lora_B.emplace(this, "lora_B", Shape{out, rank}, init::zeros, where);
}

Tensor LoraLinear::forward(const Tensor &x, Where where) {
  Scope scope(*this);
  Tensor y = linear(x, weight, bias, where);
  if (!lora_A) return y;
  Tensor input = dropout(x, {.p = options.lora.dropout, .training = training()}, where);
  Tensor low = linear(linear(input, lora_A->weight, {}, where), lora_B->weight, {}, where);
  return add(Arg(y, where), Arg(mul(Arg(low, where), Arg(options.lora.scale(), where)), where));
}

static bool isAdapter(const std::string &name) {
  return name.ends_with(".lora_A.weight") || name.ends_with(".lora_B.weight");
}
static bool isSaved(const std::string &name, const std::vector<std::string> &modules) {
  return isAdapter(name) ||
         std::any_of(modules.begin(), modules.end(), [&](const std::string &module) {
           return name == module || name.starts_with(module + ".");
         });
}

void freeze_base(Module &model, const std::vector<std::string> &modules_to_save) {
  model.requires_grad(false);
  for (const Module::Named &named : model.named_parameters())
    if (isSaved(named.name, modules_to_save) && runtime::isFloat(named.tensor.dtype()))
      model.requires_grad(named.name, true);
}

int64_t num_trainable_parameters(const Module &model) {
  std::set<const detail::Variable *> seen;
  int64_t count = 0;
  for (const Tensor &tensor : model.parameters()) {
    const auto &variable = tensor.impl()->variable;
    if (variable->trainable && seen.insert(variable.get()).second)
      count += tensor.spec().numElements();
  }
  return count;
}

static constexpr const char *peftPrefix = "base_model.model.";
static std::string tensorsOf(const std::string &folder) {
  return folder + "/adapter_model.safetensors";
}
static std::string configOf(const std::string &folder) { return folder + "/adapter_config.json"; }

void save_adapter(const Module &model, const std::string &folder, const LoraOptions &lora,
                  const std::vector<std::string> &modules_to_save) {
  std::vector<Array> values;
  std::vector<std::string> names;
  std::set<std::string> targets;
  for (const Module::Named &named : model.named_parameters()) {
    if (!isSaved(named.name, modules_to_save)) continue;
    names.push_back(named.name);
    values.push_back(model.value(named.name));
    if (!isAdapter(named.name)) continue;
    std::string layer = named.name.substr(0, named.name.rfind(".lora_"));
    targets.insert(layer.substr(layer.rfind('.') + 1));
  }
  std::vector<runtime::NamedTensor> tensors;
  for (size_t i = 0; i < names.size(); ++i)
    tensors.push_back(
        {peftPrefix + names[i], {values[i].dtype(), values[i].shape()}, values[i].bytes()});
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  check(runtime::writeSafetensors(tensorsOf(folder), tensors, {{"format", "pt"}}));
  nlohmann::ordered_json config{{"peft_type", "LORA"},
                                {"r", lora.r},
                                {"lora_alpha", lora.alpha},
                                {"lora_dropout", lora.dropout},
                                {"target_modules", targets},
                                {"bias", "none"},
                                {"fan_in_fan_out", false},
                                {"inference_mode", true},
                                {"base_model_name_or_path", nullptr},
                                {"task_type", nullptr},
                                {"modules_to_save", nullptr}};
  if (!modules_to_save.empty()) config["modules_to_save"] = modules_to_save;
  std::ofstream file(configOf(folder), std::ios::binary);
  file << config.dump(2) << "\n";
  if (!file.flush())
    throw RuntimeError({runtime::ErrorCode::ioFailure, configOf(folder) + ": cannot be written"});
}

void load_adapter(Module &model, const std::string &folder, const LoraOptions &lora) {
  auto fail = [&](const std::string &path, const std::string &what) {
    throw RuntimeError({runtime::ErrorCode::invalidArgument, fmt::format("{}: {}", path, what)});
  };
  std::ifstream text(configOf(folder));
  if (!text) fail(configOf(folder), "cannot be read");
  auto config = nlohmann::json::parse(text, nullptr, false);
  auto number = [&](const char *name) {
    if (!config.is_object() || !config.contains(name) || !config[name].is_number())
      fail(configOf(folder), fmt::format("no number '{}'", name));
    return config[name].get<double>();
  };
  double rank = number("r"), alpha = number("lora_alpha");
  if (rank != static_cast<double>(lora.r) || alpha != lora.alpha)
    fail(configOf(folder), fmt::format("rank {} and alpha {}, the model has {} and {}", rank, alpha,
                                       lora.r, lora.alpha));
  auto file = check(runtime::SafetensorsFile::open(tensorsOf(folder)));
  detail::Differences differences;
  std::map<std::string, Module::Named> known;
  for (Module::Named &named : model.named_parameters()) known.emplace(named.name, named);
  std::vector<std::pair<std::string, const runtime::NamedTensor *>> given;
  for (const runtime::NamedTensor &tensor : file.tensors()) {
    std::string_view name = tensor.name;
    if (name.starts_with(peftPrefix)) name.remove_prefix(std::string_view(peftPrefix).size());
    auto found = known.find(std::string(name));
    if (found == known.end()) {
      differences.unexpected.push_back(fmt::format("'{}'", tensor.name));
      continue;
    }
    differences.expect(tensor, found->first, found->second.tensor.spec(), /*convert=*/true);
    given.emplace_back(found->first, &tensor);
  }
  for (const auto &[name, named] : known)
    if (isAdapter(name) && std::none_of(given.begin(), given.end(),
                                        [&](const auto &one) { return one.first == name; }))
      differences.missing.push_back(fmt::format("'{}'", name));
  differences.check(tensorsOf(folder), "this model's adapters");
  for (const auto &[name, tensor] : given)
    model.set_value(name, Array::copy(tensor->bytes.data(), tensor->type.shape, tensor->type.dtype)
                              .to(known.at(name).tensor.dtype()));
}

/// weight + scale * b a, of [out, in], [out, r] and [r, in].
static Array added(const Array &weight, const Array &a, const Array &b, double scale) {
  Array sum = weight.clone();
  auto out = sum.data<float>();
  auto first = a.data<float>(), second = b.data<float>();
  auto rank = static_cast<size_t>(a.shape()[0]), columns = static_cast<size_t>(a.shape()[1]);
  std::vector<double> row(columns);
  for (size_t i = 0; i < static_cast<size_t>(b.shape()[0]); ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (size_t k = 0; k < rank; ++k)
      for (size_t j = 0; j < columns; ++j)
        row[j] +=
            static_cast<double>(second[i * rank + k]) * static_cast<double>(first[k * columns + j]);
    for (size_t j = 0; j < columns; ++j) {
      float &value = out[i * columns + j];
      value = static_cast<float>(static_cast<double>(value) + scale * row[j]);
    }
  }
  return sum;
}

std::vector<std::pair<std::string, Array>> merged(const Module &model, const LoraOptions &lora) {
  std::vector<Module::Named> all = model.named_parameters();
  std::set<std::string> names;
  for (const Module::Named &named : all) names.insert(named.name);
  for (Module::Named &named : model.named_buffers()) all.push_back(std::move(named));
  std::vector<std::pair<std::string, Array>> values;
  for (const Module::Named &named : all) {
    if (isAdapter(named.name)) continue;
    Array value = model.value(named.name);
    std::string layer = named.name.substr(0, named.name.rfind('.'));
    if (named.name == layer + ".weight" && names.count(layer + ".lora_A.weight"))
      value = added(value, model.value(layer + ".lora_A.weight"),
                    model.value(layer + ".lora_B.weight"), lora.scale());
    values.emplace_back(named.name, std::move(value));
  }
  return values;
}

void save_merged(const Module &model, const std::string &path, const LoraOptions &lora) {
  auto values = merged(model, lora);
  std::vector<runtime::NamedTensor> tensors;
  for (const auto &[name, value] : values)
    tensors.push_back({name, {value.dtype(), value.shape()}, value.bytes()});
  check(runtime::writeSafetensors(path, tensors, {{"format", "pt"}}));
}

} // namespace sinter::nn
