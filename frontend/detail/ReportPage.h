#pragma once

#include <string_view>

namespace sinter::detail {

/// A file of frontend/report/; empty for a name that is not there.
std::string_view reportPart(std::string_view name);

} // namespace sinter::detail
