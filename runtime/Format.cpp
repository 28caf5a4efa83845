// fmt's functions that are no templates, for the whole library: compiled header-only here, because Debian
// has fmt as a shared library only and the runtime is to need none; and not in every file, which would
// take each five seconds more. `vformat` is what our files call, `is_printable` what its templates call in
// them where they are not optimised away.
#define FMT_HEADER_ONLY
#include <fmt/format.h>

namespace sinter::runtime {

[[gnu::used]] static std::string (*const emitted)(fmt::string_view,
                                                  fmt::format_args) = &fmt::vformat;
[[gnu::used]] static bool (*const printable)(uint32_t) = &fmt::detail::is_printable;

} // namespace sinter::runtime
