#include "sinter/frontend/detail/Differences.h"

#include "sinter/frontend/Errors.h"

#include <fmt/format.h>

namespace sinter::detail {

void Differences::expect(const runtime::SafetensorsFile &file, const std::string &name,
                         const TensorSpec &spec) {
  const runtime::NamedTensor *found = file.find(name);
  if (!found)
    missing.push_back(fmt::format("'{}'", name));
  else
    expect(*found, name, spec);
}

void Differences::expect(const runtime::NamedTensor &tensor, const std::string &name,
                         const TensorSpec &spec, bool convert) {
  bool sameType = tensor.type.dtype == spec.dtype ||
                  (convert && runtime::isFloat(tensor.type.dtype) && runtime::isFloat(spec.dtype));
  if (tensor.type.shape != spec.shape || !sameType)
    different.push_back(
        fmt::format("'{}' ({} in the file, {} here)", name, tensor.type.text(), spec.text()));
}

/// "'a', 'b' and 12 more"
static std::string listed(const std::vector<std::string> &names) {
  constexpr size_t most = 8;
  size_t shown = names.size() > most ? most - 1 : names.size();
  std::string text;
  for (size_t i = 0; i < shown; ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

void Differences::check(const std::string &path, const std::string &what, bool strict) const {
  std::string text;
  auto add = [&](const char *kind, const std::vector<std::string> &names) {
    if (!names.empty()) text += fmt::format("; {}: {}", kind, listed(names));
  };
  add("of another type", different);
  if (strict) add("missing", missing);
  if (strict) add("unexpected", unexpected);
  if (!text.empty())
    throw RuntimeError({runtime::ErrorCode::invalidArgument,
                        fmt::format("{} is not a checkpoint of {}{}", path, what, text)});
}

} // namespace sinter::detail
