#include "Rows.h"

namespace sinter::test {
namespace {

OpRow constantRow() {
  OpRow row{"constant", elements, {}};
  auto constant = [&](const std::string &name, const std::string &value, const std::string &shape) {
    OpCase c{name, {}, "", {{"%r", tensorText(shape, "T")}}, 0};
    c.body = fmt::format("  %r = sinter.constant {} : {}", value, tensorText(shape, "T"));
    return c;
  };
  row.cases = {constant("splat", "dense<VALUE>", "3x7"), constant("scalar", "dense<VALUE>", "")};
  return row;
}

OpRow broadcastRow() {
  OpRow row{"broadcast", elements, {}};
  const std::pair<const char *, const char *> shapes[] = {
      {"", "5"},          {"1", "7"},      {"7", "3x7"},   {"3x1", "3x17"},
      {"3x1x5", "3x4x5"}, {"1x1", "9x33"}, {"8", "2x3x8"}, {"5x1x1", "2x5x3x3"}};
  for (auto [from, to] : shapes)
    row.cases.push_back(call(fmt::format("{}_to_{}", from, to), "broadcast", "",
                             {in(from, uniform(-3, 3))}, {std::string(to) + "xT"}, 1));
  return row;
}

OpRow reshapeRow() {
  OpRow row{"reshape", elements, {}};
  const std::pair<const char *, const char *> shapes[] = {
      {"2x3x4", "6x4"}, {"35", "5x7"}, {"1", ""}, {"", "1x1"}, {"4x9", "2x3x6"}, {"3x1x5", "15"}};
  for (auto [from, to] : shapes)
    row.cases.push_back(call(fmt::format("{}_to_{}", from, to), "reshape", "",
                             {in(from, uniform(-3, 3))}, {*to ? std::string(to) + "xT" : "T"}, 1));
  return row;
}

OpRow transposeRow() {
  OpRow row{"transpose", elements, {}};
  struct {
    const char *from, *permutation, *to;
  } cases[] = {{"5x7", "1, 0", "7x5"},        {"33x65", "1, 0", "65x33"},
               {"2x3x4", "2, 0, 1", "4x2x3"}, {"2x3x5", "0, 2, 1", "2x5x3"},
               {"1x9", "1, 0", "9x1"},        {"2x3x4x5", "0, 2, 3, 1", "2x4x5x3"},
               {"2x3x4", "0, 1, 2", "2x3x4"}};
  for (auto [from, permutation, to] : cases)
    row.cases.push_back(call(fmt::format("{}_to_{}", from, to), "transpose",
                             fmt::format("permutation = array<i64: {}>", permutation),
                             {in(from, uniform(-3, 3))}, {std::string(to) + "xT"}, 1));
  return row;
}

OpRow sliceRow() {
  OpRow row{"slice", elements, {}};
  auto slice = [&](const char *from, const char *start, const char *limit, const char *step,
                   const char *to) {
    row.cases.push_back(
        call(fmt::format("{}_to_{}", from, to), "slice",
             fmt::format("start = array<i64: {}>, limit = array<i64: {}>, step = array<i64: {}>",
                         start, limit, step),
             {in(from, uniform(-3, 3))}, {std::string(to) + "xT"}, 1));
  };
  slice("9", "2", "7", "1", "5");
  slice("10", "1", "10", "3", "3");
  slice("4x7", "1, 0", "3, 7", "1, 2", "2x4");
  slice("3x5x6", "0, 2, 1", "3, 3, 6", "1, 1, 2", "3x1x3");
  slice("65x33", "3, 1", "64, 33", "2, 1", "31x32");
  return row;
}

OpRow padRow() {
  OpRow row{"pad", elements, {}};
  auto pad = [&](const char *from, const char *low, const char *high, const char *interior,
                 const char *value, const char *to) {
    row.cases.push_back(
        call(fmt::format("{}_to_{}", from, to), "pad",
             fmt::format("low = array<i64: {}>, high = array<i64: {}>, interior = array<i64: {}>, "
                         "value = {} : f64",
                         low, high, interior, value),
             {in(from, uniform(-3, 3))}, {std::string(to) + "xT"}, 1));
  };
  pad("5", "1", "2", "0", "0.0", "8");
  pad("3x4", "0, 1", "2, 0", "0, 0", "1.0", "5x5");
  pad("3x4", "1, 0", "0, 1", "1, 2", "0.0", "6x11");
  pad("2x3x17", "0, 0, 3", "0, 1, 1", "0, 0, 0", "1.0", "2x4x21");
  return row;
}

OpRow concatRow() {
  OpRow row{"concat", elements, {}};
  Generator any = uniform(-3, 3);
  row.cases = {
      call("columns", "concat", "dim = 1 : i64", {in("3x4", any), in("3x1", any), in("3x7", any)},
           {"3x12xT"}, 1),
      call("rows", "concat", "dim = 0 : i64", {in("2x5", any), in("3x5", any)}, {"5x5xT"}, 1),
      call("one", "concat", "dim = 0 : i64", {in("6", any)}, {"6xT"}, 1),
      call("middle", "concat", "dim = 1 : i64", {in("2x3x5", any), in("2x2x5", any)}, {"2x5x5xT"},
           1)};
  return row;
}

OpRow iotaRow() {
  OpRow row{"iota", numbers, {}};
  row.cases = {call("vector", "iota", "dim = 0 : i64", {}, {"17xT"}),
               call("rows", "iota", "dim = 0 : i64", {}, {"3x5xT"}),
               call("columns", "iota", "dim = 1 : i64", {}, {"3x5xT"}),
               call("middle", "iota", "dim = 1 : i64", {}, {"2x9x4xT"})};
  return row;
}

OpRow embeddingRow() {
  OpRow row{"embedding", floats, {}};
  Generator any = uniform(-3, 3);
  row.cases = {call("rank1", "embedding", "", {in("5x7", any), fixed("9", "i64", uniform(0, 4))},
                    {"9x7xT"}, 1),
               call("rank2", "embedding", "",
                    {in("11x16", any), fixed("3x4", "i32", uniform(0, 10))}, {"3x4x16xT"}, 1),
               call("padding", "embedding", "padding_idx = 1 : i64",
                    {in("4x3", any), fixed("8", "i64", uniform(0, 3))}, {"8x3xT"}, 1)};
  // Row padding_idx gets no gradient although the values depend on it.
  row.cases.back().differences = false;
  return row;
}

OpRow embeddingGradRow() {
  OpRow row{"embedding_grad", floats, {}};
  Generator any = uniform(-3, 3);
  row.cases = {call("repeated", "embedding_grad", "",
                    {in("9x7", any), fixed("9", "i64", uniform(0, 4))}, {"5x7xT"}, 1),
               call("rank2", "embedding_grad", "",
                    {in("3x4x16", any), fixed("3x4", "i32", uniform(0, 10))}, {"11x16xT"}, 1),
               call("padding", "embedding_grad", "padding_idx = 1 : i64",
                    {in("8x3", any), fixed("8", "i64", uniform(0, 3))}, {"4x3xT"}, 1)};
  return row;
}

OpRow gatherRow() {
  OpRow row{"gather", elements, {}};
  Generator any = uniform(-3, 3);
  row.cases = {call("dim0", "gather", "dim = 0 : i64",
                    {in("5x4", any), fixed("3x4", "i64", uniform(0, 4))}, {"3x4xT"}, 1),
               call("dim1", "gather", "dim = 1 : i64",
                    {in("5x4", any), fixed("3x9", "i32", uniform(0, 3))}, {"3x9xT"}, 1),
               call("rank3", "gather", "dim = 1 : i64",
                    {in("2x5x3", any), fixed("2x7x2", "i64", uniform(0, 4))}, {"2x7x2xT"}, 1)};
  return row;
}

OpRow scatterAddRow() {
  OpRow row{"scatter_add", numbers, {}};
  Generator any = uniform(-3, 3);
  row.cases = {
      call("dim0", "scatter_add", "dim = 0 : i64",
           {in("5x4", any), fixed("7x4", "i64", uniform(0, 4)), in("7x4", any)}, {"5x4xT"}, 1),
      call("dim1", "scatter_add", "dim = 1 : i64",
           {in("3x6", any), fixed("3x9", "i32", uniform(0, 5)), in("3x9", any)}, {"3x6xT"}, 1),
      call("smaller_index", "scatter_add", "dim = 1 : i64",
           {in("4x5", any), fixed("2x3", "i64", uniform(0, 4)), in("2x3", any)}, {"4x5xT"}, 1)};
  return row;
}

/// Starts inside, before and beyond: those are moved to the nearest slice.
std::vector<OpInput> startsFrom(std::vector<OpInput> inputs, std::initializer_list<double> starts) {
  for (double start : starts) inputs.push_back(fixed("", "i64", fill(start)));
  return inputs;
}

OpRow dynamicSliceRow() {
  OpRow row{"dynamic_slice", elements, {}};
  Generator any = uniform(-3, 3);
  auto add = [&](const char *name, const char *x, const char *size, const char *result,
                 std::initializer_list<double> starts) {
    row.cases.push_back(call(name, "dynamic_slice", fmt::format("size = array<i64: {}>", size),
                             startsFrom({in(x, any)}, starts), {std::string(result) + "xT"}, 1));
  };
  add("vector", "17", "5", "5", {3});
  add("before", "7x9", "3, 4", "3x4", {-2, 1});
  add("beyond", "7x9", "3, 4", "3x4", {4, 8});
  add("rank3", "2x5x33", "1, 5, 17", "1x5x17", {1, 0, 9});
  return row;
}

OpRow dynamicUpdateSliceRow() {
  OpRow row{"dynamic_update_slice", elements, {}};
  Generator any = uniform(-3, 3);
  auto add = [&](const char *name, const char *x, const char *update,
                 std::initializer_list<double> starts) {
    OpCase made =
        call(name, "dynamic_update_slice", "", startsFrom({in(x, any), in(update, any)}, starts),
             {std::string(x) + "xT"}, 1);
    row.cases.push_back(made);
  };
  add("vector", "17", "5", {3});
  add("before", "7x9", "3x4", {-2, 1});
  add("beyond", "7x9", "3x4", {4, 8});
  add("whole_rows", "2x5x33", "1x5x33", {1, 0, 0});
  add("whole", "3x5", "3x5", {0, 2});
  return row;
}

OpRow oneHotRow() {
  OpRow row{"one_hot", numbers, {}};
  row.cases = {call("vector", "one_hot", "", {fixed("9", "i64", uniform(0, 6))}, {"9x7xT"}),
               call("outside", "one_hot", "", {fixed("3x4", "i32", uniform(-2, 6))}, {"3x4x5xT"}),
               call("bytes", "one_hot", "", {fixed("17", "ui8", uniform(0, 9))}, {"17x10xT"})};
  return row;
}

OpRow sameRow(const std::string &op, bool differentiable) {
  OpRow row{op, elements, {}};
  for (std::string shape : {"", "7", "3x5x2"})
    row.cases.push_back(call("shape" + shape, op, "", {in(shape, uniform(-3, 3))},
                             {shape.empty() ? "T" : shape + "xT"}, differentiable));
  return row;
}

} // namespace

void addShapeRows(std::vector<OpRow> &table) {
  table.push_back(constantRow());
  table.push_back(iotaRow());
  table.push_back(reshapeRow());
  table.push_back(transposeRow());
  table.push_back(broadcastRow());
  table.push_back(sliceRow());
  table.push_back(padRow());
  table.push_back(concatRow());
  table.push_back(sameRow("relayout", true));
  table.push_back(sameRow("stop_gradient", false));
  table.push_back(sameRow("fusion_barrier", true));
  table.push_back(embeddingRow());
  table.push_back(embeddingGradRow());
  table.push_back(gatherRow());
  table.push_back(scatterAddRow());
  table.push_back(dynamicSliceRow());
  table.push_back(dynamicUpdateSliceRow());
  table.push_back(oneHotRow());
}

} // namespace sinter::test
