#include "sinter/frontend/Checkpoint.h"

#include "sinter/frontend/detail/Differences.h"
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

void load(nn::Module &model, const std::string &path, LoadOptions options) {
  auto file = check(runtime::SafetensorsFile::open(path));
  auto all = allNamed(model);
  detail::Differences differences;
  std::set<std::string> known;
  for (const auto &named : all) {
    known.insert(named.name);
    differences.expect(file, named.name, named.tensor.spec());
  }
  for (const auto &tensor : file.tensors())
    if (!known.count(tensor.name))
      differences.unexpected.push_back(fmt::format("'{}'", tensor.name));
  differences.check(path, "this model", options.strict);
  for (const auto &named : all)
    if (const runtime::NamedTensor *found = file.find(named.name))
      model.store()->set(
          named.tensor.impl()->variable,
          Array::copy(found->bytes.data(), named.tensor.shape(), named.tensor.dtype()));
}

} // namespace sinter
