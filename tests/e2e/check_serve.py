#!/usr/bin/env python3
"""A saved program behind standard input, and one inside of an executable: answers, mistakes, threads.

  check_serve.py FOLDER_OF_EXECUTABLES FOLDER_OF_PROGRAM DIGITS.csv.gz
"""
import gzip
import os
import subprocess
import sys

binaries, programs, digits = sys.argv[1:]
with gzip.open(digits, "rt") as file:
    rows = [[float(word) for word in line.split(",")] for line in file if line.strip()][:300]
samples = "".join(" ".join(str(pixel / 16) for pixel in row[:64]) + "\n" for row in rows)
labels = [int(row[64]) for row in rows]


def call(name, *arguments, text):
    done = subprocess.run([os.path.join(binaries, name), *arguments], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


program, weights = os.path.join(programs, "digits.sinter"), os.path.join(programs, "digits.safetensors")
status, out, err = call("serve", program, weights, text=samples)
assert status == 0, err
answers = []
for line in out.splitlines():
    outputs = [float(word) for word in line.split()]
    assert len(outputs) == 10, line
    answers.append(outputs.index(max(outputs)))
right = sum(a == b for a, b in zip(answers, labels))
assert len(answers) == len(labels) and right >= 0.93 * len(labels), f"{right} of {len(labels)}"

# Four threads give the same answers, in order.
status, out, err = call("embedded", text=samples)
assert status == 0, err
assert [int(line) for line in out.splitlines()] == answers

status, out, err = call("serve", program, weights, text="1 2 3\n" + "0 " * 63 + "x\n" + "0, " * 64 + "\n")
lines = out.splitlines()
assert status == 0 and lines[0] == "error: line 1: 3 numbers, expected 64", out
assert lines[1] == "error: line 2: 'x' is no number" and len(lines[2].split()) == 10, out
status, out, err = call("serve", "no/such.sinter", text="")
assert status == 1 and "no/such.sinter" in err, err
status, out, err = call("embedded", text="1 2\n")
assert status == 1 and err == "error: sample 0 has 2 numbers\n", err
print(f"{right} of {len(labels)} right, twice")
