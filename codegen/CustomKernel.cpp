#include "sinter/codegen/CustomKernel.h"

#include "sinter/runtime/CacheKey.h"

#include "llvm/ADT/StringMap.h"

#include <dlfcn.h>
#include <mutex>

namespace sinter::codegen {

namespace {
struct Registry {
  std::mutex mutex;
  llvm::StringMap<CustomLowering> kernels;
};
Registry &registry() {
  static Registry all;
  return all;
}
} // namespace

void registerCustomKernel(llvm::StringRef name, CustomLowering lower) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void *>(lower), &info) && info.dli_fname)
    runtime::CacheKey::addForeignCode(info.dli_fname);
  Registry &all = registry();
  std::lock_guard lock(all.mutex);
  all.kernels[name] = lower;
}

CustomLowering findCustomKernel(llvm::StringRef name) {
  Registry &all = registry();
  std::lock_guard lock(all.mutex);
  return all.kernels.lookup(name);
}

} // namespace sinter::codegen
