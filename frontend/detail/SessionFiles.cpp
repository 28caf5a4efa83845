// What a session writes and reads: checkpoints and programs.
#include "sinter/frontend/detail/Differences.h"
#include "sinter/frontend/detail/Exact.h"
#include "sinter/frontend/detail/Session.h"
#include "sinter/frontend/detail/Store.h"
#include "sinter/runtime/Safetensors.h"

#include <fmt/format.h>

namespace sinter::detail {

using nlohmann::json;

/// The note in which a checkpoint has what is kept outside of the device's state.
static constexpr const char *progressNote = "sinter.progress";

static json toJson(const Session::Progress &at) {
  json rates = json::array();
  for (double rate : at.plateau.rates) rates.push_back(exact(rate));
  json plateau{{"bad", at.plateau.bad}, {"cooldown", at.plateau.cooldown}, {"rates", rates}};
  if (at.plateau.best) plateau["best"] = exact(*at.plateau.best);
  return {{"epoch", at.epoch},       {"steps", at.steps},
          {"updates", at.updates},   {"accumulated", at.accumulated},
          {"averages", at.averages}, {"plateau", plateau}};
}

static Session::Progress progressFrom(const json &from) {
  Session::Progress at{.epoch = from.at("epoch"),
                       .steps = from.at("steps"),
                       .updates = from.at("updates"),
                       .accumulated = from.at("accumulated"),
                       .averages = from.at("averages")};
  const json &plateau = from.at("plateau");
  at.plateau.bad = plateau.at("bad");
  at.plateau.cooldown = plateau.at("cooldown");
  if (plateau.contains("best")) at.plateau.best = exactFrom(plateau.at("best"));
  for (const json &rate : plateau.at("rates")) at.plateau.rates.push_back(exactFrom(rate));
  return at;
}

void Session::save(const std::string &path, const Extra &extra) {
  acquire();
  if (!table.state())
    throw RuntimeError({runtime::ErrorCode::invalidArgument, "save: nothing was trained yet"});
  std::map<std::string, Array> values = extra.tensors;
  for (const auto &variable : table.state()->variables())
    values.emplace(variable.name, table.get(variable.name));
  std::vector<runtime::NamedTensor> tensors;
  for (const auto &[name, value] : values)
    tensors.push_back({name, {value.dtype(), value.shape()}, value.bytes()});
  std::map<std::string, std::string> notes = extra.notes;
  notes[progressNote] = toJson(progress).dump();
  check(runtime::writeSafetensors(path, tensors, notes));
}

static runtime::StateRole roleOf(const std::string &name) {
  if (name == seedName) return runtime::StateRole::seed;
  bool scalar = name.starts_with("lr.") || name == momentumName || name == averageShareName;
  return scalar ? runtime::StateRole::scalar : runtime::StateRole::state;
}

/// Of what a step has besides its model's variables and what belongs to one of them.
static bool isOwnName(const std::string &name) {
  for (const char *known :
       {seedName, stepName, lossScaleName, growthTrackerName, momentumName, averageShareName,
        gradientSamplesName, gradientPassesName, gradientNormName})
    if (name == known) return true;
  return name.starts_with("lr.");
}

Session::Extra Session::load(const std::string &path) {
  auto file = check(runtime::SafetensorsFile::open(path));
  std::vector<VariablePtr> fromFile = modelVariables();
  Differences differences;
  for (const VariablePtr &variable : fromFile)
    differences.expect(file, variable->name, variable->spec);
  // Moments, rates and counters that the state does not have before the first step come with the file.
  const size_t ofModel = fromFile.size();
  Extra extra{file.metadata()};
  std::vector<const runtime::NamedTensor *> ofState;
  for (const auto &tensor : file.tensors()) {
    TensorSpec spec{tensor.type.shape, tensor.type.dtype};
    if (tensor.name.starts_with(Extra::prefix)) {
      extra.tensors.emplace(tensor.name, Array::copy(tensor.bytes.data(), spec.shape, spec.dtype));
      continue;
    }
    ofState.push_back(&tensor);
    bool isModels = false, isState = isOwnName(tensor.name);
    for (size_t i = 0; i < ofModel; ++i) {
      isModels |= tensor.name == fromFile[i]->name;
      isState |= tensor.name.starts_with(fromFile[i]->name + ".");
    }
    if (isModels) continue;
    if (!isState) {
      differences.unexpected.push_back(fmt::format("'{}'", tensor.name));
      continue;
    }
    VariablePtr variable = state(tensor.name, spec, roleOf(tensor.name));
    differences.expect(file, variable->name, variable->spec);
    fromFile.push_back(variable);
  }
  differences.check(path, "this training");
  Progress next = progress;
  auto note = file.metadata().find(progressNote);
  if (note != file.metadata().end()) {
    try {
      next = progressFrom(json::parse(note->second));
    } catch (const json::exception &error) {
      throw RuntimeError(
          {runtime::ErrorCode::corrupt,
           fmt::format("{}: its record of the training cannot be read: {}", path, error.what())});
    }
    if (next.plateau.rates.size() != progress.plateau.rates.size())
      throw RuntimeError({runtime::ErrorCode::invalidArgument,
                          fmt::format("{} is a checkpoint of a training with {} plateau schedule",
                                      path, next.plateau.rates.empty() ? "no" : "another")});
  }
  acquire();
  table.add(table.missing(fromFile));
  for (const auto *tensor : ofState) check(table.state()->set(tensor->name, tensor->bytes));
  model.store()->attach(table.state());
  progress = next;
  if (file.find(stepName)) progress.steps = static_cast<int64_t>(table.get(stepName).item());
  if (note == file.metadata().end()) progress.updates = progress.steps;
  written.clear();
  return extra;
}

void Session::saveProgram(const std::string &path, const TensorSpec &x, const TensorSpec &y,
                          Where) {
  Batch batch{x, y, {}};
  Function train = traceTrain(batch, Pass::update), evaluation = traceEvaluate(batch, {}),
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
