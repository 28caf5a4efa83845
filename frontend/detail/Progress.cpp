#include "sinter/frontend/detail/Progress.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace sinter::detail {

static volatile std::sig_atomic_t interrupted = 0;

static void onInterrupt(int) {
  interrupted = 1;
  std::signal(SIGINT, SIG_DFL);
}

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  before = std::signal(SIGINT, onInterrupt);
}
InterruptGuard::~InterruptGuard() { std::signal(SIGINT, before == SIG_ERR ? SIG_DFL : before); }
bool InterruptGuard::requested() { return interrupted != 0; }

Progress::Progress(const FitOptions &options, int64_t stepsPerEpoch)
    : options(options), stepsPerEpoch(stepsPerEpoch),
      bar(options.verbosity == Verbosity::bar ||
          (options.verbosity == Verbosity::automatic && isatty(STDOUT_FILENO))),
      silent(options.verbosity == Verbosity::silent) {}

void Progress::step(int64_t epoch, int64_t step, double meanLoss) {
  if (silent) return;
  if (options.log_every > 0 && step % options.log_every == 0) {
    fmt::print("{}epoch {} step {}/{}: loss {:.4f}\n", bar ? "\r\033[K" : "", epoch, step,
               stepsPerEpoch, meanLoss);
    std::fflush(stdout);
    return;
  }
  if (!bar) return;
  auto now = std::chrono::steady_clock::now();
  if (now - drawn < std::chrono::milliseconds(50) && step < stepsPerEpoch) return;
  drawn = now;
  constexpr int64_t width = 30;
  int64_t filled = stepsPerEpoch ? width * step / stepsPerEpoch : width;
  fmt::print("\r\033[Kepoch {}/{} [{:=<{}}{:<{}}] {}/{} loss {:.4f}", epoch, options.epochs, "",
             filled, "", width - filled, step, stepsPerEpoch, meanLoss);
  std::fflush(stdout);
}

void Progress::epoch(const EpochRecord &record) {
  bool due = options.line_every_epochs <= 1 || record.epoch % options.line_every_epochs == 0 ||
             record.epoch == options.epochs;
  if (silent || (!due && !bar)) return;
  std::string text =
      fmt::format("epoch {}/{}: loss {:.4f}", record.epoch, options.epochs, record.train_loss);
  if (record.validation)
    for (const auto &[name, value] : record.validation->values)
      text += fmt::format(", val_{} {:.4f}", name, value);
  if (record.loss_scale) text += fmt::format(", loss scale {}", *record.loss_scale);
  if (record.skipped_steps > 0) text += fmt::format(" ({} steps skipped)", record.skipped_steps);
  if (due) fmt::print("{}{} ({:.2f} s)\n", bar ? "\r\033[K" : "", text, record.seconds);
  std::fflush(stdout);
}

void Progress::note(const std::string &text) {
  if (silent) return;
  fmt::print("{}{}\n", bar ? "\r\033[K" : "", text);
  std::fflush(stdout);
}

} // namespace sinter::detail
