#pragma once

#include "sinter/frontend/Trainer.h"

#include <chrono>

namespace sinter::detail {

/// Sees Ctrl-C while it lives: the first one sets `requested`, a second one ends the program.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard &) = delete;
  static bool requested();

private:
  void (*before)(int) = nullptr;
};

/// What fit says while it works.
class Progress {
public:
  Progress(const FitOptions &options, int64_t stepsPerEpoch);
  void step(int64_t epoch, int64_t step, double meanLoss);
  void epoch(const EpochRecord &record);
  void note(const std::string &text);

private:
  const FitOptions &options;
  int64_t stepsPerEpoch;
  bool bar, silent;
  std::chrono::steady_clock::time_point drawn;
};

} // namespace sinter::detail
