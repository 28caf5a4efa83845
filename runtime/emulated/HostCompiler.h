#pragma once

#include "sinter/runtime/Status.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sinter::runtime::emulated {

/// A file that the compiled text may include, by its name ("sinter/types.cuh").
using IncludeFile = std::pair<std::string, std::string>;

/// The command that stands for a host C++ compiler: $SINTER_CXX, else the compiler Sinter was built
/// with, else `c++` of the PATH. Fails where there is none, naming the package.
Result<std::string> hostCompilerCommand();

/// Compiles C++ text into a shared object and returns its bytes, from the kernel cache when the
/// same text was compiled before. The error holds the compiler's messages.
Result<std::vector<uint8_t>> compileSharedObject(const std::string &text,
                                                 const std::vector<IncludeFile> &includes);

} // namespace sinter::runtime::emulated
