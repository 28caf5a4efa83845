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

} // namespace sinter::runtime
