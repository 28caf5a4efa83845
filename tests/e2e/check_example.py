#!/usr/bin/env python3
"""Runs an example and checks its record.

  check_example.py FOLDER COMMAND... -- CHECK...

A check is `PATH OP NUMBER` in one word, e.g. `test.metrics.accuracy>=0.98`, `kernels_per_step<=12`, or
`stdout~REGEX`. `--seeds N --median PATH>=NUMBER --least PATH>=NUMBER` runs seeds 0 to N-1.
"""
import json
import os
import re
import statistics
import subprocess
import sys

OPS = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, "==": lambda a, b: a == b}
FIELDS = ("example", "device", "precision", "parameters", "compile_seconds", "epochs", "step_ms", "kernels_per_step",
          "peak_bytes", "lower_bound_bytes")


def lookup(record, path):
    for part in path.split("."):
        record = record[int(part)] if isinstance(record, list) else record[part]
    return record


def parse(check):
    path, op, number = re.fullmatch(r"(.+?)(>=|<=|==)(.+)", check).groups()
    return path, OPS[op], float(number)


def run(folder, command, extra=()):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "record.json")
    if os.path.exists(path):
        os.remove(path)
    done = subprocess.run([*command, *extra, "--json", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    if done.returncode:
        sys.exit(f"exit status {done.returncode}")
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    missing = [field for field in FIELDS if field not in record]
    if missing:
        sys.exit(f"the record lacks {missing}")
    return record, done.stdout


def main():
    folder, rest = sys.argv[1], sys.argv[2:]
    split = rest.index("--")
    command, checks = rest[:split], rest[split + 1:]
    if checks[0] == "--seeds":
        count, (path, op, middle), (_, _, least) = int(checks[1]), parse(checks[3]), parse(checks[5])
        values = [lookup(run(folder, command, ["--seed", str(seed)])[0], path) for seed in range(count)]
        print(f"{path}: {values}, median {statistics.median(values)}")
        if not op(statistics.median(values), middle) or not all(op(value, least) for value in values):
            sys.exit("not as good as it should be")
        return
    record, text = run(folder, command)
    for check in checks:
        if check.startswith("stdout~"):
            if not re.search(check[len("stdout~"):], text):
                sys.exit(f"the output does not match {check}")
            continue
        path, op, number = parse(check)
        value = lookup(record, path)
        print(f"{check}: {value}")
        if not op(value, number):
            sys.exit(f"{check} does not hold: {value}")


if __name__ == "__main__":
    main()
