#include "sinter/frontend/detail/Session.h"

#include <fmt/format.h>

namespace sinter {

TrainStep::TrainStep(nn::Module &model, detail::ForwardFunction forward, Loss loss,
                     optim::Optimizer optimizer, TrainerOptions options, Where where)
    : session_(std::make_shared<detail::Session>(model, std::move(forward), std::move(loss),
                                                 std::move(optimizer), std::move(options), where)) {
}

double TrainStep::operator()(const Array &x, const Array &y, Where where) {
  return session_->train({x, y}, false, where);
}
double TrainStep::operator()(const data::Example &batch, Where where) {
  return session_->train(batch, false, where);
}
void TrainStep::set_epoch(int64_t epoch) { session_->setEpoch(epoch); }
int64_t TrainStep::steps() const { return session_->steps(); }
std::optional<double> TrainStep::loss_scale() const { return session_->lossScale(); }
double TrainStep::lr(size_t group) const { return session_->rateOf(group); }
bool TrainStep::report(double metric, Where where) { return session_->report(metric, where); }
std::optional<double> TrainStep::grad_norm() const { return session_->gradientNorm(); }
void TrainStep::update_average(Where where) { session_->updateAverage(where); }

Averaged::Averaged(TrainStep &step, Where where) : session_(step.session()) {
  session_->swapAverages(where);
}
Averaged::~Averaged() {
  try {
    session_->swapAverages(Where::current());
  } catch (const Error &error) {
    // A device that fails here fails in whatever comes next.
    fmt::print(stderr, "sinter: {}\n", error.what());
  }
}

static const detail::Runner &latest(const detail::Session &session) {
  if (!session.latestStep()) throw Error("train_step: no step was run yet");
  return *session.latestStep();
}

std::string TrainStep::summary() const {
  std::string text = latest(*session_).summary(session_->options());
  if (auto scale = loss_scale())
    text += fmt::format("  {:<12} {}, {} steps made\n", "loss scale", *scale, steps());
  return text;
}
Profile TrainStep::profile(const Array &x, const Array &y, int64_t runs, Where where) {
  return session_->profile(x, y, runs, where);
}
Cost TrainStep::cost() const { return latest(*session_).cost(); }
std::string TrainStep::ir() const { return latest(*session_).compiled.tracedIr; }
std::string TrainStep::planned_ir() const { return latest(*session_).compiled.plannedIr; }

std::vector<LaunchInfo> TrainStep::launches() const { return latest(*session_).launches(); }
std::vector<KernelText> TrainStep::kernel_sources() const {
  return latest(*session_).kernelTexts();
}
std::vector<KernelText> TrainStep::cuda_kernels() const {
  return detail::cudaTextOf(*latest(*session_).traced, session_->options());
}

} // namespace sinter
