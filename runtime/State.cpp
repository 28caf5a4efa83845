#include "sinter/runtime/State.h"
#include "sinter/runtime/Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sinter::runtime {

State::State(std::vector<StateVariable> variables, std::shared_ptr<Device> device)
    : table(std::move(variables)), place(std::move(device)) {
  for (size_t i = 0; i < table.size(); ++i) {
    indices.emplace(table[i].name, i);
    offsets.push_back(total);
    total = alignUp(total + table[i].type.numBytes(), bufferAlignment);
  }
}

Result<std::shared_ptr<State>> State::create(std::span<const StateVariable> variables,
                                             std::shared_ptr<Device> device) {
  if (!device) return Error{ErrorCode::invalidArgument, "state: no device given"};
  std::shared_ptr<State> state(new State({variables.begin(), variables.end()}, std::move(device)));
  if (state->indices.size() != state->table.size())
    for (size_t i = 0; i < state->table.size(); ++i)
      if (state->indices.at(state->table[i].name) != i)
        return Error{ErrorCode::invalidArgument,
                     fmt::format("state: two variables are named '{}'", state->table[i].name)};
  auto buffer = state->place->allocate(std::max<int64_t>(state->total, 1));
  if (!buffer.ok())
    return Error{buffer.error().code,
                 fmt::format("state of {} variables needs {} bytes on {}: {}", state->table.size(),
                             state->total, state->place->description(), buffer.error().message)};
  state->buffer = std::move(*buffer);
  constexpr std::array<uint8_t, 1> zero{0};
  if (state->total > 0)
    SINTER_RETURN_IF_ERROR(state->place->fill(state->buffer->address(), state->total, zero));
  SINTER_RETURN_IF_ERROR(state->place->synchronize());
  return state;
}

int State::find(std::string_view name) const {
  auto found = indices.find(std::string(name));
  return found == indices.end() ? -1 : static_cast<int>(found->second);
}

void *State::address(size_t index) const { return advance(buffer->address(), offsets[index]); }

Result<size_t> State::checked(std::string_view name, size_t bytes, std::string_view verb) const {
  int index = find(name);
  if (index < 0) return Error{ErrorCode::notFound, fmt::format("state has no variable '{}'", name)};
  const TensorType &type = table[static_cast<size_t>(index)].type;
  if (static_cast<int64_t>(bytes) != type.numBytes())
    return Error{ErrorCode::invalidArgument,
                 fmt::format("cannot {} state '{}': it is {} of {} bytes, the caller's has {}",
                             verb, name, type.text(), type.numBytes(), bytes)};
  return static_cast<size_t>(index);
}

Status State::set(std::string_view name, std::span<const uint8_t> bytes) {
  SINTER_ASSIGN_OR_RETURN(size_t index, checked(name, bytes.size(), "set"));
  if (bytes.empty()) return {};
  // Queued behind what is under way, which need not end for it.
  return place->upload(address(index), bytes.data(), static_cast<int64_t>(bytes.size()));
}

Status State::get(std::string_view name, std::span<uint8_t> bytes) const {
  SINTER_ASSIGN_OR_RETURN(size_t index, checked(name, bytes.size(), "get"));
  if (bytes.empty()) return {};
  SINTER_RETURN_IF_ERROR(
      place->download(bytes.data(), address(index), static_cast<int64_t>(bytes.size())));
  return place->synchronize();
}

Result<std::vector<uint8_t>> State::get(std::string_view name) const {
  int index = find(name);
  std::vector<uint8_t> bytes(
      index < 0 ? 0 : static_cast<size_t>(table[static_cast<size_t>(index)].type.numBytes()));
  SINTER_RETURN_IF_ERROR(get(name, bytes));
  return bytes;
}

} // namespace sinter::runtime
