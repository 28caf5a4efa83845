#include "sinter/frontend/Errors.h"

#include <fmt/format.h>

#include <string_view>

namespace sinter {

static std::string baseName(std::string_view path) {
  return std::string(path.substr(path.find_last_of('/') + 1));
}

UserError::UserError(const std::string &message, Where where)
    : Error(fmt::format("{}:{}: {}", baseName(where.file_name()), where.line(), message)),
      file(baseName(where.file_name())), line(where.line()), message(message) {}

void check(const runtime::Status &status) {
  if (!status.ok()) throw RuntimeError(status.error());
}

std::string text(const Shape &shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string TensorSpec::text() const {
  return std::string(runtime::name(dtype)) + sinter::text(shape);
}

int64_t TensorSpec::numElements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

} // namespace sinter
