#pragma once

#include "sinter/runtime/Program.h"

#include "llvm/ADT/DenseMap.h"

#include <cstdint>
#include <map>
#include <vector>

namespace sinter::codegen {

/// What instructions did to memory: which of them another one must wait for.
class Effects {
public:
  /// Adds instruction `number`, and returns those that it must wait for, ascending: who wrote what it reads, and who
  /// read or wrote what it writes; not those of whose place a later one has written all.
  std::vector<uint32_t> add(uint32_t number, const std::vector<runtime::Location> &reads,
                            const std::vector<runtime::Location> &writes);

private:
  struct Effect {
    uint32_t instruction;
    int64_t from, to; // bytes
    bool writes;
  };
  /// Effects (their numbers) on the bytes from one place to the next; none on those from the last on.
  using Pieces = std::map<int64_t, std::vector<size_t>>;

  Pieces &piecesOf(const runtime::Location &location);
  static Pieces::iterator cut(Pieces &pieces, int64_t at);
  void addRead(uint32_t number, const runtime::Location &read, std::vector<uint32_t> &after);
  void addWrite(uint32_t number, const runtime::Location &write, std::vector<uint32_t> &after);

  std::vector<Effect> effects;
  /// Of one memory each: locations of two do not overlap.
  llvm::DenseMap<uint64_t, Pieces> memories;
};

} // namespace sinter::codegen
