#pragma once

#include "sinter/frontend/Callbacks.h"

#include <memory>
#include <string>

namespace sinter {

/// Writes scalars for TensorBoard: a file events.out.tfevents.* in a folder, in TensorFlow's format of records
/// (length and data, each with a masked CRC-32C; data are Event protocol buffers). PyTorch's class of that name.
class SummaryWriter {
public:
  /// Makes the folder if need be. Events of step `purge_step` and later in other files of the folder no longer
  /// count: those of a training that goes on from before.
  explicit SummaryWriter(const std::string &log_dir, std::optional<int64_t> purge_step = {});
  ~SummaryWriter();
  SummaryWriter(SummaryWriter &&) noexcept;

  /// "train/loss" at a step. Throws RuntimeError when the file cannot be written.
  void add_scalar(const std::string &tag, double value, int64_t global_step);
  void flush();
  const std::string &path() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct TensorBoardOptions {
  std::string log_dir = "runs";
  int64_t every_steps = 1; // of loss and rate; 0: epochs only
};
/// Each step's loss and learning rate ("train/loss", "train/lr"), and each epoch's at its last step: "epoch/loss",
/// "epoch/val_loss", and the metrics of the validation ("epoch/val_accuracy").
class TensorBoard : public Callback {
public:
  explicit TensorBoard(TensorBoardOptions options = {}, Where where = Where::current());
  void on_train_begin(Fit &fit) override;
  void on_step_end(Fit &fit, const StepRecord &step) override;
  void on_epoch_end(Fit &fit, const EpochRecord &epoch) override;
  void on_train_end(Fit &fit) override;
  CallbackState state() const override;
  void restore(const CallbackState &state) override;

private:
  TensorBoardOptions options_;
  std::optional<SummaryWriter> writer_;
  int64_t step_ = 0;
  bool resumed_ = false;
};

/// As FitOptions::callbacks takes it.
std::shared_ptr<TensorBoard> tensorboard(TensorBoardOptions options = {},
                                         Where where = Where::current());

} // namespace sinter
