#pragma once

#include <cstdint>

/// mlir::PassPluginLibraryInfo as a plug-in's library gives it out, without MLIR's headers.
struct PluginInfo {
  uint32_t apiVersion;
  const char *name, *version;
  void (*registerPasses)();
};
