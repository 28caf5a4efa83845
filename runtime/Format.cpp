// fmt's one function that is no template, `vformat`, for the whole library: compiled header-only here,
// because Debian has fmt as a shared library only and the runtime is to need none; and not in every
// file, which would take each five seconds more.
#define FMT_HEADER_ONLY
#include <fmt/format.h>

namespace sinter::runtime {

[[gnu::used]] static std::string (*const emitted)(fmt::string_view,
                                                  fmt::format_args) = &fmt::vformat;

} // namespace sinter::runtime
