#pragma once

#include "sinter/frontend/Types.h"
#include "sinter/runtime/Safetensors.h"

#include <string>
#include <vector>

namespace sinter::detail {

/// What stands between a checkpoint and what should be loaded from it.
struct Differences {
  std::vector<std::string> different, missing, unexpected;

  /// Looks for a tensor in the file and notes when it is not there or is of another type.
  void expect(const runtime::SafetensorsFile &file, const std::string &name,
              const TensorSpec &spec);
  /// Throws RuntimeError with the lists: "PATH is not a checkpoint of WHAT; missing: 'a', 'b'".
  /// Of a tensor that is there; `convert`: other floating types will do.
  void expect(const runtime::NamedTensor &tensor, const std::string &name, const TensorSpec &spec,
              bool convert = false);
  /// Names that only one side has count when `strict`.
  void check(const std::string &path, const std::string &what, bool strict = true) const;
};

} // namespace sinter::detail
