#pragma once

#include <cstdint>

namespace sinter::runtime::testing {

/// How often operator new was called so far, by any thread, in the library as well.
int64_t numAllocations();

} // namespace sinter::runtime::testing
