// sinter-calibrate: measures what the cost model of fusion should charge on this machine, and how well it
// foretells the kernels of the examples' training steps. It fits the rates to single ops of many sizes; the
// examples are kept for the comparison.

#include "../examples/models/Cifar10Cnn.h"
#include "../examples/models/Cnn112.h"
#include "../examples/models/DigitsCnn.h"
#include "../examples/models/LinearModel.h"
#include "../examples/models/MnistCnn.h"

#include "sinter/ir/Sinter.h"
#include "sinter/passes/fusion/CostModel.h"
#include "sinter/sinter.h"

#include "mlir/Parser/Parser.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>

using sinter::Array;
using sinter::Tensor;
using sinter::passes::fusion::CostModel;
namespace ir = sinter::ir;

namespace {

constexpr size_t rateCount = std::tuple_size_v<CostModel::Rates>;

struct Sample {
  std::string graph, kernel;
  CostModel::Work work;
  double microseconds = 0;
};

Array random(sinter::Shape shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<float> values(count);
  uint32_t state = 1;
  for (float &value : values)
    value = float((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f;
  return Array(values, shape);
}
Array labels(int64_t count) {
  std::vector<int64_t> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = i * 7 % 10;
  return Array(values, {count});
}

CostModel::Work workOf(const CostModel &costs, mlir::Block &body, ir::KernelKind kind) {
  if (kind != ir::KernelKind::Staged) return costs.workOf(ir::KernelBody::of(body), kind);
  CostModel::Work work;
  for (auto stage : body.getOps<ir::FusedOp>())
    work += workOf(costs, stage.getBody().front(), *ir::kindOf(stage.getSchedule()));
  return work;
}

/// Puts what a graph's launches have to do beside what they took.
void addSamples(const std::string &graph, const std::string &entry, const std::string &plannedIr,
                const sinter::Profile &profile, std::vector<Sample> &samples) {
  mlir::DialectRegistry registry;
  ir::registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(plannedIr, &context);
  if (!module) throw std::runtime_error(graph + ": the planned IR cannot be read");
  CostModel costs((*module)->getAttrOfType<ir::TargetAttr>(ir::targetAttr));
  size_t at = 0;
  module->lookupSymbol<mlir::func::FuncOp>(entry).walk([&](ir::LaunchOp launch) {
    auto kernel = module->lookupSymbol<ir::KernelOp>(launch.getKernel());
    samples.push_back({graph, launch.getKernel().str(),
                       workOf(costs, kernel.getBody().front(), *ir::kindOf(kernel.getSchedule())),
                       profile.launches.at(at++).microseconds});
  });
}

class Measurements {
public:
  explicit Measurements(int64_t runs) : runs(runs), device(sinter::Device::named("cpu", 1)) {}

  std::vector<Sample> ops() {
    std::vector<Sample> samples;
    auto run = [&](const std::string &name, const sinter::TracedFunction &function,
                   std::vector<sinter::Shape> shapes) {
      std::vector<sinter::TensorSpec> specs;
      std::vector<Array> inputs;
      for (const sinter::Shape &shape : shapes) {
        specs.push_back({shape, sinter::f32});
        inputs.push_back(random(shape));
      }
      auto traced =
          sinter::traceFunction(function, int(specs.size()), specs, sinter::Where::current());
      auto executable = sinter::compile(traced, {.device = device});
      sinter::Profile profile = executable.profile(inputs, runs);
      addSamples(name, "main", executable.planned_ir(), profile, samples);
    };
    auto one = [](auto function) {
      return [=](const std::vector<Tensor> &in) { return std::vector<Tensor>{function(in[0])}; };
    };
    for (int64_t n : {256, 4096, 65536, 262144, 1048576, 8388608}) {
      run(fmt::format("add_{}", n),
          [](const std::vector<Tensor> &in) { return std::vector<Tensor>{in[0] + in[1]}; },
          {{n}, {n}});
      run(fmt::format("chain_{}", n),
          one([](Tensor x) { return relu(x * 2.0f + 1.0f) * x - 3.0f; }), {{n}});
    }
    for (int64_t n : {4096, 262144}) {
      run(fmt::format("exp_{}", n), one([](Tensor x) { return exp(x); }), {{n}});
      run(fmt::format("gelu_{}", n), one([](Tensor x) { return gelu(x); }), {{n}});
    }
    for (int64_t rows : {32, 1024}) {
      run(fmt::format("softmax_{}", rows), one([](Tensor x) { return softmax(x, 1); }),
          {{rows, 256}});
      run(fmt::format("sum_{}", rows), one([](Tensor x) { return sum(x, {1}); }), {{rows, 256}});
      run(fmt::format("sum0_{}", rows), one([](Tensor x) { return sum(x, {0}); }), {{rows, 256}});
    }
    for (int64_t batch : {4, 64})
      run(fmt::format("max_pool2d_{}", batch),
          one([](Tensor x) { return max_pool2d(x, {.kernel_size = 2}); }), {{batch, 16, 24, 24}});
    for (auto [m, n, k] : {std::array<int64_t, 3>{32, 10, 64},
                           {128, 10, 1024},
                           {10, 512, 128},
                           {128, 64, 1024},
                           {64, 1024, 128},
                           {256, 256, 256},
                           {512, 512, 512},
                           {1024, 512, 64}})
      run(fmt::format("matmul_{}x{}x{}", m, n, k),
          [](const std::vector<Tensor> &in) { return std::vector<Tensor>{matmul(in[0], in[1])}; },
          {{m, k}, {k, n}});
    struct Convolution {
      int64_t n, c, h, o;
    };
    for (Convolution s : {Convolution{32, 1, 20, 32},
                          {32, 3, 24, 16},
                          {16, 16, 24, 32},
                          {32, 32, 12, 64},
                          {8, 64, 12, 64}})
      run(fmt::format("conv2d_{}x{}x{}x{}", s.n, s.c, s.h, s.o),
          [](const std::vector<Tensor> &in) { return std::vector<Tensor>{conv2d(in[0], in[1])}; },
          {{s.n, s.c, s.h, s.h}, {s.o, s.c, 3, 3}});
    return samples;
  }

  std::vector<Sample> examples() {
    std::vector<Sample> samples;
    for (int64_t batch : {32, 128}) {
      step<examples::DigitsCnn>("digits_cnn", random({batch, 1, 8, 8}), samples);
      step<examples::MnistCnn>("mnist_cnn", random({batch, 1, 28, 28}), samples);
      step<examples::Cifar10Cnn>("cifar10_cnn", random({batch, 3, 32, 32}), samples);
    }
    step<examples::Cnn112>("cnn112", random({32, 3, 112, 112}), samples);
    examples::LinearModel linear(10);
    sinter::TrainStep training(linear, sinter::mse_loss, sinter::optim::SGD({.lr = 0.01}),
                               {.device = device});
    sinter::Profile profile = training.profile(random({442, 10}), random({442, 1}), runs);
    addSamples("linear_regression", "train_step", training.planned_ir(), profile, samples);
    return samples;
  }

private:
  template <class Model> void step(const std::string &name, Array x, std::vector<Sample> &samples) {
    Model model;
    sinter::TrainStep step(model, sinter::cross_entropy, sinter::optim::Adam({.lr = 1e-3}),
                           {.device = device});
    int64_t batch = x.shape()[0];
    sinter::Profile profile = step.profile(x, labels(batch), runs);
    addSamples(fmt::format("{} B={}", name, batch), "train_step", step.planned_ir(), profile,
               samples);
  }

  int64_t runs;
  sinter::Device device;
};

double foretold(const Sample &sample, const CostModel::Rates &rates) {
  return 1e-3 * CostModel::nanoseconds(sample.work, rates);
}

double relativeError(const Sample &sample, const CostModel::Rates &rates) {
  return std::abs(foretold(sample, rates) - sample.microseconds) / sample.microseconds;
}

/// Rates that are not negative and of least relative error: least squares by coordinates, samples weighed
/// anew so that outliers count less (iteratively reweighted least squares).
CostModel::Rates fit(const std::vector<Sample> &samples) {
  // What one unit of each rate adds to each sample's time, as a share of it.
  std::vector<std::array<double, rateCount>> shares(samples.size());
  for (size_t i = 0; i < samples.size(); ++i)
    for (size_t rate = 0; rate < rateCount; ++rate) {
      CostModel::Rates unit{};
      unit[rate] = 1;
      shares[i][rate] = foretold(samples[i], unit) / samples[i].microseconds;
    }
  CostModel::Rates rates{};
  std::vector<double> weights(samples.size(), 1), missing(samples.size(), 1);
  for (int round = 0; round < 60; ++round) {
    for (int sweep = 0; sweep < 500; ++sweep)
      for (size_t rate = 0; rate < rateCount; ++rate) {
        double slope = 0, curvature = 0;
        for (size_t i = 0; i < samples.size(); ++i) {
          slope += weights[i] * shares[i][rate] * missing[i];
          curvature += weights[i] * shares[i][rate] * shares[i][rate];
        }
        if (curvature == 0) continue;
        double change = std::max(-rates[rate], slope / curvature);
        rates[rate] += change;
        for (size_t i = 0; i < samples.size(); ++i) missing[i] -= change * shares[i][rate];
      }
    for (size_t i = 0; i < samples.size(); ++i)
      weights[i] = 1 / std::max(std::abs(missing[i]), 0.03);
  }
  return rates;
}

double medianError(const std::vector<Sample> &samples, const CostModel::Rates &rates) {
  std::vector<double> errors;
  for (const Sample &sample : samples) errors.push_back(relativeError(sample, rates));
  std::nth_element(errors.begin(), errors.begin() + errors.size() / 2, errors.end());
  return errors[errors.size() / 2];
}

void print(const std::vector<Sample> &samples, const CostModel::Rates &rates) {
  fmt::print("{:>12} {:>12} {:>7}  kernel\n", "foretold us", "measured us", "error");
  for (const Sample &sample : samples)
    fmt::print("{:12.1f} {:12.1f} {:6.0f}%  {} {}\n", foretold(sample, rates), sample.microseconds,
               100 * relativeError(sample, rates), sample.graph, sample.kernel);
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Measures the rates of the fusion cost model on this machine's CPU, one thread, and "
               "compares what it foretells with what the examples' kernels take.");
  bool useOwn = false, details = false;
  double most = 0;
  int64_t runs = 15;
  app.add_flag("--built-in", useOwn, "Compare with the rates that are built in; fit none");
  app.add_flag("--details", details, "Print every kernel");
  app.add_option("--check", most,
                 "Exit with status 1 where the median error is above so many percent");
  app.add_option("--runs", runs, "Runs of each graph; medians count")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    Measurements measure(runs);
    CostModel::Rates rates = CostModel::cpuRates;
    if (!useOwn) {
      std::vector<Sample> ops = measure.ops();
      rates = fit(ops);
      if (details) print(ops, rates);
      fmt::print("{} kernels of single ops: median error {:.1f} %\n", ops.size(),
                 100 * medianError(ops, rates));
    }
    for (size_t rate = 0; rate < rateCount; ++rate)
      fmt::print("{:>12.4g} ns {}\n", rates[rate], CostModel::rateNames[rate]);
    std::vector<Sample> steps = measure.examples();
    if (details) print(steps, rates);
    double error = 100 * medianError(steps, rates);
    fmt::print("{} kernels of the examples' steps: median error {:.1f} %\n", steps.size(), error);
    return most > 0 && error > most;
  } catch (const std::exception &error) {
    std::cerr << "sinter-calibrate: " << error.what() << "\n";
    return 2;
  }
}
