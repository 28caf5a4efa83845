#!/usr/bin/env python3
"""Writes the CHECK lines of whole-kernel goldens anew; read the difference before it is committed.

  update_goldens.py FILE...      with build/bin/sinter-emit, or what SINTER_EMIT names
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent.parent
emit = os.environ.get("SINTER_EMIT", str(root / "build" / "bin" / "sinter-emit"))

for path in map(pathlib.Path, sys.argv[1:]):
    text = path.read_text()
    run = re.search(r"^// RUN: sinter-emit %s (.*) \| FileCheck %s$", text, re.M)
    if not run or "// CHECK" not in text:
        sys.exit(f"{path}: no RUN line of sinter-emit, or no CHECK lines")
    printed = subprocess.run([emit, str(path), *shlex.split(run[1])], capture_output=True, text=True, check=True).stdout
    checks, follows = [], False
    for line in printed.splitlines():
        # Empty lines cannot be checked; the line of the source would tie the test to its own layout.
        if not line.strip() or line.startswith(f"// {path.name}:"):
            follows = False
            continue
        checks.append(f"// CHECK{'-NEXT' if follows else ''}: {line}")
        follows = True
    path.write_text(text[: text.index("// CHECK")] + "\n".join(checks) + "\n")
