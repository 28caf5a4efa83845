#pragma once

#include <string>
#include <vector>

namespace sinter::detail {

/// Opens shared libraries of passes (MLIR pass plug-ins) and registers what they bring; each once in
/// a process. Our passes and MLIR's general ones are registered too. Throws RuntimeError, naming the library, for one that cannot be loaded.
void loadPlugins(const std::vector<std::string> &paths);

} // namespace sinter::detail
