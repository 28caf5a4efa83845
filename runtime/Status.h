#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace sinter::runtime {

/// What kind of thing went wrong; the text says the rest.
enum class ErrorCode {
  invalidArgument, // the caller's value cannot be used (shape, type, name, option)
  notFound,        // a file, an entry, a symbol is missing
  corrupt,         // bytes do not say what they should (truncated, wrong magic, checksum)
  unsupported,     // well formed, but not something this build or device does
  outOfMemory,
  deviceFailure, // a driver, a launch or a host compiler failed
  ioFailure,
  interrupted,
  nonFinite, // a loss or gradient is NaN or infinite
};

struct Error {
  ErrorCode code = ErrorCode::invalidArgument;
  std::string message; // one sentence that names the thing
};

/// Success, or the one error that ended the work. The runtime throws nothing.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}
  Status(ErrorCode code, std::string message) : error_(Error{code, std::move(message)}) {}

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error &error() const { return *error_; }

private:
  std::optional<Error> error_;
};

/// A value, or the error that stands in its place.
template <class T> class [[nodiscard]] Result {
public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  Result(const Status &failed) : state_(std::in_place_index<1>, failed.error()) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T &operator*() { return std::get<0>(state_); }
  const T &operator*() const { return std::get<0>(state_); }
  T *operator->() { return &std::get<0>(state_); }
  const T *operator->() const { return &std::get<0>(state_); }
  const Error &error() const { return std::get<1>(state_); }
  Status status() const { return ok() ? Status() : Status(error()); }

private:
  std::variant<T, Error> state_;
};

} // namespace sinter::runtime

#define SINTER_CONCAT_INNER(a, b) a##b
#define SINTER_CONCAT(a, b) SINTER_CONCAT_INNER(a, b)
/// Returns the error of `expr` (a Status) to the caller, if there is one.
#define SINTER_RETURN_IF_ERROR(expr)                                                               \
  do {                                                                                             \
    if (::sinter::runtime::Status sinterStatus = (expr); !sinterStatus.ok())                       \
      return sinterStatus.error();                                                                 \
  } while (false)
/// Declares `decl` from the value of `expr` (a Result), or returns its error to the caller.
#define SINTER_ASSIGN_OR_RETURN(decl, expr)                                                        \
  auto SINTER_CONCAT(sinterResult, __LINE__) = (expr);                                             \
  if (!SINTER_CONCAT(sinterResult, __LINE__).ok())                                                 \
    return SINTER_CONCAT(sinterResult, __LINE__).error();                                          \
  decl = std::move(*SINTER_CONCAT(sinterResult, __LINE__))
