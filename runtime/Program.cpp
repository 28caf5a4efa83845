#include "sinter/runtime/Program.h"

namespace sinter::runtime {

const Entry *Program::findEntry(std::string_view name) const {
  for (const Entry &entry : entries)
    if (entry.name == name) return &entry;
  return nullptr;
}

int Program::findState(std::string_view name) const {
  for (size_t i = 0; i < state.size(); ++i)
    if (state[i].name == name) return static_cast<int>(i);
  return -1;
}

namespace {

/// Instruction `number` of what `outer` runs, or null.
const Instruction *instructionIn(const Instruction &outer, uint32_t number) {
  auto in = [&](const std::shared_ptr<Block> &block) {
    return block && number < block->size() ? &(*block)[number] : nullptr;
  };
  if (auto *loop = std::get_if<Loop>(&outer.op)) return in(loop->body);
  if (auto *turns = std::get_if<While>(&outer.op)) return in(turns->body);
  auto *branch = std::get_if<If>(&outer.op);
  if (!branch || !branch->then) return nullptr;
  if (const Instruction *found = in(branch->then)) return found;
  number -= static_cast<uint32_t>(branch->then->size());
  return in(branch->otherwise);
}

} // namespace

const Instruction *instructionAt(const Block &block, std::span<const uint32_t> path) {
  if (path.empty() || path[0] >= block.size()) return nullptr;
  const Instruction *found = &block[path[0]];
  for (uint32_t number : path.subspan(1))
    if (found) found = instructionIn(*found, number);
  return found;
}

} // namespace sinter::runtime
