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
                                   .numerics = options.numerics,
                                   .autotune = options.autotune,
                                   .tf32 = options.tf32},
      scaling(options.loss_scaling), gradients(options.gradients), averaging(options.average),
      table(options.device, options.seed) {
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
  if (gradients.accumulate < 1)
    throw UserError(fmt::format("gradients: accumulate is {}, expected a number of batches",
                                gradients.accumulate),
                    where);
  if (!(gradients.clip_norm >= 0))
    throw UserError(fmt::format("gradients: clip_norm is {}", gradients.clip_norm), where);
  if (!(gradients.clip_value >= 0))
    throw UserError(fmt::format("gradients: clip_value is {}", gradients.clip_value), where);
  if (this->optimizer.schedule.momentum && !this->optimizer.rule->hasMomentum())
    throw UserError(
        "the schedule sets a momentum (cycle_momentum), which this optimiser does not have", where);
  if (this->optimizer.schedule.plateau)
    for (size_t group = 0; group <= this->optimizer.groups.size(); ++group)
      progress.plateau.rates.push_back(this->optimizer.rateOf(group, 0));
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
    written.clear();
  }
  return runner;
}

std::string Session::Batch::text() const {
  return x.text() + y.text() + (weights ? weights->text() : "");
}

Session::Batch Session::batchOf(const data::Example &batch) {
  return {batch.x.spec(), batch.y.spec(),
          batch.weight ? std::optional(batch.weight->spec()) : std::nullopt};
}

/// Which parameters are trained, as a part of a step's key; empty where all are.
std::string Session::trainedKey() {
  int64_t now = model.store()->trainedGeneration;
  if (now == trainedGeneration) return trained;
  trainedGeneration = now;
  trained = " trains ";
  bool all = true;
  for (const Tensor &parameter : model.parameters()) {
    bool one = parameter.impl()->variable->trainable;
    all &= one || !runtime::isFloat(parameter.dtype());
    trained += one ? '1' : '0';
  }
  if (all) trained.clear();
  return trained;
}

void Session::noteShapes(const std::string &entry, const Batch &batch, Where where) {
  bool trains = entry == "train_step" || entry == "gradient_step";
  std::string frozen = trains ? trainedKey() : "";
  auto [known, isFirst] = shapes.try_emplace(entry, batch, frozen);
  const auto &[first, firstFrozen] = known->second;
  if (isFirst || (first == batch && firstFrozen == frozen)) return;
  std::vector<std::string> changes;
  auto compare = [&](const char *what, const TensorSpec &was, const TensorSpec &is) {
    if (was != is) changes.push_back(fmt::format("{} was {}, is {}", what, was.text(), is.text()));
  };
  compare("x", first.x, batch.x);
  compare("y", first.y, batch.y);
  if (first.weights && batch.weights)
    compare("the weights", *first.weights, *batch.weights);
  else if (first.weights || batch.weights)
    changes.push_back(batch.weights ? "samples have weights" : "samples have no weights");
  if (firstFrozen != frozen) changes.push_back("other parameters are trained");
  std::string change = fmt::format("{}", fmt::join(changes, "; "));
  if (compileOptions.require.no_recompile)
    throw UserError(
        fmt::format("{}: require.no_recompile: this batch would be compiled for anew: {}", entry,
                    change),
        where);
  if (check(runtime::environment::logs("recompiles")))
    fmt::print(stderr, "sinter: recompiles: {} at {}:{}: {}\n", entry, baseName(where.file_name()),
               where.line(), change);
}

void Session::prepareStep(const TensorSpec &x, const TensorSpec &y, Where where,
                          const std::optional<TensorSpec> &weights) {
  Batch batch{x, y, weights};
  std::string key = "train_step" + batch.text() + trainedKey();
  if (isCompiled(key)) return;
  noteShapes("train_step", batch, where);
  Function traced = traceTrain(batch, Pass::update); // the user's code runs in the user's thread
  if (!table.missing(traced->variables).empty()) return;
  pending[key] = {traced, std::async(std::launch::async, [traced, options = compileOptions] {
                    return compileFunctions({traced.get()}, options, "train_step");
                  })};
}

int64_t Session::steps() const {
  // What was skipped only the device knows.
  return scalesLoss && latest ? static_cast<int64_t>(table.get(stepName).item()) : progress.steps;
}

std::optional<double> Session::lossScale() const {
  // Before the first step it is that of a checkpoint, if one was loaded.
  bool there = latest ? scalesLoss : table.state() && table.state()->find(lossScaleName) >= 0;
  if (!there) return {};
  return table.get(lossScaleName).item();
}

std::optional<double> Session::gradientNorm() const {
  if (!table.state() || table.state()->find(gradientNormName) < 0) return {};
  return table.get(gradientNormName).item();
}

void Session::setEpoch(int64_t next) { progress.epoch = next; }

double Session::rateOf(size_t group) const {
  if (optimizer.schedule.plateau) return progress.plateau.rates.at(group);
  bool epochs = optimizer.schedule.every == optim::Every::epoch;
  return optimizer.rateOf(group, epochs ? progress.epoch : progress.updates);
}

bool Session::report(double metric, Where where) {
  if (!optimizer.schedule.plateau)
    throw UserError("report: the optimiser's schedule is no plateau_schedule", where);
  return progress.plateau.report(*optimizer.schedule.plateau, metric);
}

/// Rates as they are for the next step; only what has changed is written.
void Session::writeRates() {
  size_t groups = optimizer.groups.size() + 1;
  written.resize(groups + 1, std::numeric_limits<double>::quiet_NaN());
  auto write = [&](size_t at, const std::string &name, double value) {
    if (written[at] == value) return;
    written[at] = value;
    if (table.state()->find(name) >= 0) table.set(name, Array::scalar(value));
  };
  for (size_t group = 0; group < groups; ++group)
    write(group, fmt::format("lr.{}", group), rateOf(group));
  if (optimizer.schedule.momentum)
    write(groups, momentumName, optimizer.schedule.momentum(progress.updates));
}

std::shared_ptr<Runner> Session::stepRunner(const Batch &batch, Pass pass, Where where) {
  std::string entry = pass == Pass::update ? "train_step" : "gradient_step";
  std::string key = batch.text() + trainedKey();
  if (!isCompiled(entry + key)) noteShapes(entry, batch, where);
  return runnerOf(entry, key, [&] { return traceTrain(batch, pass); });
}

void Session::checkBatch(const data::Example &batch, Where where) const {
  const Array &x = batch.x, &y = batch.y;
  if (x.rank() == 0 || y.rank() == 0 || x.shape()[0] != y.shape()[0])
    throw UserError(fmt::format("train_step: {} inputs and {} targets differ in number",
                                x.spec().text(), y.spec().text()),
                    where);
  if (batch.weight &&
      (batch.weight->shape() != Shape{x.shape()[0]} || batch.weight->dtype() != f32))
    throw UserError(fmt::format("train_step: weights {} for {} samples, expected f32[{}]",
                                batch.weight->spec().text(), x.shape()[0], x.shape()[0]),
                    where);
  if (swapped)
    throw UserError("train_step: the model has its averages in place of its parameters", where);
}

void Session::forget() {
  for (Begun &each : begun)
    if (!each.waited) (void)each.started.moment->wait(); // its results are written until then
  begun.clear();
}

double Session::train(const data::Example &batch, bool last, Where where) {
  forget(); // of a fit that was left by an exception
  begin({batch}, last, where);
  return finish(where);
}

int Session::runsAhead() const {
  bool queues = device().kind() == Device::Kind::cuda;
  return queues && averaging.kind == optim::Averaging::Kind::none && gradients.accumulate == 1 ? 2
                                                                                               : 1;
}

int64_t Session::together(int64_t most) const {
  if (runsAhead() == 1) return 1;
  const optim::Schedule &schedule = optimizer.schedule;
  bool perStep = schedule.every == optim::Every::step && !schedule.plateau;
  if (schedule.momentum) return 1; // counted in updates
  int64_t count = 1;
  auto same = [&](int64_t time) {
    for (size_t group = 0; group <= optimizer.groups.size(); ++group)
      if (optimizer.rateOf(group, time) != rateOf(group)) return false;
    return true;
  };
  while (count < most && (!perStep || same(progress.updates + count))) ++count;
  return count;
}

void Session::begin(const std::vector<data::Example> &batches, bool last, Where where) {
  for (const data::Example &batch : batches) checkBatch(batch, where);
  const data::Example &first = batches.front();
  acquire();
  Pass pass =
      last || progress.accumulated + 1 >= gradients.accumulate ? Pass::update : Pass::accumulate;
  if (!latestPass || latestKind != pass || latestBatch != batchOf(first) ||
      trainedGeneration != model.store()->trainedGeneration) {
    latestBatch = batchOf(first), latestKind = pass;
    latestPass = stepRunner(latestBatch, pass, where);
  }
  std::vector<std::vector<Array>> inputs;
  for (const data::Example &batch : batches) {
    inputs.push_back({batch.x, batch.y});
    if (batch.weight) inputs.back().push_back(*batch.weight);
  }
  if (pass == Pass::update) {
    latest = latestPass;
    writeRates();
  }
  Begun made{latestPass,     latestPass->start(inputs, device(), table),
             batches,        pass,
             progress.steps, progress.accumulated};
  begun.push_back(std::move(made));
  if (pass == Pass::accumulate) {
    ++progress.accumulated;
    return;
  }
  progress.accumulated = 0;
  progress.steps += static_cast<int64_t>(batches.size());
  progress.updates += static_cast<int64_t>(batches.size());
}

double Session::finish(Where where) {
  Begun &front = begun.front();
  if (!std::exchange(front.waited, true)) {
    try {
      front.runner->finish(front.started);
    } catch (...) { // what comes after it has not been done either
      progress.updates -= progress.steps - front.firstStep;
      progress.steps = front.firstStep, progress.accumulated = front.accumulated;
      forget();
      throw;
    }
  }
  const size_t step = front.finished++;
  double value = front.started.results[step][0].item();
  if (!std::isfinite(value)) {
    // The step has changed nothing, and is not counted. What was begun after it has been done.
    const data::Example batch = front.batches[step];
    const int64_t number = front.firstStep + static_cast<int64_t>(step) + 1;
    if (front.pass == Pass::update)
      --progress.steps, --progress.updates, progress.accumulated = front.accumulated;
    else
      --progress.accumulated;
    forget();
    explainNonFinite(number, batch.x, batch.y);
  }
  const bool update = front.pass == Pass::update;
  if (front.finished == front.batches.size()) begun.pop_front();
  if (update && averaging.kind != optim::Averaging::Kind::none &&
      averaging.unit == optim::Every::step && progress.updates > averaging.start &&
      (progress.updates - averaging.start - 1) % averaging.every == 0)
    updateAverage(where);
  return value;
}

void Session::updateAverage(Where where) {
  if (averaging.kind == optim::Averaging::Kind::none)
    throw UserError("update_average: the options ask for no average (TrainerOptions::average)",
                    where);
  if (swapped)
    throw UserError("update_average: the model has its averages in place of its parameters", where);
  auto runner = runnerOf("average", "", [&] { return traceAverage(); });
  double share = averaging.kind == optim::Averaging::Kind::equal
                     ? 1 / static_cast<double>(progress.averages + 1)
                     : 1 - averaging.decay;
  table.set(averageShareName, Array::scalar(progress.averages == 0 ? 1 : share));
  runner->run({}, device(), table);
  ++progress.averages;
}

void Session::endEpoch(int64_t number, Where where) {
  if (averaging.kind != optim::Averaging::Kind::none && averaging.unit == optim::Every::epoch &&
      number >= averaging.start && (number - averaging.start) % averaging.every == 0)
    updateAverage(where);
}

void Session::swapAverages(Where where) {
  if (averaging.kind == optim::Averaging::Kind::none)
    throw UserError("the parameters have no averages (TrainerOptions::average)", where);
  if (progress.averages == 0) throw UserError("nothing has been averaged yet", where);
  acquire();
  for (const Tensor &parameter : averagedParameters()) {
    const std::string &name = parameter.impl()->variable->name;
    Array own = table.get(name), average = table.get(name + averageSuffix);
    table.set(name, average);
    table.set(name + averageSuffix, own);
  }
  swapped = !swapped;
}

Profile Session::profile(const Array &x, const Array &y, int64_t runs, Where where) {
  train({x, y}, true, where); // compiles, and says what is wrong with the batch
  Profile profile = latest->profile({x, y}, compileOptions, table, runs);
  progress.steps += profile.runs + 1;
  progress.updates += profile.runs + 1;
  return profile;
}

Session::Sums Session::evaluate(const data::Example &batch, int64_t rows,
                                const std::vector<Metric> &metrics, Where where) {
  Batch specs = batchOf(batch);
  std::string key = specs.text();
  for (const Metric &metric : metrics) key += " " + metric.name;
  if (!isCompiled("eval_step" + key)) noteShapes("eval_step", specs, where);
  auto runner = runnerOf("eval_step", key, [&] { return traceEvaluate(specs, metrics); });
  std::vector<Array> inputs{batch.x, batch.y};
  if (batch.weight) inputs.push_back(*batch.weight);
  if (canMask()) {
    Array mask = Array::zeros({batch.x.shape()[0]}, i1);
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
    double count = out[at++].item();
    sums.metricCounts.push_back(metrics[i].counts ? count : count * static_cast<double>(rows));
  }
  return sums;
}

Array Session::predict(const Array &x, Where where) {
  if (!isCompiled("predict" + x.spec().text())) noteShapes("predict", {x.spec(), {}, {}}, where);
  auto runner = runnerOf("predict", x.spec().text(), [&] { return tracePredict(x.spec()); });
  return runner->run({x}, device(), table)[0];
}

} // namespace sinter::detail
