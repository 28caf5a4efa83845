#include "sinter/frontend/Checkpoint.h"

#include "sinter/frontend/detail/Differences.h"
#include "sinter/frontend/detail/Store.h"
#include "sinter/runtime/Safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace sinter {

static std::vector<nn::Module::Named> allNamed(const nn::Module &model) {
  auto all = model.named_parameters();
  for (auto &buffer : model.named_buffers()) all.push_back(std::move(buffer));
  return all;
}

void save(const nn::Module &model, const std::string &path) {
  auto all = allNamed(model);
  std::vector<Array> values;
  std::vector<runtime::NamedTensor> tensors;
  for (const auto &named : all) values.push_back(model.store()->get(named.tensor.impl()->variable));
  for (size_t i = 0; i < all.size(); ++i)
    tensors.push_back({all[i].name, {values[i].dtype(), values[i].shape()}, values[i].bytes()});
  check(runtime::writeSafetensors(path, tensors, {{"format", "pt"}}));
}

void load(nn::Module &model, const std::string &path, LoadOptions options) {
  auto file = check(runtime::SafetensorsFile::open(path));
  auto all = allNamed(model);
  detail::Differences differences;
  std::map<std::string, const runtime::NamedTensor *> given; // by the model's names
  for (const auto &tensor : file.tensors()) {
    std::string name = options.rename ? options.rename(tensor.name) : tensor.name;
    if (name.empty()) continue;
    if (!given.emplace(name, &tensor).second)
      throw RuntimeError({runtime::ErrorCode::invalidArgument,
                          fmt::format("{}: '{}' and '{}' both stand for '{}'", path,
                                      given[name]->name, tensor.name, name)});
  }
  for (const auto &named : all) {
    auto found = given.find(named.name);
    auto isOptional = [&](const std::string &start) { return named.name.starts_with(start); };
    if (found == given.end()) {
      if (std::none_of(options.optional.begin(), options.optional.end(), isOptional))
        differences.missing.push_back(fmt::format("'{}'", named.name));
      continue;
    }
    differences.expect(*found->second, named.name, named.tensor.spec(), options.convert);
  }
  std::set<std::string> known;
  for (const auto &named : all) known.insert(named.name);
  for (const auto &[name, tensor] : given)
    if (!known.count(name)) differences.unexpected.push_back(fmt::format("'{}'", tensor->name));
  differences.check(path, "this model", options.strict);
  for (const auto &named : all)
    if (auto found = given.find(named.name); found != given.end())
      model.store()->set(
          named.tensor.impl()->variable,
          Array::copy(found->second->bytes.data(), named.tensor.shape(), found->second->type.dtype)
              .to(named.tensor.dtype()));
}

} // namespace sinter
