#include "sinter/codegen/StepPlaces.h"

#include "llvm/ADT/STLExtras.h"

namespace sinter::codegen {

/// Moves `location` to its place at the first step; returns how far it moves from one step to the next.
int64_t StepPlaces::move(runtime::Location &location) const {
  auto within = [&](const runtime::Location &outer, int64_t offset) {
    location = {outer.space, outer.index, outer.offset + offset + location.offset, location.bytes};
  };
  auto slice = [&](const runtime::Location &outer) -> int64_t {
    int64_t bytes = count ? outer.bytes / count : 0;
    within(outer, reverse ? (count - 1) * bytes : 0);
    return reverse ? -bytes : bytes;
  };
  switch (location.space) {
  case runtime::Space::state:
    within(outputs[location.index], 0);
    return 0;
  case runtime::Space::input:
    if (location.index < slices) return slice(operands[states + location.index]);
    within(operands[states + location.index], 0);
    return 0;
  case runtime::Space::output:
    return slice(outputs[states + location.index]);
  case runtime::Space::arena:
    within(scratch, 0);
    return 0;
  case runtime::Space::constant: // the program's
    return 0;
  }
  llvm_unreachable("a memory space without a place");
}

std::vector<runtime::LoopOffset> StepPlaces::moveInto(runtime::Block &body) const {
  std::vector<runtime::LoopOffset> offsets;
  for (auto [number, instruction] : llvm::enumerate(body)) {
    auto moved = [&, at = uint32_t(number)](runtime::Location &location, size_t param) {
      if (int64_t stride = move(location)) offsets.push_back({{at}, uint32_t(param), stride});
    };
    // What runs inside of a loop or a branch, counted from `first` on.
    auto within = [&, at = uint32_t(number)](const std::shared_ptr<runtime::Block> &block,
                                             size_t first = 0) {
      if (!block) return;
      for (runtime::LoopOffset &inner : moveInto(*block)) {
        inner.path.front() += uint32_t(first);
        inner.path.insert(inner.path.begin(), at);
        offsets.push_back(std::move(inner));
      }
    };
    if (auto *launch = std::get_if<runtime::Launch>(&instruction.op)) {
      for (auto [param, each] : llvm::enumerate(launch->params))
        if (auto *pointer = std::get_if<runtime::PointerParam>(&each))
          moved(pointer->location, param);
        else if (auto *map = std::get_if<runtime::TensorMapParam>(&each))
          moved(map->location, param);
    } else if (auto *copy = std::get_if<runtime::Copy>(&instruction.op)) {
      moved(copy->from, 0);
      moved(copy->to, 1);
    } else if (auto *loop = std::get_if<runtime::Loop>(&instruction.op)) {
      within(loop->body);
    } else if (auto *branch = std::get_if<runtime::If>(&instruction.op)) {
      moved(branch->condition, 0);
      within(branch->then);
      within(branch->otherwise, branch->then->size());
    } else if (auto *turns = std::get_if<runtime::While>(&instruction.op)) {
      moved(turns->condition, 0);
      within(turns->body);
    }
  }
  return offsets;
}

} // namespace sinter::codegen
