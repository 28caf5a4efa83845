#!/usr/bin/env python3
"""A program that an example saved, trained on by sinter-run in a process without LLVM: the losses of 20 steps on
one batch are, bit for bit, those of the executor that compiled it.

  check_saved_program.py FOLDER_OF_EXECUTABLES EXAMPLE_LOSSES
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

folder, losses_of = (os.path.abspath(path) for path in sys.argv[1:])
make_data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_data.py")
run = os.path.join(folder, "sinter-run")


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def bits(number):
    return struct.pack("<f", number)


links = output("ldd", run)
if "LLVM" in links or "MLIR" in links or "SinterCompiler" in links:
    sys.exit(f"sinter-run needs a compiler:\n{links}")
with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    for example, batch, data in (("digits_cnn", 32, None), ("mnist_cnn", 16, "mnist"), ("cifar10_cnn", 10, "cifar10")):
        options = []
        if data:
            output(sys.executable, "-B", make_data, data, data, str(5 * batch), str(batch))
            options = ["--data", data]
        output(os.path.join(folder, example), "--device", "cpu", "--save-program", "p.sinter", "--steps", "1",
               "--batch-size", str(batch), *options)
        expected = [float(line) for line in output(losses_of, example, str(batch), "x.npy", "y.npy").split()]
        output(run, "p.sinter", "--entry", "train_step", "--input", "x.npy", "--input", "y.npy", "--repeat", "20",
               "--json", "record.json")
        with open("record.json", encoding="utf-8") as file:
            (found,) = json.load(file)["scalars"].values()
        print(f"{example}: loss {found[0]:.9g} to {found[-1]:.9g}")
        if len(expected) != 20 or not expected[-1] < expected[0]:
            sys.exit(f"{example}: these are no losses of a training: {expected}")
        if [bits(loss) for loss in found] != [bits(loss) for loss in expected]:
            sys.exit(f"{example}: sinter-run gives\n{found}\nthe example's executor\n{expected}")
