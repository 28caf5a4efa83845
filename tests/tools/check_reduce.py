#!/usr/bin/env python3
"""Reduces a training step for as long as a planted bug is blamed in it, and for as long as it holds an op.

  check_reduce.py SINTER_REDUCE SINTER_CHECK PLUGIN SINTER_OPT FOLDER
"""
import os
import re
import stat
import subprocess
import sys

reduce, check, plugin, opt, folder = sys.argv[1:6]
model = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models", "attention.mlir")
os.makedirs(folder, exist_ok=True)


def script(name, body):
    """A program for --test: its status is another than 0 where its file is interesting."""
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + body)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def reduced(test):
    out = os.path.join(folder, "reduced.mlir")
    done = run(reduce, model, "--test", test, "-o", out)
    if done.returncode:
        sys.exit(f"exit status {done.returncode}: {done.stderr}")
    with open(out, encoding="utf-8") as file:
        text = file.read()
    if run(opt, out, "-o", os.devnull).returncode:
        sys.exit(f"what is left is not valid:\n{text}")
    return text, [line for line in text.splitlines() if " = sinter." in line], done.stderr


# An op and what it needs to exist.
text, ops, said = reduced(script("has-softmax", 'grep -q sinter.softmax "$1" && exit 1; exit 0\n'))
if len(ops) != 1 or "sinter.softmax" not in ops[0] or not re.search(r"tensor<1x1x1x1xf32>", ops[0]):
    sys.exit(f"a softmax of one element was to be left:\n{text}")
if "loc(" not in text:
    sys.exit(f"its location was to be left:\n{text}")
print(said.strip())

# A pass that is blamed: what remains still shows it, in a few ops.
blamed = script("still-blamed", f'"{check}" "$1" --no-device --rounds 1 --load-pass-plugin "{plugin}" '
                '--insert before-fusion:plant-axis | grep -q "^BLAMED plant-axis" && exit 1; exit 0\n')
text, ops, said = reduced(blamed)
if len(ops) > 6 or run(blamed, os.path.join(folder, "reduced.mlir")).returncode != 1:
    sys.exit(f"a few ops that are blamed were to be left:\n{text}")
print(said.strip())

done = run(reduce, model, "--test", script("never", "exit 0\n"))
if done.returncode != 1 or "not interesting as it is" not in done.stderr:
    sys.exit(f"exit status {done.returncode}: {done.stderr}")
