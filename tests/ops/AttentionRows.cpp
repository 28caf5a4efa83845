#include "Rows.h"

#include <fmt/ranges.h>

namespace sinter::test {
namespace {

struct Attention {
  const char *name;
  int64_t batch, heads, groups, rows, keys, features, values;
  bool causal = false;
  std::string mask = "";     // its shape
  std::string element = "T"; // its type: T is added, i1 chooses
  double p = 0;
};

// One block of keys and several, tiles that are full and that are not, rows beyond the last block.
const Attention attentions[] = {
    {"plain", 1, 1, 1, 4, 6, 5, 3},
    {"heads", 2, 3, 3, 17, 19, 8, 8},
    {"tiles", 1, 2, 2, 32, 64, 16, 32},
    {"grouped", 2, 6, 2, 9, 11, 4, 7},
    {"one_row", 2, 2, 1, 1, 33, 16, 16},
    {"causal", 1, 2, 2, 40, 40, 16, 16, true},
    {"causal_wide", 1, 1, 1, 5, 37, 8, 8, true},
    {"causal_tall", 1, 1, 1, 37, 5, 8, 8, true},
    {"masked", 2, 2, 2, 7, 33, 8, 4, false, "1x1x7x33", "T"},
    {"chosen", 2, 2, 2, 7, 35, 8, 4, false, "2x1x7x35", "i1"},
    {"chosen_keys", 2, 2, 1, 20, 21, 8, 8, true, "2x1x1x21", "i1"},
    {"biased", 1, 4, 4, 8, 16, 4, 4, true, "1x4x8x16", "T"},
    {"dropped", 1, 2, 2, 6, 18, 8, 8, false, "", "T", 0.25},
    {"dropped_causal", 2, 4, 2, 18, 20, 8, 8, true, "", "T", 0.5},
    {"features32", 1, 2, 1, 33, 40, 32, 32, true},
    {"features64", 1, 2, 2, 70, 65, 64, 64},
    {"short", 1, 2, 1, 70, 128, 32, 32},
    {"several_tiles", 1, 2, 1, 140, 140, 16, 16, true},
    {"features128", 1, 1, 1, 20, 34, 128, 128, true, "1x1x20x34", "T", 0.125},
    {"features256", 1, 1, 1, 17, 18, 256, 192},
    {"long", 1, 1, 1, 35, 530, 4, 4},
    {"long_causal", 1, 2, 1, 530, 530, 3, 4, true},
};

std::string text(std::initializer_list<int64_t> shape) {
  return fmt::format("{}", fmt::join(shape, "x"));
}

/// The first key of every row takes part; rows are 21 or 35 long.
Generator chosen() {
  return [](std::mt19937 &random, int64_t count, const std::string &) {
    std::vector<double> numbers(count);
    for (int64_t i = 0; i < count; ++i)
      numbers[i] = i % 21 == 0 || i % 35 == 0 || random() % 3 != 0;
    return numbers;
  };
}

/// `op` on `inputs`, then the mask and what is drawn with, in its own form.
OpCase made(const Attention &a, const std::string &op, std::vector<OpInput> inputs,
            const std::vector<std::string> &results, bool differentiable) {
  std::string operands;
  auto operand = [&](const std::string &word) { // the next one
    operands += fmt::format("{}%a{}", word, inputs.size());
  };
  for (size_t i = 0; i < inputs.size(); ++i) operands += fmt::format("{}%a{}", i ? ", " : "", i);
  if (!a.mask.empty()) {
    operand(" mask ");
    inputs.push_back(a.element == "i1" ? fixed(a.mask, "i1", chosen())
                                       : in(a.mask, uniform(-1, 1)));
    inputs.back().differentiable &= differentiable;
  }
  if (a.p > 0) {
    operand(" seed ");
    inputs.push_back(fixed("", "i64", fill(123456789012.0)));
    operand(" step ");
    inputs.push_back(fixed("", "i64", fill(5)));
  }
  OpCase c{a.name, std::move(inputs), "", {}, differentiable ? results.size() : 0};
  std::vector<std::string> types, resultTypes;
  for (const OpInput &input : c.inputs) types.push_back(tensorText(input.shape, input.element));
  for (size_t i = 0; i < results.size(); ++i) {
    resultTypes.push_back("tensor<" + results[i] + ">");
    c.results.push_back({fmt::format("%r#{}", i), resultTypes.back()});
  }
  c.body =
      fmt::format("  %r:{} = sinter.{} {} {{scale = 0.25 : f64, is_causal = {}, p = {:e} : f64, "
                  "stream = 21 : i64}} : ({}) -> ({})",
                  results.size(), op, operands, a.causal, a.p, fmt::join(types, ", "),
                  fmt::join(resultTypes, ", "));
  // Central differences are taken of every element: of the small ones.
  c.differences = a.keys < 100 && a.features <= 16;
  return c;
}

OpCase forward(const Attention &a) {
  double size = a.features > 32 ? 0.5 : 2; // exponentials of large scores magnify their errors
  return made(
      a, "attention",
      {in(text({a.batch, a.heads, a.rows, a.features}), uniform(-size, size)),
       in(text({a.batch, a.groups, a.keys, a.features}), uniform(-size, size)),
       // Means of many numbers around 0 would be small beside their errors.
       in(text({a.batch, a.groups, a.keys, a.values}), uniform(a.keys < 100 ? -2 : 1, 2))},
      {text({a.batch, a.heads, a.rows, a.values}) + "xT", text({a.batch, a.heads, a.rows}) + "xS"},
      /*differentiable=*/true);
}

OpCase backward(const Attention &a) {
  std::string q = text({a.batch, a.heads, a.rows, a.features}),
              k = text({a.batch, a.groups, a.keys, a.features}),
              v = text({a.batch, a.groups, a.keys, a.values}),
              rows = text({a.batch, a.heads, a.rows});
  double low =
      a.keys < 100 ? -1 : 0.25; // sums of many numbers around 0 would be small beside their errors
  return made(a, "attention_backward",
              {in(text({a.batch, a.heads, a.rows, a.values}), uniform(low, 1)),
               in(q, uniform(low, 1)), in(k, uniform(low, 1)), in(v, uniform(low, 1)),
               fixed(rows, "S", uniform(2, 4)), fixed(rows, "S", uniform(-1, 1))},
              {q + "xT", k + "xT", v + "xT"}, /*differentiable=*/false);
}

} // namespace

void addAttentionRows(std::vector<OpRow> &table) {
  OpRow there{"attention", floats, {}}, back{"attention_backward", floats, {}};
  for (size_t i = 0; i < std::size(attentions); ++i) {
    there.cases.push_back(forward(attentions[i]));
    back.cases.push_back(backward(attentions[i]));
    // A third in every type, the others in a wide one and a narrow one; and backward kernels as gradients alone.
    if (i % 3 == 0) continue;
    there.cases.back().onDevices = {"f32", "bf16"};
    back.cases.back().onDevices.emplace();
  }
  table.push_back(there);
  table.push_back(back);
}

} // namespace sinter::test
