// A training with everything that a checkpoint must hold. It resumes if there is one, and prints all that came out,
// bit for bit.
//
//   resume_training FOLDER [MILLISECONDS A STEP]
#include <sinter/sinter.h>

#include <chrono>
#include <cstdlib>
#include <thread>

using namespace sinter;

namespace {

struct Net : nn::Module {
  nn::Conv2d conv{
      this, "conv", {.in_channels = 1, .out_channels = 4, .kernel_size = 3, .padding = 1}};
  nn::BatchNorm2d norm{this, "norm", {.num_features = 4}};
  nn::Dropout drop{this, "drop", {.p = 0.25}};
  nn::Linear fc{this, "fc", {.in_features = 16, .out_features = 3}};
  Tensor forward(Tensor x) {
    return fc(drop(flatten(max_pool2d(relu(norm(conv(x))), {.kernel_size = 2}), 1)));
  }
};

/// Images of 4x4 whose brightest third is the class.
data::TensorDataset stripes(int64_t count, uint64_t seed) {
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  uint64_t state = seed * 2 + 1;
  for (int64_t i = 0; i < count; ++i) {
    labels.push_back(i % 3);
    for (int64_t p = 0; p < 16; ++p) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      pixels.push_back(static_cast<float>(state >> 40) / 16777216.0f * 2 +
                       (p % 4 == i % 3 ? 1.0f : 0.0f));
    }
  }
  return {Array(pixels, {count, 1, 4, 4}), Array(labels)};
}

void print(const char *what, const nn::Module &model) {
  uint64_t hash = 14695981039346656037u; // FNV-1a
  for (const auto &list : {model.named_parameters(), model.named_buffers()})
    for (const auto &named : list) {
      Array value = model.value(named.name);
      for (uint8_t byte : value.bytes()) hash = (hash ^ byte) * 1099511628211u;
    }
  fmt::print("{} {:016x}\n", what, hash);
}

} // namespace

int main(int argc, char **argv) {
  std::string folder = argc > 1 ? argv[1] : ".";
  auto pause = std::chrono::milliseconds(argc > 2 ? std::atoi(argv[2]) : 0);
  auto train = stripes(90, 1), validation = stripes(30, 2);
  Net net;
  Trainer trainer(
      net, cross_entropy,
      optim::Adam{.lr = 0.02, .schedule = optim::plateau_schedule({.factor = 0.5, .patience = 1})},
      {.device = Device::cpu({.threads = 1}),
       .precision = Precision::f16,
       .seed = 7,
       .loss_scaling = {.initial_scale = 0x1p24, .growth_interval = 9},
       .gradients = {.accumulate = 2, .clip_norm = 1},
       .average = optim::ema({.decay = 0.9})});
  auto early = early_stopping({.patience = 50});
  LambdaCallback::Functions waiting;
  waiting.on_step_end = [&](Fit &, const StepRecord &) { std::this_thread::sleep_for(pause); };
  History history = trainer.fit(
      train, {.epochs = 8,
              .batch_size = 8,
              .validation = &validation,
              .metrics = {metrics::accuracy},
              .verbosity = Verbosity::silent,
              .callbacks = {early, callback(waiting), tensorboard({.log_dir = folder + "/runs"})},
              .checkpoint = {.path = folder + "/training.ckpt", .every_steps = 1, .resume = true},
              .validate_average = true});
  for (const EpochRecord &epoch : history.epochs)
    fmt::print("epoch {} {:a} {:a} {:a} {} {} {:a} {}\n", epoch.epoch, epoch.train_loss,
               epoch.metric("val_loss"), epoch.metric("val_accuracy"), epoch.steps,
               epoch.skipped_steps, epoch.lr, epoch.loss_scale.value_or(0));
  fmt::print("best {} steps {} scale {}\n", early->best_epoch(), trainer.step().steps(),
             trainer.step().loss_scale().value_or(0));
  print("model", net);
  Averaged averaged(trainer.step());
  print("average", net);
  return 0;
}
