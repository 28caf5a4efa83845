// sinter-bench: times training and inference steps of the examples' models and single ops, one JSON
// line each. tests/benchmarks/compare.py runs it beside its peers.

#include "../examples/models/Bert.h"
#include "../examples/models/CharGpt.h"
#include "../examples/models/Cifar10Cnn.h"
#include "../examples/models/Cnn112.h"
#include "../examples/models/LinearModel.h"
#include "../examples/models/MnistCnn.h"
#include "../examples/models/ResNet.h"

#include "sinter/runtime/cpu/KernelImage.h"
#include "sinter/sinter.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <regex>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using sinter::Array;
using sinter::Tensor;

namespace {

struct Options {
  std::string filter, precision = "f32", device = "cpu";
  int threads = 1;
  double minTime = 1.0;
};

Array random(sinter::Shape shape) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform;
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<float> values(count);
  for (float &value : values) value = uniform(generator);
  return Array(values, shape);
}
/// The same in bf16, rounded down, where that is what is measured.
Array random(sinter::Shape shape, const std::string &precision) {
  Array numbers = random(shape);
  if (precision != "bf16") return numbers;
  std::vector<uint16_t> halves;
  for (float value : numbers.data<float>()) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    halves.push_back(uint16_t(bits >> 16));
  }
  return Array::copy(halves.data(), shape, sinter::bf16);
}
Array labels(int64_t count) {
  std::vector<int64_t> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = i * 7 % 10;
  return Array(values, {count});
}

#if defined(__x86_64__)
/// Products of whole tiles that wait neither for each other nor for memory: what AMX can do at most.
/// `count` times six of them, 2 x 16 x 16 x 32 operations each.
__attribute__((target("amx-tile,amx-bf16"))) void multiplyTiles(int64_t count) {
  struct alignas(64) {
    uint8_t palette = 1, startRow = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shapes;
  asm volatile("" : : "r"(&shapes) : "memory"); // GCC 12 does not see that all of it is read
  _tile_loadconfig(&shapes);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t i = 0; i < count; ++i) {
    _tile_dpbf16ps(0, 6, 7);
    _tile_dpbf16ps(1, 6, 7);
    _tile_dpbf16ps(2, 6, 7);
    _tile_dpbf16ps(3, 6, 7);
    _tile_dpbf16ps(4, 6, 7);
    _tile_dpbf16ps(5, 6, 7);
  }
  _tile_release();
}
#else
void multiplyTiles(int64_t) {}
#endif

class Bench {
public:
  explicit Bench(Options options) : options(std::move(options)), pattern(this->options.filter) {}

  /// `prepare` compiles and returns what one step does; it may fill in the record.
  void run(const std::string &name,
           const std::function<std::function<void()>(nlohmann::json &record)> &prepare) {
    if (!std::regex_search(name, pattern)) {
      names += "\n  " + name;
      return;
    }
    ++matched;
    nlohmann::json record{{"name", name},
                          {"threads", options.threads},
                          {"precision", options.precision},
                          {"device", options.device}};
    auto begin = Clock::now();
    std::function<void()> step = prepare(record);
    step();
    record["compile_seconds"] = seconds(begin);
    for (int i = 0; i < 2; ++i) step();
    std::vector<double> times, cpuTimes;
    begin = Clock::now();
    while (times.size() < 5 || seconds(begin) < options.minTime) {
      std::clock_t cpuStart = std::clock();
      auto start = Clock::now();
      step();
      times.push_back(1e3 * seconds(start));
      cpuTimes.push_back(1e3 * double(std::clock() - cpuStart) / CLOCKS_PER_SEC);
    }
    std::sort(times.begin(), times.end());
    std::sort(cpuTimes.begin(), cpuTimes.end());
    record["median_ms"] = times[times.size() / 2];
    record["median_cpu_ms"] =
        cpuTimes[times.size() / 2]; // of all threads; waiting ones spin for a while
    record["min_ms"] = times.front();
    record["runs"] = times.size();
    if (record.contains("operations"))
      record["gflops"] = double(record["operations"]) / times[times.size() / 2] / 1e6;
    std::cout << record.dump() << std::endl;
  }

  /// The share of this that a product of bf16 reaches is what can be asked of it.
  void peakOfTiles() {
    run("peak_amx_bf16", [&](nlohmann::json &record) {
      int64_t count = 100000;
      record["operations"] = 2 * 16 * 16 * 32 * 6 * count * options.threads;
      return [count, threads = options.threads] {
        std::vector<std::thread> others;
        for (int i = 1; i < threads; ++i) others.emplace_back(multiplyTiles, count);
        multiplyTiles(count);
        for (std::thread &thread : others) thread.join();
      };
    });
  }

  /// `arguments` are those of the model's constructor.
  template <class Model, class... Arguments>
  void training(const std::string &name, Array x, Array y, sinter::Loss loss,
                sinter::optim::Optimizer optimizer, Arguments... arguments) {
    run(name, [&](nlohmann::json &record) -> std::function<void()> {
      auto model = std::make_shared<Model>(arguments...);
      auto step = std::make_shared<sinter::TrainStep>(
          *model, loss, optimizer,
          sinter::TrainerOptions{.device = device(), .precision = precision()});
      (*step)(x, y);
      describe(record, step->cost());
      return [model, step, x, y] { (*step)(x, y); };
    });
  }

  /// `operations`: multiplications and additions, where they are counted.
  void operation(const std::string &name, const sinter::TracedFunction &function,
                 std::vector<Array> inputs, int64_t operations = 0) {
    run(name, [&](nlohmann::json &record) -> std::function<void()> {
      std::vector<sinter::TensorSpec> specs;
      for (const Array &input : inputs) specs.push_back({input.shape(), input.dtype()});
      auto traced =
          sinter::traceFunction(function, int(specs.size()), specs, sinter::Where::current());
      auto executable = std::make_shared<sinter::Executable>(
          sinter::compile(traced, {.device = device(), .precision = precision()}));
      executable->run(inputs);
      describe(record, executable->cost());
      if (operations) record["operations"] = operations;
      return [executable, inputs] { executable->run(inputs); };
    });
  }

  /// `arguments` are those of the model's constructor.
  template <class Model, class... Arguments>
  void inference(const std::string &name, Array x, Arguments... arguments) {
    std::unique_ptr<Model> model; // made where it is asked for, alive while it is compiled
    operation(name,
              [&](const std::vector<Tensor> &in) {
                model = std::make_unique<Model>(arguments...);
                model->eval();
                return std::vector<Tensor>{model->forward(in[0])};
              },
              {x});
  }

  /// Says what there is when the filter left nothing.
  void checkMatched() const {
    if (!matched)
      throw std::runtime_error("no benchmark matches '" + options.filter + "'; there are:" + names);
  }

private:
  using Clock = std::chrono::steady_clock;
  static double seconds(Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  }
  sinter::Device device() const { return sinter::Device::named(options.device, options.threads); }
  sinter::Precision precision() const { return sinter::precisionNamed(options.precision); }
  static void describe(nlohmann::json &record, const sinter::Cost &cost) {
    record["kernels"] = cost.kernels;
    record["peak_bytes"] = cost.peakBytes;
    record["lower_bound_bytes"] = cost.lowerBoundBytes;
    record["state_bytes"] = cost.stateBytes;
  }

  Options options;
  std::regex pattern;
  std::string names; // that did not match
  int matched = 0;
};

/// Inference of one example, and of as many as are trained on at a time.
template <class Model, class... Arguments>
void inference(Bench &bench, const std::string &name, int64_t batch,
               const std::function<Array(int64_t count)> &inputs, Arguments... arguments) {
  for (int64_t count : {int64_t(1), batch})
    bench.inference<Model>("infer_" + name + "_b" + std::to_string(count), inputs(count),
                           arguments...);
}

template <class Model>
void model(Bench &bench, const std::string &name, int64_t batch, sinter::Shape image) {
  auto batched = [&](int64_t count) {
    sinter::Shape shape = image;
    shape.insert(shape.begin(), count);
    return random(shape);
  };
  bench.training<Model>("train_" + name + "_b" + std::to_string(batch), batched(batch),
                        labels(batch), sinter::cross_entropy, sinter::optim::Adam{.lr = 1e-3});
  inference<Model>(bench, name, batch, batched);
}

/// Ten classes from the last state of an LSTM.
struct Lstm : sinter::nn::Module {
  sinter::nn::LSTM lstm{this, "lstm", {.input_size = 128, .hidden_size = 128, .batch_first = true}};
  sinter::nn::Linear fc{this, "fc", {.in_features = 128, .out_features = 10}};
  Tensor forward(Tensor x) { return fc(select(lstm(x).h_n, 0, -1)); }
};

/// Numbers from `first` up to `below` that follow no order.
Array numbers(sinter::Shape shape, int64_t first, int64_t below) {
  std::mt19937 generator(1);
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(first + static_cast<int64_t>(generator()) % (below - first));
  return Array(values, shape);
}

/// Models that people start from; tests/benchmarks/torch_peer.py has the same.
void largerModels(Bench &bench) {
  auto images = [](int64_t count) { return random({count, 3, 32, 32}); };
  examples::ResNetOptions resnet{.depth = 18, .classes = 10, .small_stem = true};
  bench.training<examples::ResNet>("train_resnet18_cifar_b64", images(64), labels(64),
                                   sinter::cross_entropy,
                                   sinter::optim::SGD{.lr = 0.01, .momentum = 0.9}, resnet);
  inference<examples::ResNet>(bench, "resnet18_cifar", 64, images, resnet);
  examples::BertConfig bert{.num_hidden_layers = 2,
                            .hidden_dropout_prob = 0,
                            .attention_probs_dropout_prob = 0,
                            .labels = std::vector<std::string>(9, "O")};
  auto words = [&](int64_t count) { return numbers({count, 128}, 1, bert.vocab_size); };
  bench.training<examples::BertForTokenClassification>(
      "train_bert_base_l2_s128_b8", words(8), numbers({8, 128}, 0, 9), examples::tokenLoss(),
      sinter::optim::AdamW{.lr = 2e-5}, bert);
  inference<examples::BertForTokenClassification>(bench, "bert_base_l2_s128", 8, words, bert);
  int64_t characters = 65; // Shakespeare's
  auto text = [&](int64_t count) { return numbers({count, 256}, 0, characters); };
  examples::CharGpt::Options gpt{
      .characters = characters, .block = 256, .layers = 6, .width = 384, .heads = 6};
  bench.training<examples::CharGpt>(
      "train_char_gpt_l6_w384_t256_b8", text(8), text(8),
      [](const Tensor &logits, const Tensor &next) {
        int64_t count = next.size(0) * next.size(1);
        return cross_entropy(reshape(logits, {count, logits.size(-1)}), reshape(next, {count}));
      },
      sinter::optim::AdamW{.lr = 1e-3}, gpt);
  inference<examples::CharGpt>(bench, "char_gpt_l6_w384_t256", 8, text, gpt);
  auto series = [](int64_t count) { return random({count, 128, 128}); };
  bench.training<Lstm>("train_lstm128_t128_b32", series(32), labels(32), sinter::cross_entropy,
                       sinter::optim::AdamW{.lr = 1e-3});
  inference<Lstm>(bench, "lstm128_t128", 32, series);
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Times training and inference steps of the examples' models and single ops, one "
               "JSON line each.");
  app.add_option("--filter", options.filter,
                 "Only benchmarks whose name matches this regular expression");
  app.add_option("--threads", options.threads, "CPU threads");
  app.add_option("--precision", options.precision, "f32, bf16 or f16")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--device", options.device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda", "cuda-emulated"}));
  app.add_option("--min-time", options.minTime, "Seconds to measure each");
  CLI11_PARSE(app, argc, argv);
  try {
    Bench bench(options);
    if (options.device == "cpu" && sinter::runtime::hostRuns("amx")) bench.peakOfTiles();
    for (int64_t n : {512, 1024, 2048})
      bench.operation(
          "matmul_" + std::to_string(n),
          [](const std::vector<Tensor> &in) { return std::vector<Tensor>{matmul(in[0], in[1])}; },
          {random({n, n}, options.precision), random({n, n}, options.precision)}, 2 * n * n * n);
    struct Convolution {
      int64_t n, c, h, o, k, padding;
    };
    for (Convolution s : {Convolution{32, 64, 56, 64, 3, 1}, Convolution{32, 128, 28, 128, 3, 1},
                          Convolution{128, 32, 13, 64, 3, 0}})
      bench.operation(fmt::format("conv2d_{}x{}x{}x{}x{}x{}", s.n, s.c, s.h, s.o, s.k, s.padding),
                      [s](const std::vector<Tensor> &in) {
                        return std::vector<Tensor>{conv2d(in[0], in[1], {.padding = s.padding})};
                      },
                      {random({s.n, s.c, s.h, s.h}, options.precision),
                       random({s.o, s.c, s.k, s.k}, options.precision)});
    for (auto [rows, columns] : {std::pair<int64_t, int64_t>{4096, 1024}, {1024, 4096}}) {
      bench.operation(
          fmt::format("softmax_{}x{}", rows, columns),
          [](const std::vector<Tensor> &in) { return std::vector<Tensor>{softmax(in[0], 1)}; },
          {random({rows, columns})});
      bench.operation(fmt::format("layer_norm_{}x{}", rows, columns),
                      [](const std::vector<Tensor> &in) {
                        return std::vector<Tensor>{layer_norm(in[0], in[1], in[2])};
                      },
                      {random({rows, columns}), random({columns}), random({columns})});
    }
    bench.training<examples::LinearModel>("train_linear_regression_b64", random({64, 10}),
                                          random({64, 1}), sinter::mse_loss,
                                          sinter::optim::SGD{.lr = 0.01}, /*features=*/10);
    model<examples::MnistCnn>(bench, "mnist_cnn", 128, {1, 28, 28});
    model<examples::Cifar10Cnn>(bench, "cifar10_cnn", 128, {3, 32, 32});
    model<examples::Cnn112>(bench, "cnn112", 32, {3, 112, 112});
    largerModels(bench);
    bench.checkMatched();
  } catch (const std::regex_error &) {
    std::cerr << "sinter-bench: --filter '" << options.filter << "' is no regular expression\n";
    return 1;
  } catch (const std::exception &error) {
    std::cerr << "sinter-bench: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
