#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace sinter::test {

/// A random chain of matrix products, reductions and elementwise ops over values of 8 rows; some are
/// used again much later, as forward values are by a backward pass.
inline std::string randomModel(std::mt19937 &random) {
  struct Known {
    std::string name;
    int width;
    bool read = false;
  };
  auto type = [](int width) { return "tensor<8x" + std::to_string(width) + "xf32>"; };
  std::vector<Known> values{{"%x", 16}};
  std::string body, arguments = "%x: tensor<8x16xf32>";
  for (int i = 0, count = 10 + int(random() % 8); i < count; ++i) {
    Known &from = values[values.size() - 1 - random() % std::min<size_t>(values.size(), 5)];
    from.read = true;
    Known to{"%v" + std::to_string(i), from.width};
    std::string line = to.name + " = ";
    if (random() % 3 == 0) {
      to.width = 16 << (random() % 3);
      std::string weight = "%w" + std::to_string(i);
      std::string weightType =
          "tensor<" + std::to_string(from.width) + "x" + std::to_string(to.width) + "xf32>";
      arguments += ", " + weight + ": " + weightType;
      line += "sinter.matmul " + from.name + ", " + weight + " : (" + type(from.width) + ", " +
              weightType + ") -> " + type(to.width);
    } else if (random() % 2 == 0) {
      line += "sinter.tanh " + from.name + " : " + type(from.width);
    } else {
      Known *other = &from;
      for (Known &value : values)
        if (value.width == from.width && random() % 2 == 0) other = &value;
      other->read = true;
      line += "sinter.mul " + from.name + ", " + other->name + " : " + type(from.width);
    }
    body += "  " + line + "\n";
    values.push_back(to);
  }
  // Nothing is dead: what nobody has read is read at last, and so lives long.
  Known sum = values.back();
  for (size_t i = 1; i + 1 < values.size(); ++i) {
    const Known &value = values[i];
    if (value.read) continue;
    std::string n = std::to_string(i), weightType = "tensor<" + std::to_string(value.width) + "x" +
                                                    std::to_string(sum.width) + "xf32>";
    arguments += ", %u" + n + ": " + weightType;
    body += "  %p" + n + " = sinter.matmul " + value.name + ", %u" + n + " : (" +
            type(value.width) + ", " + weightType + ") -> " + type(sum.width) + "\n";
    body += "  %s" + n + " = sinter.add " + sum.name + ", %p" + n + " : " + type(sum.width) + "\n";
    sum.name = "%s" + n;
  }
  Known middle = values[values.size() / 2];
  std::string types = type(sum.width) + ", " + type(middle.width);
  return "func.func @f(" + arguments + ") -> (" + types + ") {\n" + body + "  return " + sum.name +
         ", " + middle.name + " : " + types + "\n}\n";
}

} // namespace sinter::test
