#!/usr/bin/env python3
"""The examples as people call them: every option, what a mistake says, and Ctrl-C.

  check_options.py FOLDER_OF_EXECUTABLES
"""
import array
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

folder = os.path.abspath(sys.argv[1])
OPTIONS = ("--device --precision --numerics --epochs --steps --batch-size --lr --seed --threads --memory-budget --log-every --data --save --load "
           "--save-program --dump --profile --summary --json --help").split()


def call(example, *options):
    done = subprocess.run([os.path.join(folder, example), *options], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def good(example, *options, says=""):
    status, out, err = call(example, *options)
    if status or not re.search(says, out):
        sys.exit(f"{example} {options}: exit status {status}, expected '{says}'\n{out}{err}")
    return out


def bad(example, *options, says):
    status, out, err = call(example, *options)
    if status <= 0 or not re.search(says, err, re.S):
        sys.exit(f"{example} {options}: exit status {status}, should say '{says}'\n{out}{err}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def loss(path="record.json"):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["epochs"][0]["train_loss"]


def help_and_mistakes():
    for example in ("digits_cnn", "linear_regression", "mnist_cnn", "cifar10_cnn", "cnn112", "bert_ner", "resnet", "vit", "recommender"):
        text = good(example, "--help")
        missing = [option for option in OPTIONS if option not in text]
        if missing:
            sys.exit(f"{example} --help lacks {missing}")
    bad("digits_cnn", "--device", "gpu", says=r"gpu not in \{auto,cpu,cuda,cuda-emulated,reference\}")
    bad("digits_cnn", "--precision", "f64", says=r"f64 not in \{f32,bf16,f16\}")
    bad("digits_cnn", "--epochs", "-1", says=r"--epochs: -1 is less than 0")
    bad("digits_cnn", "--batch-size", "0", says=r"--batch-size: 0 is less than 1")
    bad("digits_cnn", "--step", "1", says=r"were not expected: .*--step")
    # Known before the training, not after it.
    bad("digits_cnn", "--save", "nowhere/m.safetensors", says="nowhere/m.safetensors cannot be written: no folder nowhere")
    bad("digits_cnn", "--json", ".", says=r"\. cannot be written: it is a folder")
    bad("digits_cnn", "--steps", "1", "--dump", "/proc/dump", says="the dump folder /proc/dump/train_step cannot be made")
    bad("digits_cnn", "--data", "none.csv", says="none.csv: no such file")
    # Where the data are to be had, and how the folder must look.
    bad("mnist_cnn", says=r"data/mnist: no such folder.*train-images-idx3-ubyte.*t10k-labels-idx1-ubyte.*https://.*--data")
    bad("cifar10_cnn", says=r"data/cifar10: no such folder.*https://.*cifar-10-binary.tar.gz.*data_batch_1.bin.*test_batch.bin")
    os.mkdir("empty")
    bad("mnist_cnn", "--data", "empty", says="empty: no train-images-idx3-ubyte, with or without .gz")
    bad("cifar10_cnn", "--data", "empty", says="empty: no data_batch_1.bin")
    bad("cnn112", "--data", "empty", says=r"empty: no train-images.*\[n, 3, 112, 112\]")
    bad("resnet", "--data", "empty", says="empty: neither CIFAR-10's data_batch_1.bin nor the IDX files")
    bad("resnet", "--depth", "34", says="a ResNet of depth 34 is neither 18 nor 50")
    bad("resnet", "--stem", "wide", says="--stem wide: it is auto, small or large")
    bad("vit", "--patch", "5", says="images of 32 are no whole number of patches of 5")
    with open("clicks.csv", "w", encoding="utf-8") as file:
        file.write("user,item,label\nann,tea,1\nbob,tea,maybe\n")
    bad("recommender", "--data", "clicks.csv", says="clicks.csv: line 3: label 'maybe' is neither 0 nor 1")
    if not os.path.exists("/dev/nvidia0"):
        bad("digits_cnn", "--device", "cuda", says="no CUDA driver: libcuda.so.1 is not on this machine")


def options_do_what_they_say():
    few = ["--steps", "3", "--batch-size", "16", "--json", "record.json"]
    out = good("digits_cnn", *few, "--save", "a.safetensors", "--log-every", "1", "--dump", "dump", says="step 3")
    first = loss()
    assert "wrote a.safetensors" in out and os.path.isdir("dump/train_step"), out
    for options, same in (((), True), (("--threads", "1"), True), (("--seed", "1"), False), (("--lr", "0.5"), False),
                          (("--precision", "bf16"), False), (("--precision", "f16"), False)):
        good("digits_cnn", *few, *options)
        if (loss() == first) != same:
            sys.exit(f"{options}: a loss of {loss()} where {first} was without")
        if options[:1] == ("--precision",) and not abs(loss() - first) < 0.02 * first:
            sys.exit(f"{options}: a loss of {loss()} is too far from {first}")
    # Another device may come to the very same bits, so it says itself that it was used.
    good("digits_cnn", *few, "--device", "reference")
    with open("record.json", encoding="utf-8") as file:
        device = json.load(file)["device"]
    if device != "reference" or not abs(loss() - first) < 1e-4 * first:
        sys.exit(f"--device reference: on {device}, a loss of {loss()} where the CPU's is {first}")
    good("digits_cnn", *few, "--load", "a.safetensors", "--save", "b.safetensors")
    if not loss() < first:
        sys.exit(f"trained on from a checkpoint, the loss is {loss()}, not below {first}")
    before = read("b.safetensors")
    assert before != read("a.safetensors")
    # A checkpoint of another model: nothing is trained, nothing is overwritten.
    good("linear_regression", "--epochs", "1", "--save", "line.safetensors", says="closed form")
    bad("digits_cnn", *few, "--load", "line.safetensors", "--save", "b.safetensors",
        says=r"line.safetensors is not a checkpoint of this model; missing: 'conv1.weight'.*unexpected: 'fc.bias', 'fc.weight'")
    with open("cut.safetensors", "wb") as file:
        file.write(before[:len(before) // 2])
    bad("digits_cnn", *few, "--load", "cut.safetensors", says=r"cut.safetensors.*truncated")
    bad("digits_cnn", *few, "--load", "none.safetensors", says=r"none.safetensors.*No such file")
    assert read("b.safetensors") == before


def not_finite():
    """A loss that is not finite: step, op and line, and what was learnt until then is kept."""
    bad("digits_cnn", "--lr", "1e25", "--save", "nan.safetensors",
        says=r"wrote nan.safetensors.*\nerror: the loss of step \d+ is not finite \(parameters and state are unchanged\): "
             r"the first op that gives (inf|-inf|nan) is \w+ of '\w+', DigitsCnn.h:\d+")
    bad("linear_regression", "--lr", "0.3", "--epochs", "3000",
        says=r"not finite .* so a value overflows in the precision of the device; the largest, .*e\+3\d, is of \w+")
    # What was kept is the weights after the steps that went well: huge, but every one finite.
    data = read("nan.safetensors")
    values = array.array("f", data[8 + int.from_bytes(data[:8], "little"):])
    if len(values) < 80000 or not all(map(math.isfinite, values)):
        sys.exit("the state that was kept is not that of before the step")


def interrupt():
    """Ctrl-C ends the training after the step, and the program goes on: it evaluates and saves."""
    command = [os.path.join(folder, "digits_cnn"), "--epochs", "100000", "--save", "kept.safetensors", "--json", "kept.json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stdout.readline()  # the first epoch's line: training is under way
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    if process.returncode or not re.search(r"interrupted after \d+ steps; the state is kept", first + out + err):
        sys.exit(f"exit status {process.returncode}\n{first}{out}{err}")
    steps = int(re.search(r"interrupted after (\d+) steps", first + out + err).group(1))
    with open("kept.json", encoding="utf-8") as file:
        record = json.load(file)
    print(f"interrupted after {steps} steps, test accuracy {record['test']['metrics']['accuracy']:.3f}")
    good("digits_cnn", "--steps", "20", "--load", "kept.safetensors", "--json", "record.json")
    good("digits_cnn", "--steps", "20", "--json", "fresh.json")
    if not loss() < loss("fresh.json"):
        sys.exit(f"the state kept is no better than none: {loss()} against {loss('fresh.json')}")


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    help_and_mistakes()
    options_do_what_they_say()
    not_finite()
    interrupt()
