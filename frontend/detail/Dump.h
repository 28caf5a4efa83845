#pragma once

#include <string>
#include <string_view>

namespace sinter::detail {

/// A folder that receives what one compilation makes; files are numbered in the order of writing.
class Dump {
public:
  /// `folder` may be empty: then nothing is written. Throws RuntimeError when it cannot be made.
  Dump(const std::string &folder, const std::string &label);

  explicit operator bool() const { return !path.empty(); }
  /// Writes `NN-stage.mlir`, whose first line makes it again from the file before.
  void stage(std::string_view stage, std::string_view pipeline, std::string_view ir);
  void file(std::string_view name, std::string_view text);

private:
  std::string path, previous;
  int count = 0;
};

} // namespace sinter::detail
