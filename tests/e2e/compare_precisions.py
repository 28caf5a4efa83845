#!/usr/bin/env python3
"""Trains an example in f32, bf16 and f16 over several seeds and compares the mean test accuracies.

  compare_precisions.py FOLDER SEEDS POINTS COMMAND...

Fails when the mean of a narrow precision is further than POINTS percentage points from f32's.
"""
import json
import os
import statistics
import subprocess
import sys


def accuracy(command, precision, seed, record):
    done = subprocess.run([*command, "--precision", precision, "--seed", str(seed), "--json", record],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{precision}, seed {seed}: exit status {done.returncode}\n{done.stdout}")
    with open(record, encoding="utf-8") as file:
        read = json.load(file)
    print(f"{precision} seed {seed}: {100 * read['test']['metrics']['accuracy']:.2f} %"
          + (f", {read['skipped_steps']} steps skipped, loss scale {read['loss_scale']}" if "loss_scale" in read else ""),
          flush=True)
    return 100 * read["test"]["metrics"]["accuracy"]


def main():
    folder, seeds, points, command = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
    os.makedirs(folder, exist_ok=True)
    means, far = {}, []
    for precision in ("f32", "bf16", "f16"):
        values = [accuracy(command, precision, seed, os.path.join(folder, "record.json")) for seed in range(seeds)]
        means[precision] = statistics.mean(values)
        difference = means[precision] - means["f32"]
        print(f"{precision}: mean {means[precision]:.3f} %, {difference:+.3f} points from f32, least {min(values):.2f} %")
        if abs(difference) > points:
            far.append(precision)
    if far:
        sys.exit(f"further than {points} points from f32: {', '.join(far)}")


if __name__ == "__main__":
    main()
