// Writing text one character after the other, from a saved program, takes no memory for a character.
#include "../../examples/models/CharGpt.h"
#include "../unit/runtime/AllocationCount.h"
#include "EndToEnd.h"

#include <array>
#include <cmath>

namespace sinter {
namespace {

TEST(Decoding, ACharacterAllocatesNothing) {
  constexpr int64_t characters = 13, block = 24;
  examples::CharGpt model(
      {.characters = characters, .block = block, .layers = 2, .width = 48, .heads = 3});
  model.eval();
  CompileOptions options{.device = Device::cpu()};
  auto whole =
      compile(trace([&](Tensor x) { return model.forward(x); }, {{{1, block}, i64}}), options);
  auto next =
      compile(trace([&](Tensor c, Tensor at) { return model.next(c, at); }, {{{}, i64}, {{}, i64}}),
              options);
  test::TemporaryFolder folder;
  next.save_program(folder / "next.sinter");
  std::vector<int64_t> text(block);
  for (int64_t i = 0; i < block; ++i) text[size_t(i)] = (5 * i + i * i / 3) % characters;
  for (const auto &named : model.named_parameters()) whole.set(named.name, model.value(named.name));
  Array all = whole(Array(text, {1, block}))[0];
  std::span<const float> expected = all.data<float>();

  for (int threads : {1, 2, 3}) {
    auto program = std::make_shared<const runtime::Program>(
        check(runtime::loadProgram(folder / "next.sinter")));
    auto executor = check(runtime::Executor::create(program, runtime::cpuDevice({threads})));
    for (const auto &named : model.named_parameters()) {
      Array value = model.value(named.name);
      auto status = executor->state()->set(named.name, value.bytes());
      ASSERT_TRUE(status.ok()) << status.error().message;
    }
    alignas(64) int64_t character = 0;
    alignas(64) int64_t position = 0;
    alignas(64) std::array<float, characters> logits{};
    const void *inputs[] = {&character, &position};
    void *outputs[] = {logits.data()};
    size_t entry = check(executor->entryIndex("main"));
    runtime::Status status;
    int64_t before = 0;
    double furthest = 0;
    for (int64_t at = 0; at < block && status.ok(); ++at) {
      if (at == 1) before = runtime::testing::numAllocations();
      character = text[size_t(at)], position = at;
      status = executor->run(entry, inputs, outputs);
      for (int64_t c = 0; c < characters; ++c)
        furthest = std::max(furthest, std::fabs(double(logits[size_t(c)]) -
                                                double(expected[size_t(at * characters + c)])));
    }
    int64_t after = runtime::testing::numAllocations();
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(after - before, 0) << threads << " threads";
    EXPECT_LT(furthest, 1e-5) << threads << " threads";
  }
}

} // namespace
} // namespace sinter
