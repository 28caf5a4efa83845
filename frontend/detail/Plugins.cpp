#include "sinter/frontend/detail/Plugins.h"

#include "sinter/frontend/Errors.h"
#include "sinter/passes/Passes.h"
#include "sinter/runtime/CacheKey.h"

#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/DynamicLibrary.h"

#include <fmt/format.h>

#include <filesystem>
#include <mutex>
#include <set>

namespace sinter::detail {

[[noreturn]] static void refuse(runtime::ErrorCode code, const std::string &path,
                                const std::string &reason) {
  throw RuntimeError({code, fmt::format("the pass plug-in {} cannot be loaded: {}", path, reason)});
}

/// By hand instead of by mlir::PassPlugin::load, whose messages repeat the path and do not say what
/// is to be done.
static void loadPlugin(const std::string &path) {
  using runtime::ErrorCode;
  std::error_code code;
  if (!std::filesystem::exists(path, code)) refuse(ErrorCode::notFound, path, "no such file");
  std::string error;
  auto library = llvm::sys::DynamicLibrary::getPermanentLibrary(path.c_str(), &error);
  if (!library.isValid()) {
    if (error.starts_with(path + ": ")) error.erase(0, path.size() + 2);
    refuse(ErrorCode::invalidArgument, path, error);
  }
  auto getInfo = reinterpret_cast<decltype(&mlirGetPassPluginInfo)>(
      library.getAddressOfSymbol("mlirGetPassPluginInfo"));
  if (!getInfo)
    refuse(ErrorCode::invalidArgument, path,
           "it is a library without the function mlirGetPassPluginInfo, by which a plug-in says "
           "what it brings");
  mlir::PassPluginLibraryInfo info = getInfo();
  if (info.apiVersion != MLIR_PLUGIN_API_VERSION)
    refuse(
        ErrorCode::unsupported, path,
        fmt::format("it was built for version {} of MLIR's plug-in interface, Sinter for version "
                    "{}",
                    info.apiVersion, MLIR_PLUGIN_API_VERSION));
  if (!info.registerPassRegistryCallbacks)
    refuse(ErrorCode::invalidArgument, path, "it registers no passes");
  info.registerPassRegistryCallbacks();
}

void loadPlugins(const std::vector<std::string> &paths) {
  static std::mutex mutex;
  static std::set<std::string> loaded;
  std::lock_guard lock(mutex);
  // Pipelines from outside are made of the plug-ins' passes, of ours and of MLIR's general ones.
  [[maybe_unused]] static bool registered =
      (passes::registerPasses(), mlir::registerTransformsPasses(), true);
  for (const std::string &path : paths) {
    // One file under two names would register its passes twice, which MLIR takes for a clash.
    std::error_code code;
    std::string file = std::filesystem::weakly_canonical(path, code).string();
    if (loaded.contains(file)) continue;
    loadPlugin(path);
    runtime::CacheKey::addForeignCode(path);
    loaded.insert(file);
  }
}

} // namespace sinter::detail
