#!/usr/bin/env python3
"""Asks sinter-explain about a CNN's training step and about small graphs.

  check_explain.py EXPLAIN RUN MNIST_CNN MAKE_DATA FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np

explain, run, mnist_cnn, make_data, folder = sys.argv[1:6]
MODEL = "MnistCnn.h"


def ask(*arguments, fails=False):
    """One answer on stdout; or, where it `fails`, the error."""
    done = subprocess.run([explain, *arguments], capture_output=True, text=True)
    if done.returncode != (1 if fails else 0) or bool(done.stderr) != fails or bool(done.stdout) == fails:
        sys.exit(f"sinter-explain {' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return (done.stderr if fails else done.stdout).strip()


def expect(pattern, answer):
    if not re.search(pattern, answer, re.S):
        sys.exit(f"expected\n  {pattern}\nfound\n  {answer}")


def line_of(text):
    """The number of the model's line that holds `text`."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "models", MODEL)
    with open(path, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if text in line)


def cnn():
    data, dump = os.path.join(folder, "mnist"), os.path.join(folder, "dump")
    subprocess.run([sys.executable, "-B", make_data, "mnist", data, "64", "16"], check=True)
    shutil.rmtree(dump, ignore_errors=True)
    subprocess.run([mnist_cnn, "--batch-size", "32", "--data", data, "--device", "cpu", "--steps", "1", "--dump", dump],
                   check=True, stdout=subprocess.DEVNULL)
    step = os.path.join(dump, "train_step")
    conv1, conv2 = line_of("relu(conv1(x))"), line_of("relu(conv2(x))")

    # Two layers: the boundary is between the first one's pooling and the second one's convolution.
    answer = ask(step, "conv1", "conv2")
    expect(rf"\(%\d+, {MODEL}:{conv1}, conv1\) and conv2d \(%\d+, {MODEL}:{conv2}, conv2\) are not one kernel: the "
           rf"first boundary on the way is max_pool2d \(%\w+, {MODEL}:{conv1}\) -> conv2d \(%\d+, {MODEL}:{conv2}, "
           r"conv2\), \w+ \(.+\); 692224 bytes go through memory, from kernel conv2d\w+ to conv2d\w+\. The cost model",
           answer)
    assert answer == ask(step, "conv2", "conv1")
    # Within a layer, by the line; and by its number in another folder's words.
    expect(r"are one kernel, conv2d_add_relu\w*: the \d+ bytes between them stay out of memory\.$",
           ask(step, "conv1", f"{MODEL}:{conv1}"))
    expect(r"are not one kernel", ask(step, f"models/{MODEL}:{conv1}", f"{MODEL}:{conv2}"))
    expect("gradient of conv2", ask(step, "gradient:conv2", "optimizer"))
    # The folder of several compilations, and a file of one.
    expect(r"^train_step|^\w", ask(dump, "conv1", "conv2"))
    assert ask(os.path.join(step, "ledger.json"), "conv1", "conv2") == answer
    assert ask(dump, "conv1", "conv2", "--function", "train_step") == answer

    # Every edge, from both sides, by the values' names.
    with open(os.path.join(step, "ledger.json"), encoding="utf-8") as file:
        ledger = next(each for each in json.load(file) if each["function"] == "train_step")
    for edge in ledger["edges"]:
        a, b = ledger["ops"][edge["from"]], ledger["ops"][edge["to"]]
        answer = ask(step, a["value"], b["value"], "--function", "train_step")
        assert answer == ask(step, b["value"], a["value"], "--function", "train_step"), answer
        shared = set(a["kernels"]) & set(b["kernels"])
        assert ("are one kernel" in answer) == bool(shared), (edge, answer)
        both = f"{a['op']} ({a['value']}, {os.path.basename(a['line'])}"
        assert both in answer, (both, answer)
        if "refused" in edge and not shared:
            assert f"{edge['refused']} ({edge['detail']}); " in answer, (edge, answer)
    print(f"{len(ledger['edges'])} edges of mnist_cnn's step")

    expect("no op of train_step is called 'conv9'; there are, for example: conv[12]",
           ask(step, "conv9", "conv1", fails=True))
    expect(rf"'(sinter\.)?max_pool2d' is the name of 2 ops of train_step; name a value, a line or a module:"
           rf"\n  max_pool2d \(%\w+, {MODEL}:{conv1}\)\n  max_pool2d \(%\w+, {MODEL}:{conv2}\)$",
           ask(step, "conv1", "sinter.max_pool2d", fails=True))
    expect("no function 'predict' in .*; there are: .*train_step",
           ask(step, "conv1", "conv2", "--function", "predict", fails=True))


def graph(name, text):
    path = os.path.join(folder, name + ".mlir")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    dump = os.path.join(folder, "graphs")
    numbers = os.path.join(folder, "8x8.npy")
    np.save(numbers, np.zeros((8, 8), dtype=np.float32))
    inputs = [numbers] * text.count("tensor<8x8xf32>", 0, text.index("->"))
    subprocess.run([run, path, "--device", "cpu", "--input", *inputs, "--dump", dump], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(dump, name)


def graphs():
    # Neighbours, a barrier, and two that exchange nothing.
    dump = graph("small", """
func.func @small(%x: tensor<8x8xf32>, %y: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>) {
  %e = sinter.exp %x : tensor<8x8xf32> loc("m.py":1:1)
  %n = sinter.neg %e : tensor<8x8xf32> loc("m.py":2:1)
  %b = sinter.fusion_barrier %n : tensor<8x8xf32> loc("m.py":3:1)
  %r = sinter.relu %b : tensor<8x8xf32> loc("m.py":4:1)
  %m = sinter.matmul %r, %y : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32> loc("m.py":5:1)
  %s = sinter.sum %y {dim = array<i64: 0>} : (tensor<8x8xf32>) -> tensor<8xf32> loc("m.py":6:1)
  return %r, %m, %s : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>
}
""")
    expect(r"^exp \(%0, m.py:1\) and neg \(%1, m.py:2\) are one kernel, exp_neg_0: the 256 bytes between them stay out of "
           r"memory\.$", ask(dump, "exp", "neg"))
    expect(r"^neg \(%1, m.py:2\) and relu \(%3, m.py:4\) are not one kernel: barrier \(a fusion_barrier stands between, "
           r"m.py:3\); 256 bytes go through memory, from kernel exp_neg_0 to", ask(dump, "m.py:4", "sinter.neg"))
    expect(r"first boundary on the way is neg .* -> relu .*, barrier", ask(dump, "m.py:1", "matmul"))
    expect(r"^exp .* and sum .* are not one kernel: no value flows from one to the other\.", ask(dump, "exp", "sum"))
    expect(r"^Both names stand for exp \(%0, m.py:1\)\.$", ask(dump, "%0", "exp"))
    expect("no op of small is called '%77'; there are, for example: %", ask(dump, "%77", "exp", fails=True))


def mistakes():
    expect("nowhere: no such file or folder", ask(os.path.join(folder, "nowhere"), "a", "b", fails=True))
    empty = os.path.join(folder, "empty")
    os.makedirs(empty, exist_ok=True)
    expect("holds no fusion ledger", ask(empty, "a", "b", fails=True))
    for text, problem in (("nonsense", "is not JSON"), ("{}", "is no fusion ledger of this version")):
        path = os.path.join(empty, "other.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        expect(problem, ask(path, "a", "b", fails=True))


os.makedirs(folder, exist_ok=True)
cnn()
graphs()
mistakes()
