#include "Rows.h"

namespace sinter::test {
namespace {

Generator any() { return uniform(-3, 3); }

OpRow softmaxRow(const std::string &op) {
  OpRow row{op, floats, {}};
  const std::pair<const char *, int> cases[] = {{"7", 0},     {"3x5", 1},    {"5x3", 0},
                                                {"2x3x9", 1}, {"2x3x9", 2},  {"4x1", 1},
                                                {"3x130", 1}, {"2x4x3x5", 1}};
  for (auto [shape, dim] : cases)
    row.cases.push_back(call(fmt::format("{}_dim{}", shape, dim), op,
                             fmt::format("dim = {} : i64", dim), {in(shape, any())},
                             {std::string(shape) + "xT"}, 1));
  row.cases.push_back(
      call("large", op, "dim = 1 : i64", {in("3x6", uniform(60, 90))}, {"3x6xT"}, 1));
  return row;
}

std::string lossAttributes(const std::string &reduction, const std::string &smoothing, int ignore) {
  return fmt::format("reduction = \"{}\", label_smoothing = {} : f64, ignore_index = {} : i64",
                     reduction, smoothing, ignore);
}
struct CrossEntropy {
  const char *name, *logits, *target, *reduction, *smoothing;
  int ignore;
};
// Targets are drawn from [0, classes): an ignore_index inside hits some of them.
constexpr CrossEntropy crossEntropies[] = {{"mean", "4x5", "4", "mean", "0.0", -100},
                                           {"sum", "4x5", "4", "sum", "0.0", -100},
                                           {"none", "7x5", "7", "none", "0.0", -100},
                                           {"smoothing", "4x5", "4", "mean", "0.125", -100},
                                           {"ignored", "9x5", "9", "mean", "0.0", 2},
                                           {"ignored_smoothing", "9x5", "9", "sum", "0.25", 2},
                                           {"positions", "2x5x3", "2x3", "mean", "0.0", -100},
                                           {"wide", "3x130", "3", "mean", "0.0", -100},
                                           {"positions_none", "2x5x3", "2x3", "none", "0.125", 1}};

OpRow crossEntropyRow() {
  OpRow row{"cross_entropy", floats, {}};
  for (const CrossEntropy &c : crossEntropies) {
    std::string result = std::string(c.reduction) == "none" ? std::string(c.target) + "xT" : "T";
    row.cases.push_back(
        call(c.name, "cross_entropy", lossAttributes(c.reduction, c.smoothing, c.ignore),
             {in(c.logits, any()), fixed(c.target, "i64", uniform(0, 4))}, {result}, 1));
  }
  return row;
}
OpRow crossEntropyGradRow() {
  OpRow row{"cross_entropy_grad", floats, {}};
  for (const CrossEntropy &c : crossEntropies) {
    std::string grad = std::string(c.reduction) == "none" ? c.target : "";
    row.cases.push_back(
        call(c.name, "cross_entropy_grad", lossAttributes(c.reduction, c.smoothing, c.ignore),
             {in(grad, any()), in(c.logits, any()), fixed(c.target, "i64", uniform(0, 4))},
             {std::string(c.logits) + "xT"}));
  }
  return row;
}

OpRow lossRow(const std::string &op, Generator left, Generator right) {
  OpRow row{op, floats, {}};
  for (const char *reduction : {"mean", "sum", "none"})
    for (const char *shape : {"6", "3x7", "2x3x17"})
      row.cases.push_back(
          call(fmt::format("{}_{}", reduction, shape), op,
               fmt::format("reduction = \"{}\"", reduction), {in(shape, left), in(shape, right)},
               {std::string(reduction) == "none" ? std::string(shape) + "xT" : "T"}, 1));
  return row;
}

struct Normalized {
  const char *x, *channels;
};
constexpr Normalized batches[] = {
    {"4x3", "3"}, {"2x3x4", "3"}, {"2x3x4x5", "3"}, {"5x1x3x3", "1"}, {"3x17x2x2", "17"}};

/// batch_norm keeps statistics in f32 for narrow types and in the type itself otherwise.
std::vector<OpRow> batchNormRows() {
  // The statistics' type depends on T: two rows' worth of cases, by family of types.
  OpRow forward{"batch_norm", floats, {}}, backward{"batch_norm_grad", floats, {}},
      inference{"batch_norm_inference", floats, {}};
  Generator weight = uniform(0.5, 1.5);
  for (auto [x, channels] : batches) {
    std::string image = std::string(x) + "xT", vector = std::string(channels) + "xT",
                statistic = std::string(channels) + "xS";
    forward.cases.push_back(call(x, "batch_norm", "eps = 1.0e-5 : f64",
                                 {in(x, any()), in(channels, weight), in(channels, any())},
                                 {image, statistic, statistic}, 1));
    backward.cases.push_back(
        call(x, "batch_norm_grad", "eps = 1.0e-5 : f64",
             {in(x, any()), in(x, any()), in(channels, weight),
              fixed(channels, "S", uniform(-0.5, 0.5)), fixed(channels, "S", uniform(0.5, 2))},
             {image, vector, vector}));
    inference.cases.push_back(
        call(x, "batch_norm_inference", "eps = 1.0e-5 : f64",
             {in(x, any()), in(channels, weight), in(channels, any()),
              fixed(channels, "T", uniform(-0.5, 0.5)), fixed(channels, "T", uniform(0.5, 2))},
             {image}, 1));
    for (size_t i : {3, 4}) inference.cases.back().inputs[i].differentiable = false;
  }
  return {forward, backward, inference};
}

std::vector<OpRow> layerNormRows() {
  OpRow forward{"layer_norm", floats, {}}, backward{"layer_norm_grad", floats, {}};
  const std::pair<const char *, const char *> shapes[] = {
      {"3x4", "4"}, {"2x3x5", "5"}, {"2x3x4", "3x4"}, {"7", "7"}, {"3x130", "130"}, {"5x1x8", "8"}};
  Generator weight = uniform(0.5, 1.5);
  for (auto [x, trailing] : shapes) {
    std::string image = std::string(x) + "xT", vector = std::string(trailing) + "xT";
    std::string name = fmt::format("{}_over_{}", x, trailing);
    forward.cases.push_back(call(name, "layer_norm", "eps = 1.0e-5 : f64",
                                 {in(x, any()), in(trailing, weight), in(trailing, any())}, {image},
                                 1));
    backward.cases.push_back(call(name, "layer_norm_grad", "eps = 1.0e-5 : f64",
                                  {in(x, any()), in(x, any()), in(trailing, weight)},
                                  {image, vector, vector}));
  }
  return {forward, backward};
}

std::vector<OpRow> rmsNormRows() {
  OpRow forward{"rms_norm", floats, {}}, backward{"rms_norm_grad", floats, {}};
  const std::pair<const char *, const char *> shapes[] = {
      {"3x4", "4"}, {"2x3x5", "5"}, {"2x3x4", "3x4"}, {"7", "7"}, {"3x130", "130"}};
  Generator weight = uniform(0.5, 1.5);
  for (auto [x, trailing] : shapes) {
    std::string image = std::string(x) + "xT", vector = std::string(trailing) + "xT";
    std::string name = fmt::format("{}_over_{}", x, trailing);
    forward.cases.push_back(call(name, "rms_norm", "eps = 1.0e-5 : f64",
                                 {in(x, any()), in(trailing, weight)}, {image}, 1));
    backward.cases.push_back(call(name, "rms_norm_grad", "eps = 1.0e-5 : f64",
                                  {in(x, any()), in(x, any()), in(trailing, weight)},
                                  {image, vector}));
  }
  return {forward, backward};
}

std::vector<OpRow> groupNormRows() {
  OpRow forward{"group_norm", floats, {}}, backward{"group_norm_grad", floats, {}};
  struct Grouped {
    const char *x, *channels;
    int groups;
  };
  const Grouped shapes[] = {{"4x6", "6", 2},     {"2x4x5", "4", 4},   {"2x6x3x4", "6", 3},
                            {"3x2x2x2", "2", 1}, {"1x8x5x7", "8", 2}, {"2x3x2x3x2", "3", 1}};
  Generator weight = uniform(0.5, 1.5);
  for (auto [x, channels, groups] : shapes) {
    std::string image = std::string(x) + "xT", vector = std::string(channels) + "xT";
    std::string attributes = fmt::format("eps = 1.0e-5 : f64, num_groups = {} : i64", groups);
    forward.cases.push_back(call(x, "group_norm", attributes,
                                 {in(x, any()), in(channels, weight), in(channels, any())}, {image},
                                 1));
    backward.cases.push_back(call(x, "group_norm_grad", attributes,
                                  {in(x, any()), in(x, any()), in(channels, weight)},
                                  {image, vector, vector}));
  }
  return {forward, backward};
}

struct Pool {
  const char *name, *image, *output, *kernel, *stride, *padding;
  bool ceil;

  std::string attributes(bool average, bool countPadding = true) const {
    std::string text = fmt::format(
        "kernel_size = array<i64: {}>, stride = array<i64: {}>, padding = array<i64: {}>, "
        "ceil_mode = {}",
        kernel, stride, padding, ceil);
    return average ? text + fmt::format(", count_include_pad = {}", countPadding) : text;
  }
};
constexpr Pool pools[] = {{"plain", "2x3x4x6", "2x3x2x3", "2, 2", "2, 2", "0, 0", false},
                          {"left_over", "1x2x5x7", "1x2x2x3", "2, 2", "2, 2", "0, 0", false},
                          {"overlap", "1x2x5x5", "1x2x3x3", "3, 3", "1, 1", "0, 0", false},
                          {"padded", "1x2x5x4", "1x2x3x2", "3, 3", "2, 2", "1, 1", false},
                          {"ceil", "1x1x5x6", "1x1x3x3", "2, 2", "2, 2", "0, 0", true},
                          {"ceil_padded", "1x1x6x6", "1x1x4x4", "3, 3", "2, 2", "1, 1", true},
                          {"uneven", "1x1x6x5", "1x1x3x4", "3, 2", "2, 1", "1, 0", false},
                          {"global", "2x5x3x4", "2x5x1x1", "3, 4", "3, 4", "0, 0", false}};

std::vector<OpRow> poolRows() {
  OpRow max{"max_pool2d", floats, {}}, maxGrad{"max_pool2d_grad", floats, {}},
      average{"avg_pool2d", floats, {}}, averageGrad{"avg_pool2d_grad", floats, {}};
  for (const Pool &p : pools) {
    std::string image = std::string(p.image) + "xT", output = std::string(p.output) + "xT",
                place = std::string(p.output) + "xui8";
    max.cases.push_back(call(p.name, "max_pool2d", p.attributes(false), {in(p.image, distinct())},
                             {output, place}, 1));
    // Places come from a forward pass, as they do in a graph.
    OpCase grad =
        call(p.name, "max_pool2d_grad", p.attributes(false), {in(p.output, any())}, {image}, 1);
    grad.inputs.push_back({p.image, "T", distinct(), false});
    grad.body = fmt::format("  %m:2 = \"sinter.max_pool2d\"(%a1) <{{{0}}}> : (tensor<{1}>) -> "
                            "(tensor<{2}>, tensor<{3}>)\n"
                            "  %r = \"sinter.max_pool2d_grad\"(%a0, %m#1) <{{{0}}}> : "
                            "(tensor<{2}>, tensor<{3}>) -> tensor<{1}>",
                            p.attributes(false), image, output, place);
    maxGrad.cases.push_back(grad);
    for (bool countPadding : {true, false}) {
      std::string name = std::string(p.name) + (countPadding ? "" : "_without_padding");
      std::string attributes = p.attributes(true, countPadding);
      average.cases.push_back(
          call(name, "avg_pool2d", attributes, {in(p.image, any())}, {output}, 1));
      averageGrad.cases.push_back(
          call(name, "avg_pool2d_grad", attributes, {in(p.output, any())}, {image}, 1));
    }
  }
  return {max, maxGrad, average, averageGrad};
}

} // namespace

void addNnRows(std::vector<OpRow> &table) {
  table.push_back(softmaxRow("softmax"));
  table.push_back(softmaxRow("log_softmax"));
  table.push_back(crossEntropyRow());
  table.push_back(crossEntropyGradRow());
  table.push_back(lossRow("mse_loss", any(), any()));
  table.push_back(lossRow("l1_loss", uniform(-3, -0.25), uniform(0.25, 3)));
  table.push_back(lossRow("bce_with_logits", any(), uniform(0, 1)));
  table.push_back(lossRow("binary_cross_entropy", uniform(0.0625, 0.9375), uniform(0, 1)));
  for (const auto &rows :
       {batchNormRows(), layerNormRows(), rmsNormRows(), groupNormRows(), poolRows()})
    table.insert(table.end(), rows.begin(), rows.end());
}

} // namespace sinter::test
