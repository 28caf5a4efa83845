#include "sinter/codegen/Effects.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <iterator>

namespace sinter::codegen {

Effects::Pieces &Effects::piecesOf(const runtime::Location &location) {
  bool arena = location.space == runtime::Space::arena;
  return memories[uint64_t(location.space) << 32 | (arena ? 0 : location.index)];
}

/// The piece that begins at `at`.
Effects::Pieces::iterator Effects::cut(Pieces &pieces, int64_t at) {
  auto next = pieces.lower_bound(at);
  if (next != pieces.end() && next->first == at) return next;
  std::vector<size_t> known;
  if (next != pieces.begin()) known = std::prev(next)->second;
  return pieces.emplace_hint(next, at, std::move(known));
}

void Effects::addRead(uint32_t number, const runtime::Location &read,
                      std::vector<uint32_t> &after) {
  int64_t from = read.offset, to = read.offset + read.bytes;
  Pieces &pieces = piecesOf(read);
  auto first = cut(pieces, from), last = cut(pieces, to);
  for (auto piece = first; piece != last; ++piece) {
    for (size_t effect : piece->second)
      if (effects[effect].writes) after.push_back(effects[effect].instruction);
    piece->second.push_back(effects.size());
  }
  effects.push_back({number, from, to, false});
}

void Effects::addWrite(uint32_t number, const runtime::Location &write,
                       std::vector<uint32_t> &after) {
  int64_t from = write.offset, to = write.offset + write.bytes;
  Pieces &pieces = piecesOf(write);
  auto first = cut(pieces, from), last = cut(pieces, to);
  for (auto piece = first; piece != last;) {
    std::vector<size_t> &known = piece->second;
    for (size_t effect : known)
      if (effects[effect].instruction != number) after.push_back(effects[effect].instruction);
    // Whoever waits for what is covered waits for this instruction, which has waited.
    llvm::erase_if(known, [&](size_t effect) {
      return from <= effects[effect].from && effects[effect].to <= to;
    });
    known.push_back(effects.size());
    bool same = piece != first && known == std::prev(piece)->second;
    piece = same ? pieces.erase(piece) : std::next(piece);
  }
  effects.push_back({number, from, to, true});
}

std::vector<uint32_t> Effects::add(uint32_t number, const std::vector<runtime::Location> &reads,
                                   const std::vector<runtime::Location> &writes) {
  std::vector<uint32_t> after;
  for (const runtime::Location &read : reads) addRead(number, read, after);
  for (const runtime::Location &write : writes) addWrite(number, write, after);
  std::sort(after.begin(), after.end());
  after.erase(std::unique(after.begin(), after.end()), after.end());
  return after;
}

} // namespace sinter::codegen
