// A transformer that is asked for one character after the other says what it says of all at once.
#include "../../examples/models/CharGpt.h"
#include "EndToEnd.h"

#include <gtest/gtest.h>

namespace sinter {
namespace {

TEST(CharGpt, RemembersWhatItWouldReadAgain) {
  examples::CharGpt model(
      {.characters = 11, .block = 9, .layers = 2, .width = 24, .heads = 3, .dropout = 0.5});
  model.eval();
  std::vector<int64_t> text{3, 1, 4, 1, 5, 9, 2, 6, 5};
  CompileOptions options{.device = Device::cpu()};
  auto whole = compile(trace([&](Tensor x) { return model.forward(x); }, {{{1, 9}, i64}}), options);
  auto next =
      compile(trace([&](Tensor c, Tensor at) { return model.next(c, at); }, {{{}, i64}, {{}, i64}}),
              options);
  for (const auto &named : model.named_parameters()) {
    whole.set(named.name, model.value(named.name));
    next.set(named.name, model.value(named.name));
  }
  Array expected = whole(Array(text, {1, 9}))[0];
  for (int round = 0; round < 2; ++round) // a full block starts anew over what was remembered
    for (int64_t at = 0; at < 9; ++at) {
      Array logits =
          next(Array::scalar(double(text[size_t(at)]), i64), Array::scalar(double(at), i64))[0];
      for (int64_t c = 0; c < 11; ++c)
        EXPECT_NEAR(logits.at(c), expected.at(at * 11 + c), 1e-5)
            << round << ": " << at << ", " << c;
    }
}

TEST(CharGpt, KeepsNoScores) {
  // Of length by length is nothing: twice the length is twice the memory of a step.
  auto peak = [](int64_t block) {
    examples::CharGpt model(
        {.characters = 5, .block = block, .layers = 1, .width = 16, .heads = 4});
    Trainer trainer(model,
                    [](const Tensor &logits, const Tensor &next) {
                      int64_t count = next.size(0) * next.size(1);
                      return cross_entropy(reshape(logits, {count, 5}), reshape(next, {count}));
                    },
                    optim::AdamW{}, {.device = Device::cpu()});
    std::vector<int64_t> text(size_t(2 * block), 1);
    trainer.step()(Array(text, {2, block}), Array(text, {2, block}));
    return double(trainer.step().cost().peakBytes);
  };
  EXPECT_LE(peak(256), 2.2 * peak(128));
}

} // namespace
} // namespace sinter
