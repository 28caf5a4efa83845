#include "sinter/runtime/Safetensors.h"
#include "sinter/runtime/Container.h"
#include "sinter/runtime/State.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace sinter::runtime {
namespace {

// Indexed by DType.
constexpr std::array<std::string_view, 8> fileNames{"F32", "F64", "BF16", "F16",
                                                    "I32", "I64", "BOOL", "U8"};

std::string_view fileName(DType type) { return fileNames[static_cast<size_t>(type)]; }

std::optional<DType> parseFileName(std::string_view text) {
  for (size_t i = 0; i < fileNames.size(); ++i)
    if (fileNames[i] == text) return static_cast<DType>(i);
  return std::nullopt;
}

} // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  SINTER_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(path));
  SafetensorsFile file(path, std::move(mapped));
  std::string what = fmt::format("'{}'", path);
  SINTER_ASSIGN_OR_RETURN(Container container, parseContainer(file.file.bytes(), what));
  for (Blob &blob : container.blobs) {
    auto type = parseFileName(blob.dtype);
    if (!type)
      return Error{ErrorCode::unsupported, fmt::format("{}: tensor '{}' has element type {}, which "
                                                       "Sinter does not have",
                                                       what, blob.name, blob.dtype)};
    file.all.push_back({std::move(blob.name), {*type, std::move(blob.shape)}, blob.bytes});
  }
  std::sort(file.all.begin(), file.all.end(),
            [](const NamedTensor &a, const NamedTensor &b) { return a.name < b.name; });
  file.notes = std::move(container.metadata);
  return file;
}

const NamedTensor *SafetensorsFile::find(std::string_view name) const {
  auto found = std::lower_bound(
      all.begin(), all.end(), name,
      [](const NamedTensor &tensor, std::string_view wanted) { return tensor.name < wanted; });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

Status writeSafetensors(const std::string &path, std::span<const NamedTensor> tensors,
                        const std::map<std::string, std::string> &metadata) {
  std::vector<const NamedTensor *> order;
  std::set<std::string_view> names;
  for (const NamedTensor &tensor : tensors) {
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      return {ErrorCode::invalidArgument,
              fmt::format("cannot write '{}': two tensors are named '{}', or the name is reserved",
                          path, tensor.name)};
    if (static_cast<int64_t>(tensor.bytes.size()) != tensor.type.numBytes())
      return {ErrorCode::invalidArgument,
              fmt::format("cannot write '{}': tensor '{}' is {} of {} bytes, {} were given", path,
                          tensor.name, tensor.type.text(), tensor.type.numBytes(),
                          tensor.bytes.size())};
    order.push_back(&tensor);
  }
  // Blobs are packed; widest elements first, so that each tensor is aligned to its elements.
  std::sort(order.begin(), order.end(), [](const NamedTensor *a, const NamedTensor *b) {
    return std::pair(-byteWidth(a->type.dtype), std::string_view(a->name)) <
           std::pair(-byteWidth(b->type.dtype), std::string_view(b->name));
  });
  ContainerWriter writer;
  writer.setMetadata(metadata);
  for (const NamedTensor *tensor : order)
    writer.add({tensor->name, std::string(fileName(tensor->type.dtype)), tensor->type.shape,
                tensor->bytes});
  return writer.write(path);
}

Status saveState(const State &state, const std::string &path) {
  std::vector<std::vector<uint8_t>> copies;
  std::vector<NamedTensor> tensors;
  for (const StateVariable &variable : state.variables()) {
    SINTER_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, state.get(variable.name));
    copies.push_back(std::move(bytes));
    tensors.push_back({variable.name, variable.type, copies.back()});
  }
  return writeSafetensors(path, tensors);
}

Status loadState(State &state, const std::string &path, bool strict) {
  SINTER_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::open(path));
  for (const StateVariable &variable : state.variables()) {
    const NamedTensor *tensor = file.find(variable.name);
    if (!tensor && strict)
      return {ErrorCode::notFound, fmt::format("'{}' lacks the tensor '{}'", path, variable.name)};
    if (tensor && tensor->type != variable.type)
      return {ErrorCode::invalidArgument,
              fmt::format("'{}': tensor '{}' is {}, the state has {}", path, variable.name,
                          tensor->type.text(), variable.type.text())};
  }
  for (const NamedTensor &tensor : file.tensors())
    if (strict && state.find(tensor.name) < 0)
      return {ErrorCode::invalidArgument,
              fmt::format("'{}' has the tensor '{}', which the state lacks", path, tensor.name)};
  for (const NamedTensor &tensor : file.tensors())
    if (state.find(tensor.name) >= 0) SINTER_RETURN_IF_ERROR(state.set(tensor.name, tensor.bytes));
  return {};
}

} // namespace sinter::runtime
