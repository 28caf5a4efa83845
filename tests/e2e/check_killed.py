#!/usr/bin/env python3
"""Kills a training at random times and lets it go on from its checkpoint until it ends: what comes out is what comes
out of one that nobody killed, bit for bit.

  check_killed.py PROGRAM KILLS
"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

program, kills = sys.argv[1], int(sys.argv[2])
PAUSE = "15"  # milliseconds a step: time in which it can be killed


def start(folder):
    return subprocess.Popen([program, folder, PAUSE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=200)
    if process.returncode:
        sys.exit(f"exit status {process.returncode}\n{out}{err}")
    return out


with tempfile.TemporaryDirectory() as folder:
    expected = finish(start(folder))
    print(f"one that nobody killed:\n{expected}")
    if finish(start(folder)) != expected:
        sys.exit("one that was over gives another result when it is called again")
with tempfile.TemporaryDirectory() as folder:
    begin = time.monotonic()  # with its kernels in the cache, as those to come
    if finish(start(folder)) != expected:
        sys.exit("a second one gives another result")
    whole = time.monotonic() - begin

rng = random.Random(2026)
done = trainings = in_training = 0
while done < kills:
    with tempfile.TemporaryDirectory() as folder:
        while True:
            process = start(folder)
            # Most in the course of training, some while it starts or writes its first checkpoint.
            wait = rng.uniform(0.1 * whole, whole) if done < kills else whole * 50
            try:
                process.wait(timeout=wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                done += 1
                in_training += os.path.exists(os.path.join(folder, "training.ckpt"))
                continue
            out = finish(process)
            if out != expected:
                sys.exit(f"after {done} kills:\n{out}")
            trainings += 1
            break
print(f"{done} kills, {in_training} of them after a checkpoint, in {trainings} trainings with the same bits")
if in_training * 2 < done:
    sys.exit("too few kills hit a training that had a checkpoint")
