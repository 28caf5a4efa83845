#pragma once

#include "mlir/IR/Location.h"

#include <string>
#include <vector>

namespace sinter::detail {

/// One of the user's lines that an op comes from.
struct Origin {
  std::string file; // as the compiler was given it; empty when no line is known
  int line = 0;
  std::string path;              // of the module: "encoder.0.fc"; may be empty
  std::string phase = "forward"; // or "backward", "update"

  friend bool operator==(const Origin &, const Origin &) = default;
  /// "model.cpp:14"; empty when no line is known.
  std::string place() const;
  /// "model.cpp:14 conv1", with the phase when it is not the forward one.
  std::string text() const;
};

/// All lines in a location, in order, each once. Never empty.
std::vector<Origin> originsOf(mlir::Location location);

/// "model.cpp:14", the first line in a location; empty where there is none.
std::string placeOf(mlir::Location location);

/// "model.cpp" of a path.
std::string baseName(const std::string &file);

} // namespace sinter::detail
