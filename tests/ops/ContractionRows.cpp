#include "Rows.h"

namespace sinter::test {
namespace {

OpRow matmulRow() {
  OpRow row{"matmul", floats, {}};
  auto matmul = [&](const char *a, const char *b, const char *result, bool transposeA = false,
                    bool transposeB = false) {
    Generator any = uniform(-2, 2);
    row.cases.push_back(
        call(fmt::format("{}_by_{}{}{}", a, b, transposeA ? "_ta" : "", transposeB ? "_tb" : ""),
             "matmul", fmt::format("transpose_a = {}, transpose_b = {}", transposeA, transposeB),
             {in(a, any), in(b, any)}, {std::string(result) + "xT"}, 1));
  };
  matmul("3x4", "4x5", "3x5");
  matmul("1x1", "1x1", "1x1");
  matmul("1x7", "7x1", "1x1");
  matmul("5x1", "1x9", "5x9");
  matmul("4x3", "4x5", "3x5", true);
  matmul("3x4", "5x4", "3x5", false, true);
  matmul("4x3", "5x4", "3x5", true, true);
  matmul("2x3x4", "2x4x5", "2x3x5");
  matmul("2x3x5x4", "2x3x6x4", "2x3x5x6", false, true);
  matmul("33x70", "70x49", "33x49");
  matmul("70x33", "70x49", "33x49", true);
  matmul("64x64", "64x64", "64x64");
  matmul("40x136", "136x72", "40x72"); // words of eight, several steps, tiles cut on both sides
  return row;
}

struct Convolution {
  const char *name, *input, *weight, *output, *stride, *padding, *dilation;
  int groups;

  std::string attributes() const {
    return fmt::format("stride = array<i64: {}>, padding = array<i64: {}>, dilation = array<i64: "
                       "{}>, groups = {} : i64",
                       stride, padding, dilation, groups);
  }
};
constexpr Convolution convolutions[] = {
    {"plain", "2x3x6x7", "4x3x3x3", "2x4x4x5", "1, 1", "0, 0", "1, 1", 1},
    {"padded", "1x2x5x5", "3x2x3x3", "1x3x5x5", "1, 1", "1, 1", "1, 1", 1},
    {"strided", "2x2x7x6", "3x2x3x2", "2x3x4x3", "2, 2", "1, 0", "1, 1", 1},
    {"uneven", "1x2x5x8", "2x2x2x3", "1x2x4x3", "1, 3", "0, 1", "1, 1", 1},
    {"dilated", "1x2x8x8", "2x2x3x3", "1x2x6x6", "1, 1", "1, 1", "2, 2", 1},
    {"groups", "2x4x5x5", "6x2x3x3", "2x6x3x3", "1, 1", "0, 0", "1, 1", 2},
    {"depthwise", "1x3x5x5", "3x1x3x3", "1x3x5x5", "1, 1", "1, 1", "1, 1", 3},
    {"pointwise", "2x5x4x4", "7x5x1x1", "2x7x4x4", "1, 1", "0, 0", "1, 1", 1},
    {"pointwise_larger", "2x24x8x8", "40x24x1x1", "2x40x8x8", "1, 1", "0, 0", "1, 1", 1},
    {"left_over", "1x1x6x6", "1x1x3x3", "1x1x2x2", "2, 2", "0, 0", "1, 1", 1},
    {"strided_larger", "1x3x40x41", "4x3x3x3", "1x4x20x21", "2, 2", "1, 1", "1, 1", 1},
    {"larger", "3x16x9x9", "20x16x3x3", "3x20x9x9", "1, 1", "1, 1", "1, 1", 1}};

} // namespace

void addContractionRows(std::vector<OpRow> &table) {
  table.push_back(matmulRow());
  OpRow forward{"conv2d", floats, {}}, input{"conv2d_input_grad", floats, {}},
      weight{"conv2d_weight_grad", floats, {}};
  Generator any = uniform(-2, 2);
  for (const Convolution &c : convolutions) {
    std::string output = std::string(c.output) + "xT", image = std::string(c.input) + "xT",
                filter = std::string(c.weight) + "xT";
    forward.cases.push_back(
        call(c.name, "conv2d", c.attributes(), {in(c.input, any), in(c.weight, any)}, {output}, 1));
    input.cases.push_back(call(c.name, "conv2d_input_grad", c.attributes(),
                               {in(c.output, any), in(c.weight, any)}, {image}, 1));
    weight.cases.push_back(call(c.name, "conv2d_weight_grad", c.attributes(),
                                {in(c.input, any), in(c.output, any)}, {filter}, 1));
  }
  table.push_back(forward);
  table.push_back(input);
  table.push_back(weight);
}

} // namespace sinter::test
