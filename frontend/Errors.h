#pragma once

#include "sinter/frontend/Types.h"
#include "sinter/runtime/Status.h"

#include <stdexcept>
#include <string>

namespace sinter {

/// What every error of Sinter is.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The caller's mistake, found at the call: "model.cpp:14: conv2d: input has 3 channels, ...".
/// Nothing was changed.
class UserError : public Error {
public:
  UserError(const std::string &message, Where where);

  const std::string file; // without its folder
  const int64_t line;
  const std::string message; // without file and line
};

/// A graph that was accepted could not be compiled: a limit of the compiler, a bug in it, or an expectation
/// (expect_fused, expect_kernels) that it does not fulfil.
class CompileError : public Error {
public:
  CompileError(std::string pass, const std::string &message, std::string place = {})
      : Error((place.empty() ? "" : place + ": ") + pass + ": " + message), pass(std::move(pass)),
        place(std::move(place)) {}
  const std::string pass;  // the step that failed
  const std::string place; // "model.cpp:14", the line that it is about; may be empty
};

/// A device, a file or a program failed while running.
class RuntimeError : public Error {
public:
  explicit RuntimeError(const runtime::Error &error) : Error(error.message), code(error.code) {}
  const runtime::ErrorCode code;
};

/// A training step gave a loss that is infinite or NaN. The state is that of before the step.
class NonFiniteLoss : public Error {
public:
  NonFiniteLoss(int64_t step, std::string op, std::string location, const std::string &text)
      : Error(text), step(step), op(std::move(op)), location(std::move(location)) {}
  const int64_t step;   // counted from 1
  const std::string op; // the first op with a result that is not finite; empty: none was found
  const std::string location; // "model.cpp:14"
};

/// Throws RuntimeError where `status` failed.
void check(const runtime::Status &status);
template <class T> T check(runtime::Result<T> result) {
  check(result.status());
  return std::move(*result);
}

} // namespace sinter
