#!/usr/bin/env python3
"""Writes the programs of docs/design.md section 2 as C++ files, as they stand.

  extract_samples.py DESIGN.md TRAINER.cpp GRAPH.cpp [--device EXPR]

The first ```cpp block is a whole program. The second is the body of a function that has x and y.
--device replaces `sinter::Device::best()` and `sinter::Device::cpu()` (to run them elsewhere too).
"""
import re
import sys


def main():
    arguments = sys.argv[1:]
    device = None
    if "--device" in arguments:
        at = arguments.index("--device")
        device = arguments[at + 1]
        del arguments[at:at + 2]
    design, trainer, graph = arguments
    with open(design, encoding="utf-8") as file:
        blocks = re.findall(r"^```cpp\n(.*?)^```", file.read(), re.S | re.M)
    if len(blocks) < 2:
        sys.exit(f"{design}: two ```cpp blocks are expected, found {len(blocks)}")
    body = "".join("  " + line + "\n" if line else "\n" for line in blocks[1].splitlines())
    texts = {
        trainer: blocks[0],
        graph: "#include <sinter/sinter.h>\nusing sinter::Tensor;\n\nint main() {\n"
               "  sinter::Array x = sinter::Array::full({100, 2}, 1), y = sinter::Array::full({100, 1}, 3);\n"
               f"{body}"
               "  fmt::print(\"\\ngradients {} {}\\n\", out[0].text(), out[1].text());\n}\n",
    }
    for path, text in texts.items():
        if device:
            text = re.sub(r"sinter::Device::(best|cpu)\(\)", device, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
