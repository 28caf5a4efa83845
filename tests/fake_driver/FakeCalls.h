#pragma once

#include "FakeMachine.h"

#include <cstdlib>

/// What every function of the fake driver does at its start and with handles.
namespace sinter::fake {

struct FailNext {
  int code = 0, skip = 0;
};
struct Driver {
  std::map<std::string, FailNext> failures;
  std::map<std::string, int> calls;
  Machine machine;
};
std::unique_ptr<Driver> &driver();
inline Machine &machine() { return driver()->machine; }

/// Counts the call and says whether it is to fail.
CuResult enter(const char *name);

#define ENTER(name)                                                                                \
  if (CuResult failed = enter(#name); failed != cuSuccess) return failed
#define NEED_CONTEXT()                                                                             \
  if (!machine().current) return cuErrorInvalidContext
// A call that waits, or that other streams wait for, ends a capture.
#define NOT_IN_CAPTURE()                                                                           \
  if (machine().capturing()) return cuErrorCaptureUnsupported

inline Stream *of(CuStream stream) { return reinterpret_cast<Stream *>(stream); }

template <class T> CuResult makeHandle(T *handle) {
  void *memory = std::malloc(16);
  machine().live.insert(memory);
  *handle = static_cast<T>(memory);
  return cuSuccess;
}
inline CuResult dropHandle(void *handle) {
  if (!machine().live.erase(handle)) return cuErrorInvalidValue;
  std::free(handle);
  return cuSuccess;
}
/// Of two results, the first that is a failure.
inline CuResult either(CuResult first, CuResult second) {
  return first != cuSuccess ? first : second;
}
inline Access reads(CuDevicePtr at, size_t bytes) {
  return {static_cast<uintptr_t>(at), bytes, false};
}
inline Access writes(CuDevicePtr at, size_t bytes) {
  return {static_cast<uintptr_t>(at), bytes, true};
}

} // namespace sinter::fake
