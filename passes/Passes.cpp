#include "sinter/passes/Passes.h"

#include "sinter/passes/Pipeline.h"

#include <mutex>

namespace sinter::passes {

#define GEN_PASS_REGISTRATION
#include "sinter/passes/Passes.h.inc"

void registerPasses() {
  static std::once_flag once;
  std::call_once(once, [] {
    registerGeneratedPasses();
    registerPipeline();
  });
}

} // namespace sinter::passes
