// A fit's checkpoints: what they hold besides the session's.
#include "sinter/frontend/detail/Exact.h"
#include "sinter/frontend/detail/FitLoop.h"

#include <fmt/format.h>

#include <filesystem>

namespace sinter::detail {

using nlohmann::json;

static constexpr const char *placeNote = "sinter.place", *fitNote = "sinter.fit";

std::map<std::string, std::string> placeNotes(const TrainerImpl &trainer) {
  json place{{"epochs", trainer.epochsDone}, {"shuffle_seed", trainer.shuffleSeed}};
  return {{placeNote, place.dump()}};
}

void readPlace(TrainerImpl &trainer, const std::map<std::string, std::string> &notes) {
  auto note = notes.find(placeNote);
  if (note == notes.end()) return;
  try {
    json place = json::parse(note->second);
    trainer.epochsDone = place.at("epochs");
    trainer.shuffleSeed = place.at("shuffle_seed");
  } catch (const json::exception &error) {
    throw RuntimeError(
        {runtime::ErrorCode::corrupt,
         fmt::format("a checkpoint's place in the data cannot be read: {}", error.what())});
  }
}

static json toJson(const EpochRecord &record) {
  json one{{"epoch", record.epoch},
           {"train_loss", exact(record.train_loss)},
           {"seconds", exact(record.seconds)},
           {"steps", record.steps},
           {"skipped", record.skipped_steps},
           {"lr", exact(record.lr)}};
  if (record.loss_scale) one["loss_scale"] = exact(*record.loss_scale);
  if (record.validation) {
    one["validation"] = json::object();
    for (const auto &[name, value] : record.validation->values)
      one["validation"][name] = exact(value);
  }
  return one;
}

static EpochRecord recordFrom(const json &from) {
  EpochRecord record{.epoch = from.at("epoch"),
                     .train_loss = exactFrom(from.at("train_loss")),
                     .seconds = exactFrom(from.at("seconds")),
                     .steps = from.at("steps"),
                     .skipped_steps = from.at("skipped"),
                     .lr = exactFrom(from.at("lr"))};
  if (from.contains("loss_scale")) record.loss_scale = exactFrom(from.at("loss_scale"));
  if (from.contains("validation")) {
    record.validation.emplace();
    for (const auto &[name, value] : from.at("validation").items())
      record.validation->values[name] = exactFrom(value);
  }
  return record;
}

static std::string arrayName(size_t callback, const std::string &name) {
  return fmt::format("{}callbacks.{}.{}", CheckpointExtra::prefix, callback, name);
}

void FitLoop::save() {
  Session::Extra extra{placeNotes(impl)};
  json epochs = json::array(), callbacks = json::array();
  for (const EpochRecord &record : history.epochs) epochs.push_back(toJson(record));
  for (size_t i = 0; i < options.callbacks.size(); ++i) {
    CallbackState state = options.callbacks[i]->state();
    json numbers = json::object(), arrays = json::array();
    for (const auto &[name, value] : state.numbers) numbers[name] = exact(value);
    for (const auto &[name, value] : state.arrays) {
      arrays.push_back(name);
      extra.tensors.emplace(arrayName(i, name), value);
    }
    callbacks.push_back({{"numbers", numbers}, {"arrays", arrays}});
  }
  json fitted{{"samples", train.size()},
              {"batch_size", options.batch_size},
              {"shuffle", options.shuffle},
              {"drop_last", options.drop_last},
              {"place",
               {{"epoch", place.epoch},
                {"batches", place.batches},
                {"steps", place.steps},
                {"of_epoch", place.ofEpoch},
                {"samples", place.samples},
                {"made", place.made},
                {"sum", exact(place.sum)},
                {"group_samples", place.groupSamples},
                {"group_sum", exact(place.groupSum)},
                {"seconds", exact(place.seconds)},
                {"lr", exact(place.lr)},
                {"begun", place.begun}}},
              {"epochs", epochs},
              {"stopped", fit.stopped()},
              {"callbacks", callbacks}};
  extra.notes[fitNote] = fitted.dump();
  session.save(options.checkpoint.path, extra);
  savedSteps = place.steps;
  lastSaved = std::chrono::steady_clock::now();
}

bool FitLoop::resume() {
  const std::string &path = options.checkpoint.path;
  if (!std::filesystem::exists(path)) return false;
  Session::Extra extra = session.load(path);
  auto fail = [&](runtime::ErrorCode code, const std::string &message) {
    throw RuntimeError({code, fmt::format("{}: {}", path, message)});
  };
  auto note = extra.notes.find(fitNote);
  if (note == extra.notes.end())
    fail(runtime::ErrorCode::invalidArgument,
         "a checkpoint without a place in the data, which fit cannot resume from; "
         "Trainer::load reads it");
  try {
    json fitted = json::parse(note->second);
    auto same = [&](const char *what, const json &now) {
      if (fitted.at(what) != now)
        fail(runtime::ErrorCode::invalidArgument,
             fmt::format("a checkpoint of a fit with {} {}, this one has {}", what,
                         fitted.at(what).dump(), now.dump()));
    };
    same("samples", train.size());
    same("batch_size", options.batch_size);
    same("shuffle", options.shuffle);
    same("drop_last", options.drop_last);
    if (fitted.at("callbacks").size() != options.callbacks.size())
      fail(runtime::ErrorCode::invalidArgument,
           fmt::format("a checkpoint of a fit with {} callbacks, this one has {}",
                       fitted.at("callbacks").size(), options.callbacks.size()));
    readPlace(impl, extra.notes);
    const json &from = fitted.at("place");
    place = {.epoch = from.at("epoch"),
             .batches = from.at("batches"),
             .steps = from.at("steps"),
             .ofEpoch = from.at("of_epoch"),
             .samples = from.at("samples"),
             .made = from.at("made"),
             .sum = exactFrom(from.at("sum")),
             .groupSamples = from.at("group_samples"),
             .groupSum = exactFrom(from.at("group_sum")),
             .seconds = exactFrom(from.at("seconds")),
             .lr = exactFrom(from.at("lr")),
             .begun = from.at("begun")};
    for (const json &record : fitted.at("epochs")) history.epochs.push_back(recordFrom(record));
    std::string stopped = fitted.at("stopped");
    if (!stopped.empty()) fit.stop(stopped);
    for (size_t i = 0; i < options.callbacks.size(); ++i) {
      const json &one = fitted.at("callbacks").at(i);
      CallbackState state;
      for (const auto &[name, value] : one.at("numbers").items())
        state.numbers[name] = exactFrom(value);
      for (const std::string name : one.at("arrays")) {
        if (auto found = extra.tensors.find(arrayName(i, name)); found != extra.tensors.end())
          state.arrays[name] = found->second;
        else
          fail(runtime::ErrorCode::corrupt, fmt::format("it lacks '{}'", arrayName(i, name)));
      }
      options.callbacks[i]->restore(state);
    }
  } catch (const json::exception &error) {
    fail(runtime::ErrorCode::corrupt,
         fmt::format("its record of the fit cannot be read: {}", error.what()));
  }
  savedSteps = place.steps;
  return true;
}

} // namespace sinter::detail
