#include "sinter/frontend/detail/Session.h"

#include "sinter/frontend/detail/Differences.h"
#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/Store.h"
#include "sinter/runtime/Environment.h"
#include "sinter/runtime/Safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace sinter::detail {

Session::Session(nn::Module &model, ForwardFunction forward, Loss loss, optim::Optimizer optimizer,
                 TrainerOptions options, Where where)
    : model(model), forward(std::move(forward)), loss(std::move(loss)),
      optimizer(std::move(optimizer)),
      place(where), compileOptions{.device = options.device,
                                   .precision = options.precision,
                                   .dump_dir = options.dump_dir,
                                   .seed = options.seed,
                                   .require = options.require,
                                   .memory_budget = options.memory_budget,
                                   .numerics = options.numerics},
      scaling(options.loss_scaling), table(options.device, options.seed) {
  if (options.memory_budget < 0)
    throw UserError(
        fmt::format("memory_budget is {}, expected bytes, or 0 for any", options.memory_budget),
        where);
  model.store()->seed = options.seed;
  auto refuse = [&](const char *option, double value, const char *expected) {
    throw UserError(fmt::format("loss_scaling: {} is {}, expected {}", option, value, expected),
                    where);
  };
  if (!(scaling.initial_scale > 0) || !std::isfinite(static_cast<float>(scaling.initial_scale)))
    refuse("initial_scale", scaling.initial_scale, "a positive number that f32 can hold");
  if (!(scaling.growth_factor > 1)) refuse("growth_factor", scaling.growth_factor, "more than 1");
  if (!(scaling.backoff_factor > 0 && scaling.backoff_factor < 1))
    refuse("backoff_factor", scaling.backoff_factor, "a number between 0 and 1");
  if (scaling.growth_interval < 1 || scaling.growth_interval > std::numeric_limits<int32_t>::max())
    refuse("growth_interval", static_cast<double>(scaling.growth_interval), "a positive i32");
}

std::vector<VariablePtr> Session::modelVariables() const {
  std::vector<VariablePtr> all;
  for (const auto &list : {model.named_parameters(), model.named_buffers()})
    for (const auto &named : list)
      if (!llvm::is_contained(all, named.tensor.impl()->variable))
        all.push_back(named.tensor.impl()->variable);
  return all;
}

/// Brings the model's values here if another session or the host has them.
void Session::acquire() {
  Store &store = *model.store();
  if (!table.state() || store.state() == table.state()) return;
  for (const VariablePtr &variable : modelVariables())
    if (store.has(variable->name)) table.set(variable->name, store.get(variable));
  store.attach(table.state());
}

std::shared_ptr<Runner> Session::runnerOf(const std::string &entry, const std::string &key,
                                          const std::function<Function()> &trace) {
  acquire();
  std::shared_ptr<Runner> &runner = runners[entry + key];
  auto ahead = pending.find(entry + key);
  if (!runner && ahead != pending.end()) {
    Pending ready = std::move(ahead->second);
    pending.erase(ahead);
    runner = std::make_shared<Runner>(ready.traced, ready.compiled.get(), entry);
  }
  if (!runner) {
    Store &store = *model.store();
    std::map<std::string, VariablePtr> ofModel;
    for (const VariablePtr &variable : modelVariables()) ofModel[variable->name] = variable;
    auto given = [&](const std::string &name) -> std::optional<Array> {
      auto found = ofModel.find(name);
      if (found == ofModel.end() || !store.has(name)) return std::nullopt;
      return store.get(found->second);
    };
    runner = prepare(trace(), entry, compileOptions, table, modelVariables(), given, entry);
    store.attach(table.state());
    ratesWritten = false;
  }
  return runner;
}

void Session::noteShapes(const std::string &entry, const TensorSpec &x, const TensorSpec &y,
                         Where where) {
  auto [known, isFirst] = shapes.try_emplace(entry, x, y);
  const auto &[knownX, knownY] = known->second;
  if (isFirst || (knownX == x && knownY == y)) return;
  std::string change;
  if (knownX != x) change = fmt::format("x was {}, is {}", knownX.text(), x.text());
  if (knownY != y)
    change += fmt::format("{}y was {}, is {}", change.empty() ? "" : "; ", knownY.text(), y.text());
  if (compileOptions.require.no_recompile)
    throw UserError(
        fmt::format("{}: require.no_recompile: this batch would be compiled for anew: {}", entry,
                    change),
        where);
  if (check(runtime::environment::logs("recompiles")))
    fmt::print(stderr, "sinter: recompiles: {} at {}:{}: {}\n", entry, baseName(where.file_name()),
               where.line(), change);
}

void Session::prepareStep(const TensorSpec &x, const TensorSpec &y, Where where) {
  std::string key = "train_step" + x.text() + y.text();
  if (isCompiled(key)) return;
  noteShapes("train_step", x, y, where);
  Function traced = traceTrain(x, y); // the user's code runs in the user's thread
  if (!table.missing(traced->variables).empty()) return;
  pending[key] = {traced, std::async(std::launch::async, [traced, options = compileOptions] {
                    return compileFunctions({traced.get()}, options, "train_step");
                  })};
}

int64_t Session::steps() const {
  // What was skipped only the device knows.
  return scalesLoss && latest ? static_cast<int64_t>(table.get(stepName).item()) : numSteps;
}

std::optional<double> Session::lossScale() const {
  if (!scalesLoss || !latest) return {};
  return table.get(lossScaleName).item();
}

void Session::setEpoch(int64_t next) {
  if (next != epoch) ratesWritten = false;
  epoch = next;
}

void Session::writeRates() {
  if (ratesWritten) return;
  for (size_t group = 0; group <= optimizer.groups.size(); ++group) {
    std::string name = fmt::format("lr.{}", group);
    if (table.state()->find(name) >= 0)
      table.set(name, Array::scalar(optimizer.rateOf(group, epoch)));
  }
  ratesWritten = true;
}

double Session::train(const Array &x, const Array &y, Where where) {
  if (x.rank() == 0 || y.rank() == 0 || x.shape()[0] != y.shape()[0])
    throw UserError(fmt::format("train_step: {} inputs and {} targets differ in number",
                                x.spec().text(), y.spec().text()),
                    where);
  acquire();
  if (!latest || latestX != x.spec() || latestY != y.spec()) {
    if (!isCompiled("train_step" + x.spec().text() + y.spec().text()))
      noteShapes("train_step", x.spec(), y.spec(), where);
    latest = runnerOf("train_step", x.spec().text() + y.spec().text(),
                      [&] { return traceTrain(x.spec(), y.spec()); });
    latestX = x.spec(), latestY = y.spec();
  }
  writeRates();
  double value = latest->run({x, y}, device(), table)[0].item();
  if (!std::isfinite(value)) explainNonFinite(x, y);
  ++numSteps;
  return value;
}

Profile Session::profile(const Array &x, const Array &y, int64_t runs, Where where) {
  train(x, y, where); // compiles, and says what is wrong with the batch
  Profile profile = latest->profile({x, y}, compileOptions, table, runs);
  numSteps += profile.runs + 1;
  return profile;
}

Session::Sums Session::evaluate(const Array &x, const Array &y, int64_t rows,
                                const std::vector<Metric> &metrics, Where where) {
  std::string key = x.spec().text() + y.spec().text();
  for (const Metric &metric : metrics) key += " " + metric.name;
  if (!isCompiled("eval_step" + key)) noteShapes("eval_step", x.spec(), y.spec(), where);
  auto runner =
      runnerOf("eval_step", key, [&] { return traceEvaluate(x.spec(), y.spec(), metrics); });
  std::vector<Array> inputs{x, y};
  if (canMask()) {
    Array mask = Array::zeros({x.shape()[0]}, i1);
    std::fill_n(mask.data<bool>().begin(), rows, true);
    inputs.push_back(mask);
  }
  std::vector<Array> out = runner->run(inputs, device(), table);
  Sums sums;
  size_t at = 0;
  sums.loss = out[at++].item();
  if (canMask()) {
    sums.lossCount = out[at++].item();
  } else {
    sums.loss *= static_cast<double>(rows);
    sums.lossCount = static_cast<double>(rows);
  }
  for (size_t i = 0; i < metrics.size(); ++i) {
    sums.metrics.push_back(out[at++].item());
    sums.metricCounts.push_back(out[at++].item() * static_cast<double>(rows));
  }
  return sums;
}

Array Session::predict(const Array &x, Where where) {
  if (!isCompiled("predict" + x.spec().text())) noteShapes("predict", x.spec(), {}, where);
  auto runner = runnerOf("predict", x.spec().text(), [&] { return tracePredict(x.spec()); });
  return runner->run({x}, device(), table)[0];
}

void Session::save(const std::string &path) {
  acquire();
  if (!table.state())
    throw RuntimeError({runtime::ErrorCode::invalidArgument, "save: nothing was trained yet"});
  check(runtime::saveState(*table.state(), path));
}

void Session::load(const std::string &path) {
  auto file = check(runtime::SafetensorsFile::open(path));
  std::vector<VariablePtr> fromFile = modelVariables();
  Differences differences;
  for (const VariablePtr &variable : fromFile)
    differences.expect(file, variable->name, variable->spec);
  // Moments, rates and counters that the state does not have before the first step come with the file.
  const size_t ofModel = fromFile.size();
  for (const auto &tensor : file.tensors()) {
    bool isModels = false, isState = tensor.name == seedName || tensor.name == stepName ||
                                     tensor.name == lossScaleName ||
                                     tensor.name == growthTrackerName;
    bool isRate = tensor.name.starts_with("lr.");
    for (size_t i = 0; i < ofModel; ++i) {
      isModels |= tensor.name == fromFile[i]->name;
      isState |= tensor.name.starts_with(fromFile[i]->name + ".");
    }
    if (isModels) continue;
    if (!isState && !isRate) {
      differences.unexpected.push_back(fmt::format("'{}'", tensor.name));
      continue;
    }
    auto role = tensor.name == seedName ? runtime::StateRole::seed
                : isRate                ? runtime::StateRole::scalar
                                        : runtime::StateRole::state;
    fromFile.push_back(state(tensor.name, {tensor.type.shape, tensor.type.dtype}, role));
  }
  differences.check(path, "this training");
  acquire();
  table.add(table.missing(fromFile));
  check(runtime::loadState(*table.state(), path, /*strict=*/false));
  model.store()->attach(table.state());
  if (file.find(stepName)) numSteps = static_cast<int64_t>(table.get(stepName).item());
  ratesWritten = false;
}

void Session::saveProgram(const std::string &path, const TensorSpec &x, const TensorSpec &y,
                          Where) {
  Function train = traceTrain(x, y), evaluation = traceEvaluate(x, y, {}),
           prediction = tracePredict(x);
  std::vector<VariablePtr> all = modelVariables();
  for (const VariablePtr &variable : train->variables)
    if (variable->role != runtime::StateRole::seed && !llvm::is_contained(all, variable))
      all.push_back(variable);
  auto init = traceInit(all, compileOptions.seed);
  Compiled compiled =
      compileFunctions({init.get(), train.get(), evaluation.get(), prediction.get()},
                       compileOptions, "program", /*savable=*/true);
  check(runtime::saveProgram(*compiled.program, path));
}

} // namespace sinter::detail
