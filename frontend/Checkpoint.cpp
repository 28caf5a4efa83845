#include "sinter/frontend/Checkpoint.h"

#include "sinter/frontend/detail/Store.h"
#include "sinter/runtime/Safetensors.h"

#include <fmt/format.h>

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

/// "'a', 'b' and 12 more"
static std::string listed(const std::vector<std::string> &names) {
  constexpr size_t most = 8;
  std::string text;
  for (size_t i = 0; i < names.size() && i < most; ++i)
    text += fmt::format("{}'{}'", i ? ", " : "", names[i]);
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

void load(nn::Module &model, const std::string &path, LoadOptions options) {
  auto file = check(runtime::SafetensorsFile::open(path));
  auto all = allNamed(model);
  std::vector<std::string> missing, unexpected, different;
  std::set<std::string> known;
  for (const auto &named : all) {
    known.insert(named.name);
    const runtime::NamedTensor *found = file.find(named.name);
    const TensorSpec &spec = named.tensor.spec();
    if (!found)
      missing.push_back(named.name);
    else if (found->type.shape != spec.shape || found->type.dtype != spec.dtype)
      different.push_back(fmt::format("{} is {} in the file, {} in the model", named.name,
                                      found->type.text(), spec.text()));
  }
  for (const auto &tensor : file.tensors())
    if (!known.count(tensor.name)) unexpected.push_back(tensor.name);
  std::string problems;
  auto complain = [&](const char *what, const std::vector<std::string> &names) {
    if (!names.empty())
      problems += fmt::format("{} {} {}", problems.empty() ? "" : ";", what, listed(names));
  };
  complain("different:", different);
  if (options.strict) {
    complain("missing:", missing);
    complain("unexpected:", unexpected);
  }
  if (!problems.empty())
    throw RuntimeError({runtime::ErrorCode::invalidArgument,
                        fmt::format("{} is not a checkpoint of this model;{}", path, problems)});
  for (const auto &named : all)
    if (const runtime::NamedTensor *found = file.find(named.name))
      model.store()->set(
          named.tensor.impl()->variable,
          Array::copy(found->bytes.data(), named.tensor.shape(), named.tensor.dtype()));
}

} // namespace sinter
