#pragma once

#include "sinter/runtime/Program.h"

namespace sinter::runtime {

/// Whether a tensor map (TensorMapParam: dimensions outermost first, strides in bytes) can be encoded for memory at
/// `address`: what cuTensorMapEncodeTiled asks for, with the reason where it cannot, and that all of the tensor lies in
/// the parameter's bytes. Swizzles are cuda.h's: 0, or 3 for 128 bytes.
Status checkTensorMap(const TensorMapParam &map, const void *address);

} // namespace sinter::runtime
