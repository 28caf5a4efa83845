#pragma once

#include "sinter/runtime/Device.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sinter::runtime {

/// The variables that outlive a step (parameters, moments, running statistics, step, seed), at
/// fixed addresses in one allocation outside every arena. Several executors may share one: they
/// must not run at the same time, nor while a variable is read or written here.
class State {
public:
  /// All bytes start as zero. The layout depends on `variables` alone: in order, each aligned to
  /// 64 bytes.
  static Result<std::shared_ptr<State>> create(std::span<const StateVariable> variables,
                                               std::shared_ptr<Device> device);

  const std::vector<StateVariable> &variables() const { return table; }
  const std::shared_ptr<Device> &device() const { return place; }
  int64_t bytes() const { return total; }
  int find(std::string_view name) const; // -1: none
  /// On the device; never changes.
  void *address(size_t index) const;

  /// Copies host bytes in; their number must be the variable's.
  Status set(std::string_view name, std::span<const uint8_t> bytes);
  /// Copies a variable out; the size of `bytes` must be the variable's.
  Status get(std::string_view name, std::span<uint8_t> bytes) const;
  Result<std::vector<uint8_t>> get(std::string_view name) const;

private:
  State(std::vector<StateVariable> table, std::shared_ptr<Device> place);
  Result<size_t> checked(std::string_view name, size_t bytes, std::string_view verb) const;

  std::vector<StateVariable> table;
  std::vector<int64_t> offsets;
  std::unordered_map<std::string, size_t> indices;
  int64_t total = 0;
  std::shared_ptr<Device> place;
  std::shared_ptr<Buffer> buffer;
};

/// Writes every variable to a safetensors file, replaced atomically.
Status saveState(const State &state, const std::string &path);
/// Reads variables back. `strict`: every variable must be in the file and nothing else; otherwise
/// those that both have are loaded. The state is untouched when anything does not fit.
Status loadState(State &state, const std::string &path, bool strict = true);

} // namespace sinter::runtime
