#include "Rows.h"

namespace sinter::test {

void addRandomRows(std::vector<OpRow> &table) {
  std::vector<OpInput> counters{fixed("", "i64", fill(123456789012.0)), fixed("", "i64", fill(5))};
  auto row = [&](const std::string &op, const std::vector<std::string> &attributes) {
    OpRow made{op, floats, {}};
    int number = 0;
    for (const std::string &attribute : attributes)
      for (const char *shape : {"", "5", "3x7", "2x5x33"})
        made.cases.push_back(call(fmt::format("shape{}_{}", shape, number++), op, attribute,
                                  counters, {*shape ? std::string(shape) + "xT" : "T"}));
    table.push_back(made);
  };
  row("random_uniform",
      {"stream = 11 : i64", "stream = 4294967295 : i64, low = -2.0 : f64, high = 3.0 : f64"});
  row("random_normal",
      {"stream = 12 : i64", "stream = 7 : i64, mean = 1.5 : f64, std = 0.25 : f64"});
  row("random_bernoulli", {"stream = 13 : i64, p = 0.25 : f64", "stream = 3 : i64, p = 0.9 : f64"});

  OpRow dropout{"dropout", floats, {}};
  for (const char *shape : {"5", "3x7", "2x5x33"})
    for (const char *p : {"0.5", "0.1"})
      dropout.cases.push_back(call(fmt::format("shape{}_p{}", shape, p), "dropout",
                                   fmt::format("stream = 14 : i64, p = {} : f64", p),
                                   {in(shape, uniform(-3, 3)), counters[0], counters[1]},
                                   {std::string(shape) + "xT"}, 1));
  table.push_back(dropout);
}

} // namespace sinter::test
