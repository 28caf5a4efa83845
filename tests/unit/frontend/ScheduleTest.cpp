// Schedules alone: corners and mistakes. What they give is compared with PyTorch's in e2e/TrainingVectorsTest.cpp.
#include "FrontendTest.h"

#include <cmath>

using namespace sinter;

TEST(Schedule, StaysAfterItsEnd) {
  auto cycle = optim::one_cycle_schedule({.max_lr = 1, .total_steps = 10});
  EXPECT_DOUBLE_EQ(cycle(0.1, 9), cycle(0.1, 25));
  EXPECT_DOUBLE_EQ(cycle.momentum(9), 0.95);
  auto warm = optim::warmup_schedule({.warmup_steps = 2, .total_steps = 4});
  EXPECT_DOUBLE_EQ(warm(1, 0), 0);
  EXPECT_DOUBLE_EQ(warm(1, 2), 1);
  EXPECT_DOUBLE_EQ(warm(1, 9), 0);
  EXPECT_DOUBLE_EQ(optim::linear_schedule({.total_iters = 3})(2, 50), 2);
  // One step of a cycle is its top.
  EXPECT_DOUBLE_EQ(
      optim::one_cycle_schedule({.max_lr = 1, .total_steps = 10, .pct_start = 0.1})(0, 0), 1);
}

TEST(Schedule, APlateauCountsNaNAsBad) {
  optim::PlateauOptions options{.factor = 0.5, .patience = 1};
  optim::PlateauState state;
  state.rates = {1};
  EXPECT_FALSE(state.report(options, NAN));
  EXPECT_TRUE(state.report(options, NAN));
  EXPECT_EQ(state.rates[0], 0.5);
  EXPECT_FALSE(state.report(options, 3));
  EXPECT_EQ(state.best, 3);
}

TEST(Schedule, MistakesAreNamed) {
  EXPECT_USER_ERROR(optim::cosine_schedule({}),
                    "optim::cosine_schedule: T_max is 0, expected a positive number");
  EXPECT_USER_ERROR(optim::multi_step_schedule({5, 3}),
                    "optim::multi_step_schedule: the milestones [5, 3] do not ascend");
  EXPECT_USER_ERROR(optim::exponential_schedule(0),
                    "optim::exponential_schedule: gamma is 0, expected a positive number");
  EXPECT_USER_ERROR(optim::linear_schedule({.start_factor = 0}),
                    "optim::linear_schedule: start_factor is 0, expected a number in (0, 1]");
  EXPECT_USER_ERROR(optim::warmup_schedule({.warmup_steps = 1, .total_steps = 9, .decay = "cos"}),
                    "optim::warmup_schedule: decay 'cos' is none of linear, cosine, constant");
  EXPECT_USER_ERROR(optim::warmup_schedule({.warmup_steps = 10, .total_steps = 5}),
                    "optim::warmup_schedule: total_steps is 5, expected more than warmup_steps");
  EXPECT_USER_ERROR(optim::one_cycle_schedule({.total_steps = 5}),
                    "optim::one_cycle_schedule: max_lr is 0, expected a positive rate");
  EXPECT_USER_ERROR(optim::plateau_schedule({.mode = "least"}),
                    "optim::plateau_schedule: mode 'least' is none of min, max");
  EXPECT_USER_ERROR(optim::sequential_schedule({optim::constant_schedule()}, {3}),
                    "optim::sequential_schedule: 1 schedules need 0 milestones, got 1");
  EXPECT_USER_ERROR(optim::ema({.decay = 1}),
                    "optim::ema: decay is 1, expected a number in [0, 1)");
  EXPECT_USER_ERROR(optim::swa({.every_epochs = 0}), "optim::swa: every 0 is not positive");
  EXPECT_USER_ERROR(early_stopping({.mode = "most"}),
                    "EarlyStopping: mode 'most' is none of auto, min, max");
  EXPECT_USER_ERROR(tensorboard({.every_steps = -1}), "TensorBoard: every_steps is -1");
  EXPECT_USER_ERROR(metrics::top_k_accuracy(0), "metrics::top_k_accuracy: k is 0");
}
