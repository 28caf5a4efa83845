#pragma once

#include "sinter/passes/fusion/Groups.h"

namespace sinter::passes::fusion {

/// Makes kernels that read the same and of which neither reads the other stages of one launch, each as it
/// is: on a CPU, whose threads then take chunks of both. What both read is in the cache, and one barrier
/// is saved. First reductions to little beside the first kernel that reads the same; then contractions
/// (the weight's and the input's gradient of a dense layer; query, key and value), where no more memory is
/// needed at any moment than at the worst one before.
void fuseBeside(Groups &groups);

} // namespace sinter::passes::fusion
