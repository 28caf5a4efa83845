#include "Rows.h"

namespace sinter::test {
namespace {

struct Fold {
  const char *from, *dims, *to, *kept;
};
constexpr Fold folds[] = {{"7", "0", "", "1"},
                          {"3x5", "1", "3", "3x1"},
                          {"3x5", "0", "5", "1x5"},
                          {"4x17", "0, 1", "", "1x1"},
                          {"2x3x9", "1", "2x9", "2x1x9"},
                          {"2x3x9", "0, 2", "3", "1x3x1"},
                          {"2x3x4x5", "2, 3", "2x3", "2x3x1x1"},
                          {"5x1x6", "1", "5x6", "5x1x6"},
                          {"5x4x9", "0, 1, 2", "", "1x1x1"},
                          {"33x130", "1", "33", "33x1"},
                          {"130x33", "0", "33", "1x33"}};

OpRow reductionRow(const std::string &op, const std::vector<std::string> &dtypes, Generator numbers,
                   const std::string &result, bool differentiable) {
  OpRow row{op, dtypes, {}};
  for (auto [from, dims, to, kept] : folds)
    for (bool keep : {false, true}) {
      std::string shape = keep ? kept : to;
      row.cases.push_back(
          call(fmt::format("{}_over_{}{}", from, dims[1] ? "several" : dims, keep ? "_kept" : ""),
               op, fmt::format("dim = array<i64: {}>, keepdim = {}", dims, keep),
               {in(from, numbers)}, {(shape.empty() ? "" : shape + "x") + result}, differentiable));
    }
  return row;
}

OpRow argsortRow() {
  OpRow row{"argsort", elements, {}};
  const std::pair<const char *, int> cases[] = {
      {"7", 0}, {"1", 0}, {"3x5", 0}, {"3x5", 1}, {"2x3x9", 1}, {"3x64x2", 1}, {"2x150", 1}};
  for (auto [shape, dim] : cases)
    for (bool descending : {false, true})
      row.cases.push_back(
          call(fmt::format("{}_dim{}{}", shape, dim, descending ? "_descending" : ""), "argsort",
               fmt::format("dim = {} : i64, descending = {}", dim, descending), {in(shape, ties())},
               {std::string(shape) + "xi64"}, 0));
  return row;
}

OpRow cumsumRow() {
  OpRow row{"cumsum", numbers, {}};
  const std::pair<const char *, int> cases[] = {{"7", 0},     {"1", 0},     {"3x5", 0}, {"3x5", 1},
                                                {"2x3x9", 1}, {"2x3x9", 2}, {"3x70", 1}};
  for (auto [shape, dim] : cases)
    for (bool reverse : {false, true})
      row.cases.push_back(call(fmt::format("{}_dim{}{}", shape, dim, reverse ? "_reverse" : ""),
                               "cumsum", fmt::format("dim = {} : i64, reverse = {}", dim, reverse),
                               {in(shape, uniform(-1, 3))}, {std::string(shape) + "xT"}, 1));
  return row;
}

} // namespace

void addReductionRows(std::vector<OpRow> &table) {
  table.push_back(reductionRow("sum", numbers, uniform(-1, 3), "T", true));
  table.push_back(reductionRow("mean", floats, uniform(-1, 3), "T", true));
  table.push_back(reductionRow("max", numbers, distinct(), "T", true));
  table.push_back(reductionRow("min", numbers, distinct(), "T", true));
  table.push_back(cumsumRow());
  table.push_back(argsortRow());
  // Ties: the first wins.
  table.push_back(reductionRow("argmax", elements, ties(), "i64", false));
}

} // namespace sinter::test
