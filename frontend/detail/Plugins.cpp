#include "sinter/frontend/detail/Plugins.h"

#include "sinter/frontend/Errors.h"

#include "mlir/Tools/Plugins/PassPlugin.h"

#include <fmt/format.h>

#include <mutex>
#include <set>

namespace sinter::detail {

void loadPlugins(const std::vector<std::string> &paths) {
  static std::mutex mutex;
  static std::set<std::string> loaded;
  std::lock_guard lock(mutex);
  for (const std::string &path : paths) {
    if (loaded.contains(path)) continue;
    auto plugin = mlir::PassPlugin::load(path);
    if (!plugin)
      throw RuntimeError(
          {runtime::ErrorCode::notFound, fmt::format("the pass plug-in {} cannot be loaded: {}",
                                                     path, llvm::toString(plugin.takeError()))});
    plugin->registerPassRegistryCallbacks();
    loaded.insert(path);
  }
}

} // namespace sinter::detail
