#!/usr/bin/env python3
"""Makes a program of the C++ snippets of docs/training.md: each is a function's body, and all are run on small data.

  extract_training.py PAGE OUT
"""
import re
import sys

PRELUDE = """#include <sinter/sinter.h>

#include <fstream>

namespace nn = sinter::nn;
namespace optim = sinter::optim;
namespace metrics = sinter::metrics;
using sinter::Tensor;

struct Model : nn::Module {
  nn::Linear body{this, "body", {.in_features = 16, .out_features = 8}};
  nn::Linear head{this, "head", {.in_features = 8, .out_features = 3}};
  Tensor forward(Tensor x) { return head(relu(body(flatten(x, 1)))); }
};

static sinter::data::TensorDataset stripes(int64_t count) {
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) {
    labels.push_back(i % 3);
    for (int64_t p = 0; p < 16; ++p)
      pixels.push_back(static_cast<float>((i * 7 + p * 5) % 11) / 40 + (p % 4 == i % 3 ? 1.0f : 0.0f));
  }
  return {sinter::Array(pixels, {count, 1, 4, 4}), sinter::Array(labels)};
}

static const auto train = stripes(48), test = stripes(21);

"""


def main():
    page, out = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    blocks = [(text.count("\n", 0, m.start(1)) + 1, m.group(1)) for m in re.finditer(r"^```cpp\n(.*?)^```$", text, re.M | re.S)]
    program = PRELUDE
    for number, (line, code) in enumerate(blocks):
        program += f'static void snippet{number}(Model &model) {{\n  (void)model;\n#line {line} "{page}"\n{code}}}\n\n'
    calls = "".join(f'  {{\n    fmt::print("line {line}\\n");\n    Model model;\n    snippet{number}(model);\n  }}\n'
                    for number, (line, _) in enumerate(blocks))
    with open(out, "w", encoding="utf-8") as file:
        file.write(f"{program}int main() {{\n{calls}  return 0;\n}}\n")


main()
