#pragma once

#include "sinter/passes/fusion/Groups.h"

namespace sinter::passes::fusion {

/// About how many bytes of working memory the kernels of these groups need at once, launched in an order that
/// frees much early. Optimiser updates count as launched parameter by parameter (sinter-rematerialize does that).
int64_t peakOf(const Groups &groups);

} // namespace sinter::passes::fusion
