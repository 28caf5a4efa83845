#pragma once

#include "sinter/passes/memory/Offsets.h"

#include <string>
#include <string_view>
#include <vector>

namespace sinter::passes::memory {

/// A table of buffers in the public format of MiniMalloc (github.com/google/minimalloc).
struct PlanCsv {
  std::vector<std::string> ids;
  std::vector<Extent>
      extents; // what CSV calls [lower, upper) is [first, last] = [lower, upper - 1]
};

/// Reads `id,lower,upper,size`: the header gives the order of the columns; `buffer` and `buffer_id` are
/// `id`, `start` and `begin` are `lower`, and `end` is the last moment in use (`upper` - 1), as
/// MiniMalloc has it. Other columns are passed over, but for an `alignment` that offsets, being sums of
/// sizes, would not have. Fields may be quoted (RFC 4180), lines end in LF or CRLF, empty lines are
/// skipped. On failure returns false and sets `error` to "FILE:LINE: column 'C': what is wrong".
bool readPlanCsv(std::string_view text, const std::string &file, PlanCsv &csv, std::string &error);

/// `id,lower,upper,size,offset`, one line for each buffer in the order in which they were read.
std::string writePlanCsv(const PlanCsv &csv, const std::vector<int64_t> &offsets);

} // namespace sinter::passes::memory
