#!/usr/bin/env python3
"""`sinter-run --grad` against PyTorch's vectors (tests/oracle): values and gradients, by position, on each device.

  check_gradients.py SINTER_RUN VECTORS
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: needs python3-numpy")
    sys.exit(77)

TYPES = {"f64": np.float64, "i64": np.int64, "i1": np.bool_}
# The function's body, by PyTorch's name of the op. {T0}, {T1}, ... are the arguments' types, {R} the result's.
# Arguments are %0, %1, ... in the order of `arguments` (PyTorch's names), which is the order of --input.
CASES = [
    ("matmul", "plain", ["input", "other"], "%r = sinter.matmul %0, %1 : ({T0}, {T1}) -> {R}"),
    ("conv2d", "depthwise", ["input", "weight"],
     "%r = sinter.conv2d %0, %1 {{groups = 3 : i64}} : ({T0}, {T1}) -> {R}"),
    ("conv2d", "uneven", ["input", "weight"],
     "%r = sinter.conv2d %0, %1 {{stride = array<i64: 2, 1>, padding = array<i64: 1, 0>}} : ({T0}, {T1}) -> {R}"),
    ("softmax", "middle", ["input"], "%r = sinter.softmax %0 {{dim = 1 : i64}} : {T0}"),
    ("gelu", "tanh", ["input"], "%r = sinter.gelu %0 {{approximate = \"tanh\"}} : {T0}"),
    ("layer_norm", "last", ["input", "weight", "bias"],
     "%r = sinter.layer_norm %0, %1, %2 : ({T0}, {T1}, {T2}) -> {R}"),
    ("cross_entropy", "label_smoothing", ["input", "target"],
     "%r = sinter.cross_entropy %0, %1 {{label_smoothing = 0.125 : f64}} : ({T0}, {T1}) -> {R}"),
    # The integer argument has no gradient, and the next keeps its number.
    ("embedding", "repeated", ["input", "weight"], "%r = sinter.embedding %1, %0 : ({T1}, {T0}) -> {R}"),
]
# Bounds relative to the largest element of each array: a few roundings of each type.
BOUNDS = {"f64": 1e-12, "f32": 2e-6}


def array(tensor):
    data = np.array([float(v) for v in tensor["data"]], dtype=np.float64)
    return data.reshape(tensor["shape"]).astype(TYPES[tensor["dtype"]])


def mlir_type(values, element):
    element = {"f": element, "i": "i64", "b": "i1"}[values.dtype.kind]
    return "tensor<" + "".join(f"{size}x" for size in values.shape) + element + ">"


def check(run, folder, device, element, op, name, arguments, body, case):
    inputs = {tensor["name"]: array(tensor) for tensor in case["inputs"]}
    values = [inputs[argument] for argument in arguments]
    output, cotangent = array(case["outputs"][0]), array(case["cotangents"][0])
    gradients = {tensor["name"]: array(tensor) for tensor in case["gradients"]}
    types = [mlir_type(value, element) for value in values]
    result = mlir_type(output, element)
    text = body.format(R=result, **{f"T{i}": t for i, t in enumerate(types)})
    for i in range(len(types)):
        text = text.replace(f"%{i}", f"%arg{i}")
    signature = ", ".join(f"%arg{i}: {t}" for i, t in enumerate(types))
    path = os.path.join(folder, "op.mlir")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"func.func @{op}({signature}) -> {result} {{\n  {text}\n  return %r : {result}\n}}\n")
    command = [run, path, "--device", device, "--grad", "--output-dir", os.path.join(folder, "out")]
    for i, value in enumerate([*values, cotangent]):
        stored = value.astype(np.float32) if element == "f32" and value.dtype == np.float64 else value
        np.save(os.path.join(folder, f"in{i}.npy"), stored)
        command += ["--input", os.path.join(folder, f"in{i}.npy")]
    done = subprocess.run(command, capture_output=True, text=True)
    label = f"{op} {name} on {device} in {element}"
    if done.returncode:
        sys.exit(f"{label}: {done.stderr}")
    expected = {"out0": output}
    for i, argument in enumerate(arguments):
        if values[i].dtype.kind == "f":
            expected[f"grad{i}"] = gradients[argument]
    written = sorted(os.listdir(os.path.join(folder, "out")))
    if written != sorted(f"{key}.npy" for key in expected):
        sys.exit(f"{label}: wrote {written}, expected {sorted(expected)}")
    for key, value in expected.items():
        ours = np.load(os.path.join(folder, "out", key + ".npy"))
        assert ours.shape == value.shape and ours.dtype == (np.float64 if element == "f64" else np.float32), (label, key)
        error = np.abs(ours - value).max() / max(np.abs(value).max(), 1e-300)
        print(f"{label}: {key} differs by {error:.2g} of the largest")
        if not error <= BOUNDS[element]:
            sys.exit(f"{label}: {key} is wrong:\n{ours}\nexpected\n{value}")


def main():
    run, vectors = sys.argv[1:]
    for device, element in (("reference", "f64"), ("cpu", "f64"), ("cpu", "f32"), ("cuda-emulated", "f32")):
        for op, name, arguments, body in CASES:
            with open(os.path.join(vectors, op + ".json"), encoding="utf-8") as file:
                case = next(case for case in json.load(file)["cases"] if case["name"] == name)
            assert [tensor["name"] for tensor in case["inputs"]] == arguments, (op, name)
            with tempfile.TemporaryDirectory() as folder:
                check(run, folder, device, element, op, name, arguments, body, case)


main()
