#pragma once

#include "sinter/frontend/Array.h"
#include "sinter/frontend/detail/Variable.h"
#include "sinter/runtime/State.h"

#include <map>

namespace sinter::detail {

/// Where the values of a model's variables are: on the device that trains or runs it, else on the
/// host, else still to be drawn.
class Store {
public:
  uint64_t seed = 0;             // of initial values
  int64_t trainedGeneration = 0; // counts the changes of what is trained

  Array get(const VariablePtr &variable) const;
  void set(const VariablePtr &variable, const Array &value);
  bool has(const std::string &name) const;

  /// Moves values into `state` and keeps them there. Variables that have none yet keep the state's.
  void attach(std::shared_ptr<runtime::State> state);
  const std::shared_ptr<runtime::State> &state() const { return attached; }
  /// Values that were set or moved out of an earlier state.
  const std::map<std::string, Array> &hostValues() const { return host; }

private:
  mutable std::map<std::string, Array> host;
  std::shared_ptr<runtime::State> attached;
};

/// The initial values of variables, in order, drawn by the evaluator.
std::vector<Array> initialValues(const std::vector<VariablePtr> &variables, uint64_t seed);

} // namespace sinter::detail
