// Summaries and profiles: what a step consists of, and what takes its time.
#include "EndToEnd.h"

#include <nlohmann/json.hpp>

#include <map>

using namespace sinter;
using testing::HasSubstr;

namespace {
class Inspect : public test::OnDevice {};

std::string read(const std::filesystem::path &path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}
} // namespace

TEST_P(Inspect, ProfileHasEveryLaunchAndTheUsersLines) {
  test::SmallNet net;
  TrainStep step(net, cross_entropy, optim::SGD{.lr = 0.02}, options());
  auto data = test::stripes(6, 1);
  Profile profile = step.profile(data.x(), data.y(), 3);
  EXPECT_EQ(step.steps(), 5); // the first, one before the clock, three
  EXPECT_EQ(profile.runs, 3);
  ASSERT_EQ(profile.launches.size(), static_cast<size_t>(step.cost().kernels));
  std::vector<LaunchInfo> launches = step.launches();
  int64_t flops = 0;
  for (size_t i = 0; i < launches.size(); ++i) {
    EXPECT_EQ(profile.launches[i].kernel, launches[i].ops);
    EXPECT_GT(profile.launches[i].microseconds, 0);
    flops += profile.launches[i].flops;
    double shares = 0;
    for (const LineShare &part : profile.launches[i].lines) shares += part.share;
    EXPECT_NEAR(shares, 1, 1e-9) << launches[i].ops;
  }
  // The convolution alone: 6 x 4 x 4 x 4 results of 9 products, and its gradient.
  EXPECT_GT(flops, 2 * 6 * 4 * 4 * 4 * 9 * 2);
  double sum = 0;
  bool forward = false, backward = false;
  for (const Profile::LineTime &line : profile.lines()) {
    sum += line.microseconds;
    forward |= line.module == "conv" && line.line.starts_with("EndToEnd.h:");
    backward |= line.module.ends_with(" gradient");
  }
  EXPECT_NEAR(sum, profile.microseconds(), 1e-6 * sum);
  EXPECT_TRUE(forward && backward) << profile.text();
  EXPECT_THAT(profile.text(), HasSubstr("EndToEnd.h:"));
}

TEST_P(Inspect, ChromeTraceIsCompleteEvents) {
  auto run = compile(trace([](Tensor x) { return softmax(matmul(x, x), 1); }, {{{16, 16}, f32}}),
                     {.device = device()});
  Profile profile = run.profile({Array::full({16, 16}, 0.5)}, 2);
  test::TemporaryFolder folder;
  profile.write_chrome_trace(folder / "trace.json");
  auto events = nlohmann::json::parse(read(folder / "trace.json"))["traceEvents"];
  std::map<int, double> end; // of each thread's latest event
  int64_t kernels = 0;
  for (const auto &event : events) {
    if (event["ph"] == "M") continue;
    ASSERT_EQ(event["ph"], "X");
    int thread = event["tid"];
    EXPECT_GE(event["ts"].get<double>(), end[thread]); // they do not overlap
    end[thread] = event["ts"].get<double>() + event["dur"].get<double>();
    kernels += thread == 1;
    EXPECT_THAT(event["args"]["source"].get<std::string>(), HasSubstr("InspectTest.cpp:"));
  }
  EXPECT_EQ(kernels, 2 * run.kernels());
}

TEST_P(Inspect, SummarySaysWhatThereIs) {
  test::SmallNet net;
  TrainStep step(net, cross_entropy, optim::SGD{.lr = 0.02}, options());
  auto data = test::stripes(6, 1);
  step(data.x(), data.y());
  std::string text = step.summary();
  EXPECT_THAT(text, HasSubstr("train_step on "));
  // 4 x 9 + 4, 2 x 4, 3 x 16 + 3.
  EXPECT_THAT(text, HasSubstr("parameters   99 in 6 tensors"));
  EXPECT_THAT(text, HasSubstr(std::to_string(step.cost().kernels) + " a run"));
  EXPECT_THAT(text, HasSubstr("(" + std::to_string(step.cost().peakBytes) + " bytes)"));
  EXPECT_THAT(text, HasSubstr("conv2d in f32"));
  EXPECT_THAT(text, testing::ContainsRegex("not fused +[1-9][0-9]* edges"));
  EXPECT_THAT(text, testing::ContainsRegex("  [a-z_]+, [0-9.]+ "));
}

TEST_P(Inspect, DumpHasRemarksTimesAndAssembly) {
  test::TemporaryFolder folder;
  setenv("SINTER_DUMP_ASSEMBLY", "1", 1);
  auto run =
      compile(trace([](Tensor x) { return softmax(matmul(exp(x), x), 1); }, {{{16, 16}, f32}}),
              {.device = device(), .dump_dir = folder / "dump"});
  unsetenv("SINTER_DUMP_ASSEMBLY");
  std::filesystem::path dump = std::filesystem::path(folder / "dump") / "main";
  std::string remarks = read(dump / "remarks.yaml");
  EXPECT_THAT(remarks, HasSubstr("--- !Passed"));
  EXPECT_THAT(remarks, HasSubstr("Pass:            sinter-fusion"));
  // YAML breaks a line that the folder's name makes long.
  EXPECT_THAT(remarks, testing::ContainsRegex("InspectTest\\.cpp',[[:space:]]+Line: "));
  for (const char *stage : {"autodiff", "fusion", "memory", "codegen"})
    EXPECT_THAT(read(dump / "timings.txt"), HasSubstr(std::string(" ms  ") + stage + "\n"));
  bool isCpu = GetParam() == std::string("cpu");
  size_t texts = 0;
  for (const auto &entry : std::filesystem::directory_iterator(dump))
    if (entry.path().extension() == (isCpu ? ".s" : ".ptx")) {
      ++texts;
      std::string text = read(entry.path());
      EXPECT_THAT(text, testing::AnyOf(HasSubstr(isCpu ? ".globl" : ".visible .entry"),
                                       HasSubstr("// NVRTC"), HasSubstr("// libnvrtc")))
          << entry.path();
    }
  EXPECT_GE(texts, static_cast<size_t>(run.kernels()));
}

TEST_P(Inspect, ReportHasTheTimes) {
  test::TemporaryFolder folder;
  auto run = compile(trace([](Tensor x) { return tanh(x) + 1; }, {{{8}, f32}}),
                     {.device = device(), .dump_dir = folder / "dump"});
  std::string before = read(folder / "dump/main/report.html");
  EXPECT_THAT(before, HasSubstr("sinter.tanh"));
  EXPECT_THAT(before, HasSubstr("InspectTest.cpp"));
  EXPECT_THAT(before, testing::Not(HasSubstr("\"microseconds\":")));
  run.profile({Array::full({8}, 0.5)}, 2);
  EXPECT_THAT(read(folder / "dump/main/report.html"), HasSubstr("\"microseconds\":"));
}

SINTER_ON_DEVICES(Inspect, "cpu", "cuda-emulated");
