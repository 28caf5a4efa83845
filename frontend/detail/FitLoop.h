#pragma once

#include "sinter/frontend/Callbacks.h"
#include "sinter/frontend/data/Loader.h"
#include "sinter/frontend/detail/Progress.h"
#include "sinter/frontend/detail/Session.h"

#include <chrono>
#include <deque>

namespace sinter::detail {

struct TrainerImpl {
  nn::Module &model;
  TrainStep step;
  int64_t batchSize = 32;
  std::vector<Metric> metrics = {};
  int64_t epochsDone = 0;
  uint64_t shuffleSeed = 0; // of the training that a checkpoint belongs to
};

/// A trainer's place in its data, as notes of a checkpoint.
std::map<std::string, std::string> placeNotes(const TrainerImpl &trainer);
void readPlace(TrainerImpl &trainer, const std::map<std::string, std::string> &notes);

/// One call of Trainer::fit.
class FitLoop {
public:
  FitLoop(Trainer &trainer, const data::Dataset &train, const FitOptions &options, Where where);
  History run();

private:
  void checkOptions() const;
  void epoch();
  void batch(const data::Example &batch, bool last);
  void launch(bool last);
  void finishStep();
  void drain();
  bool looksAtEachStep() const;
  /// Steps that were begun and are not in `place` yet.
  int64_t ahead() const { return static_cast<int64_t>(collected.size() + underWay.size()); }
  void endEpoch();
  bool full() const { return options.max_steps > 0 && place.steps + ahead() >= options.max_steps; }
  bool over() const { return history.interrupted || full() || !fit.stopped().empty(); }
  template <class... P, class... A> void each(void (Callback::*event)(Fit &, P...), A &&...args) {
    for (const auto &callback : options.callbacks) (callback.get()->*event)(fit, args...);
  }
  void report(const EpochRecord &record);
  void prepareLast(const data::Example &batch);
  void saveIfDue(bool epochEnded);
  void save();
  bool resume();

  Trainer &trainer;
  TrainerImpl &impl;
  Session &session;
  const data::Dataset &train;
  const FitOptions options;
  const Where where;
  data::Loader loader;
  Progress progress;
  History history;
  Fit fit;
  std::chrono::steady_clock::time_point start, lastSaved;

  /// Where the fit is: what a checkpoint has of it.
  struct Place {
    int64_t epoch = 1, batches = 0; // in this epoch
    int64_t steps = 0, ofEpoch = 0; // of the fit, and of this epoch
    int64_t samples = 0, made = 0;  // of the epoch; steps that were made before it
    double sum = 0;                 // of losses
    int64_t groupSamples = 0;       // of the step that is not whole yet
    double groupSum = 0, seconds = 0, lr = 0;
    bool begun = false; // on_epoch_begin was called
  } place;
  int64_t savedSteps = 0;
  bool compiled = false;

  /// A step that was begun: its loss is read when a later one is on its way.
  struct Step {
    int64_t rows = 0;
    double lr = 0;
    bool update = false;
    std::chrono::steady_clock::time_point start;
  };
  std::deque<Step> underWay;
  struct Launched {
    size_t steps = 0, finished = 0;
    double ms = 0; // of each of its steps
  };
  std::deque<Launched> launches;
  std::chrono::steady_clock::time_point lastFinish;
  std::vector<data::Example> collected; // for the next launch
};

} // namespace sinter::detail
