// A saved program trains by the runtime alone, with the very losses of the session that saved it.
#include "EndToEnd.h"

#include <sinter/runtime/Executor.h>

#include <cstring>

using namespace sinter;

namespace {
class Programs : public test::OnDevice {};
} // namespace

TEST_P(Programs, TrainOnWithoutTheCompilerBitForBit) {
  test::TemporaryFolder folder;
  auto data = test::stripes(6, 0);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{.lr = 0.02}, options(11));
  trainer.save_program(folder / "p.sinter", data.x().spec(), data.y().spec());
  std::vector<float> expected;
  for (int i = 0; i < 20; ++i)
    expected.push_back(static_cast<float>(trainer.step()(data.x(), data.y())));

  auto program =
      std::make_shared<const runtime::Program>(check(runtime::loadProgram(folder / "p.sinter")));
  for (const char *entry : {"init", "train_step", "eval_step", "predict"})
    EXPECT_NE(program->findEntry(entry), nullptr) << entry;
  auto executor = check(runtime::Executor::create(program, device().runtimeDevice()));
  test::expectLosses(*executor, data.x(), data.y(), expected);
  auto rate = check(executor->state()->get("lr.0"));
  float lr = 0;
  std::memcpy(&lr, rate.data(), sizeof lr);
  EXPECT_EQ(lr, 0.02f);
}

TEST(SavedProgram, OfTheReferenceDeviceCannotBeSaved) {
  test::TemporaryFolder folder;
  auto data = test::stripes(6, 0);
  test::SmallNet net;
  Trainer trainer(net, cross_entropy, optim::Adam{}, {.device = Device::reference()});
  EXPECT_THROW(trainer.save_program(folder / "p.sinter", data.x().spec(), data.y().spec()),
               RuntimeError);
}

SINTER_ON_DEVICES(Programs, "cpu");
