#!/usr/bin/env python3
"""Whether a page quotes the generated text as it is.

  check_quotes.py SOURCE PAGE

A block that is fenced as `cuda FILE` has lines of a golden file of tests/codegen, in their order.
"""
import os
import re
import sys

source, page = sys.argv[1:3]
with open(page, encoding="utf-8") as file:
    blocks = re.findall(r"^```cuda (\S+)\n(.*?)```$", file.read(), re.M | re.S)
if not blocks:
    sys.exit(f"{page} quotes nothing")
for golden, quoted in blocks:
    with open(os.path.join(source, golden), encoding="utf-8") as file:
        lines = [line.split(": ", 1)[1].rstrip("\n") for line in file if re.match(r"// CHECK(-NEXT)?: ", line)]
    lines = [line.strip() for line in lines]
    at = 0
    for line in quoted.splitlines():
        if line.strip() not in lines[at:]:
            sys.exit(f"{os.path.basename(page)} quotes\n{line}\nwhich {golden} does not have there")
        at = lines.index(line.strip(), at) + 1
print(f"{len(blocks)} quotations")
