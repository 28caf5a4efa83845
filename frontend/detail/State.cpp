#include "sinter/frontend/detail/Compiler.h"
#include "sinter/frontend/detail/Emitter.h"
#include "sinter/frontend/detail/Store.h"
#include "sinter/runtime/Philox.h"

#include <fmt/format.h>

#include <set>

using namespace mlir;

namespace sinter::detail {

bool isRandom(const Variable &variable) { return variable.init.kind != init::Init::Kind::constant; }

std::shared_ptr<TracedImpl> traceInit(const std::vector<VariablePtr> &variables,
                                      std::optional<uint64_t> seed) {
  Where here = variables.empty() ? Where::current() : variables.front()->where;
  return traceInto("init", {}, {}, here, [&](Trace &trace, const std::vector<Tensor> &) {
    Value zero;
    if (seed) {
      std::vector<int64_t> bits{static_cast<int64_t>(*seed)};
      Emitter e("init", here, {});
      trace.write(trace.seedVariable(), e[constant(Array(bits).reshape({}), here)]);
    }
    for (const VariablePtr &variable : variables) {
      PathScope path(variable->name);
      Emitter e("init", variable->where, {});
      const init::Init &init = variable->init;
      RankedTensorType type = typeOf(variable->spec);
      if (!isRandom(*variable)) {
        trace.write(variable, e.splat(variable->spec, init.a));
        continue;
      }
      if (!zero) zero = e.splat({{}, i64}, 0);
      NamedAttribute stream = e.integer("stream", runtime::streamId(variable->name));
      Value drawn = init.kind == init::Init::Kind::uniform
                        ? e.make<ir::RandomUniformOp>(
                              {trace.seed(), zero},
                              {e.number("high", init.b), e.number("low", init.a), stream}, type)
                        : e.make<ir::RandomNormalOp>(
                              {trace.seed(), zero},
                              {e.number("mean", init.a), e.number("std", init.b), stream}, type);
      if (init.zero_row >= 0) {
        Value row =
            e.make<ir::IotaOp>({}, e.integer("dim", 0), typeOf({variable->spec.shape, i64}));
        auto equal = ir::ComparePredicateAttr::get(&context(), ir::ComparePredicate::eq);
        Value isZero = e.make<ir::CompareOp>(
            {row, e.splat({variable->spec.shape, i64}, static_cast<double>(init.zero_row))},
            e.attribute("predicate", equal));
        drawn = e.make<ir::SelectOp>({isZero, e.splat(variable->spec, 0), drawn});
      }
      trace.write(variable, drawn);
    }
    return std::vector<Value>();
  });
}

std::vector<VariablePtr> StateTable::missing(const std::vector<VariablePtr> &variables) const {
  std::vector<VariablePtr> result;
  std::set<std::string> seen;
  for (const VariablePtr &variable : variables)
    if ((!current || current->find(variable->name) < 0) && seen.insert(variable->name).second)
      result.push_back(variable);
  return result;
}

void StateTable::add(const std::vector<VariablePtr> &variables) {
  if (variables.empty()) return;
  std::vector<runtime::StateVariable> table;
  if (current) table = current->variables();
  for (const VariablePtr &variable : variables)
    table.push_back({variable->name, {variable->spec.dtype, variable->spec.shape}, variable->role});
  auto next = check(runtime::State::create(table, device.runtimeDevice()));
  if (current)
    for (const auto &variable : current->variables())
      check(next->set(variable.name, check(current->get(variable.name))));
  current = std::move(next);
  ++changes;
  for (const VariablePtr &variable : variables) {
    if (variable->role == runtime::StateRole::seed)
      set(variable->name, Array(std::vector<int64_t>{static_cast<int64_t>(seed)}).reshape({}));
    else if (!isRandom(*variable) && variable->init.a != 0)
      set(variable->name,
          Array::full(variable->spec.shape, variable->init.a, variable->spec.dtype));
  }
}

Array StateTable::get(const std::string &name) const {
  const auto &variable = current->variables()[static_cast<size_t>(current->find(name))];
  Array value = Array::zeros(variable.type.shape, variable.type.dtype);
  check(current->get(name,
                     {static_cast<uint8_t *>(value.raw()), static_cast<size_t>(value.numBytes())}));
  return value;
}

void StateTable::set(const std::string &name, const Array &value) {
  check(current->set(name, value.bytes()));
}

std::shared_ptr<Runner>
prepare(std::shared_ptr<const TracedImpl> traced, const std::string &entry,
        const CompileOptions &options, StateTable &table, const std::vector<VariablePtr> &others,
        const std::function<std::optional<Array>(const std::string &)> &given,
        const std::string &label) {
  std::vector<VariablePtr> all = others;
  all.insert(all.end(), traced->variables.begin(), traced->variables.end());
  std::vector<VariablePtr> fresh = table.missing(all), drawn;
  std::vector<std::pair<std::string, Array>> known;
  for (const VariablePtr &variable : fresh)
    if (auto value = given ? given(variable->name) : std::nullopt)
      known.emplace_back(variable->name, std::move(*value));
    else if (isRandom(*variable))
      drawn.push_back(variable);

  std::vector<const TracedImpl *> functions{traced.get()};
  std::shared_ptr<TracedImpl> init;
  if (!drawn.empty()) {
    init = traceInit(drawn);
    functions.push_back(init.get());
    for (const VariablePtr &variable : table.missing(init->variables))
      if (!llvm::is_contained(drawn, variable)) fresh.push_back(variable); // the seed
    fresh = table.missing(fresh);
  }
  Compiled compiled = compileFunctions(functions, options, label);
  table.add(fresh);
  for (const auto &[name, value] : known) table.set(name, value);
  auto runner = std::make_shared<Runner>(std::move(traced), std::move(compiled), entry);
  if (init) runner->initialise(options.device, table);
  return runner;
}

std::vector<Array> initialValues(const std::vector<VariablePtr> &variables, uint64_t seed) {
  Device device = Device::reference();
  StateTable table(device, seed);
  auto init = traceInit(variables);
  table.add(table.missing(init->variables));
  Compiled compiled = compileFunctions({init.get()}, {.device = device, .seed = seed}, "init");
  Runner(init, std::move(compiled), "init").run({}, device, table);
  std::vector<Array> values;
  for (const VariablePtr &variable : variables) values.push_back(table.get(variable->name));
  return values;
}

bool Store::has(const std::string &name) const {
  return host.count(name) || (attached && attached->find(name) >= 0);
}

Array Store::get(const VariablePtr &variable) const {
  const std::string &name = variable->name;
  if (attached && attached->find(name) >= 0) {
    Array value = Array::zeros(variable->spec.shape, variable->spec.dtype);
    check(attached->get(
        name, {static_cast<uint8_t *>(value.raw()), static_cast<size_t>(value.numBytes())}));
    return value;
  }
  auto found = host.find(name);
  if (found == host.end()) {
    if (!isRandom(*variable))
      return Array::full(variable->spec.shape, variable->init.a, variable->spec.dtype);
    found = host.emplace(name, initialValues({variable}, seed)[0]).first;
  }
  return found->second.clone();
}

void Store::set(const VariablePtr &variable, const Array &value) {
  if (attached && attached->find(variable->name) >= 0)
    check(attached->set(variable->name, value.bytes()));
  else
    host[variable->name] = value.clone();
}

void Store::attach(std::shared_ptr<runtime::State> state) {
  attached = std::move(state);
  for (auto i = host.begin(); i != host.end();)
    i = attached->find(i->first) >= 0 ? host.erase(i) : std::next(i);
}

} // namespace sinter::detail
