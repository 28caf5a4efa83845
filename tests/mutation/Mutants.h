#pragma once

#include <string>
#include <vector>

/// Kernels with one mistake each, made from the text of a right one.
namespace sinter::test {

enum class MutantKind { barrier, wait, commit, arrival, fence, check, loopBound };
const char *name(MutantKind kind);

struct Mutant {
  MutantKind kind;
  int line;           // of the kernel's text, from 1
  std::string what;   // what was taken out
  std::string source; // the text without it
  /// For a check: the text with a read far outside of memory wherever the check fails, so that a launch
  /// reports whether it ever does. Empty: the mutant differs for some thread at any size it is made for.
  std::string probe;
};

/// Every barrier of a CUDA kernel's block or warps, every wait for asynchronous copies and products (left out, and for
/// one group less) and for barriers that count, every end of a group, every arrival at such a barrier and what makes it,
/// every fence, every comparison of what a thread computes from its place and
/// constants (not what is the same for all threads), and every strided loop whose last turn is not for all threads.
std::vector<Mutant> mutantsOf(const std::string &source);

/// A kernel's text under another name.
std::string renamed(const std::string &source, const std::string &from, const std::string &to);

} // namespace sinter::test
