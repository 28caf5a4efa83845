#pragma once

#include "sinter/runtime/Environment.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <gtest/gtest.h>

namespace sinter::test {

/// Whether this machine simply has no NVRTC. One that is named, or there and of no use, is not absent.
inline bool isAbsent(const runtime::Result<std::shared_ptr<const runtime::cuda::Nvrtc>> &nvrtc) {
  return !nvrtc.ok() && nvrtc.error().code == runtime::ErrorCode::notFound &&
         runtime::environment::nvrtcLibrary().empty();
}

} // namespace sinter::test

/// Opens NVRTC as `name`; the test (one that returns nothing) is skipped where there is none, and fails where it does
/// not open.
#define SINTER_NVRTC_OR_SKIP(name)                                                                 \
  auto name = ::sinter::runtime::cuda::Nvrtc::open();                                              \
  if (::sinter::test::isAbsent(name)) GTEST_SKIP() << name.error().message;                        \
  ASSERT_TRUE(name.ok()) << name.error().message
