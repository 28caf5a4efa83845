#!/usr/bin/env python3
"""Times attention as one op and as matmul, softmax, matmul, without and with gradients, through sinter-run.

    tests/benchmarks/attention.py --build build --threads 1 --repeat 20 [--filter bf16] [--write DIR]

Prints a row of docs/performance.md's table for each shape: milliseconds of a step (sinter-run's step_ms), and of the arena.
--write keeps the graphs that it runs.
"""
import argparse
import json
import os
import random
import re
import struct
import subprocess
import tempfile

# batch, heads, length, features, type, causal
SHAPES = [(8, 8, 128, 64, "f32", False), (8, 12, 128, 64, "f32", False), (8, 4, 256, 32, "f32", False),
          (8, 12, 256, 64, "f32", True), (1, 4, 1024, 64, "f32", True),
          (8, 8, 128, 64, "bf16", False), (8, 12, 256, 64, "bf16", True)]


def tensor(shape, element):
    return f"tensor<{'x'.join(map(str, shape))}x{element}>"


def op(b, h, t, d, element, causal):
    q = tensor((b, h, t, d), element)
    return (f"  %r, %l = sinter.attention %q, %k, %v {{scale = {d ** -0.5:.17e} : f64, is_causal = "
            f"{str(causal).lower()}}} : ({q}, {q}, {q}) -> ({q}, {tensor((b, h, t), 'f32')})\n")


def parts(b, h, t, d, element, causal):
    """As the parts are in mixed precision: products in `element`, the softmax in f32."""
    q, s, wide, flags = (tensor((b, h, t, d), element), tensor((b, h, t, t), element),
                         tensor((b, h, t, t), "f32"), tensor((b, h, t, t), "i1"))
    number = tensor((b, h, t, t), "i32")
    lines = [f"%s = sinter.matmul %q, %k {{transpose_b = true}} : ({q}, {q}) -> {s}",
             f"%c = sinter.constant dense<{d ** -0.5:.17e}> : {s}", f"%m0 = sinter.mul %s, %c : {s}"]
    if causal:
        lines += [f"%i = sinter.iota {{dim = 2 : i64}} : {number}", f"%j = sinter.iota {{dim = 3 : i64}} : {number}",
                  f"%take = sinter.compare ge %i, %j : {number}",
                  f"%none = sinter.constant dense<{'0xFF80' if element == 'bf16' else '0xFF800000'}> : {s}",
                  f"%m = sinter.select %take, %m0, %none : ({flags}, {s}, {s}) -> {s}"]
    scores = "%m" if causal else "%m0"
    if element != "f32":
        lines += [f"%w = sinter.cast {scores} : ({s}) -> {wide}", f"%p0 = sinter.softmax %w {{dim = 3 : i64}} : {wide}",
                  f"%p = sinter.cast %p0 : ({wide}) -> {s}"]
    else:
        lines += [f"%p = sinter.softmax {scores} {{dim = 3 : i64}} : {s}"]
    lines += [f"%r = sinter.matmul %p, %v : ({s}, {q}) -> {q}"]
    return "".join(f"  {line}\n" for line in lines)


def graph(body, gradient, b, h, t, d, element, causal):
    q = tensor((b, h, t, d), element)
    text, results = body(b, h, t, d, element, causal), ["%r"]
    if gradient:
        text += (f"  %d:3 = sinter.gradient %r wrt %q, %k, %v cotangents %g : ({q}, {q}, {q}, {q}, {q}) -> "
                 f"({q}, {q}, {q})\n")
        results += ["%d#0", "%d#1", "%d#2"]
    types = ", ".join([q] * len(results))
    return (f"func.func @main(%q: {q}, %k: {q}, %v: {q}, %g: {q}) -> ({types}) {{\n{text}"
            f"  return {', '.join(results)} : {types}\n}}\n")


def write_npy(path, shape, element):
    """Numbers between -1 and 1. bf16 travels as the upper halves of f32, in unsigned integers."""
    draw = random.Random(1)
    some = [draw.uniform(-1, 1) for _ in range(8191)]
    count = shape[0] * shape[1] * shape[2] * shape[3]
    numbers = (some * (count // len(some) + 1))[:count]
    data = struct.pack(f"<{count}f", *numbers)
    if element == "bf16":
        halves = struct.unpack(f"<{2 * count}H", data)[1::2]
        data = struct.pack(f"<{count}H", *halves)
    header = f"{{'descr': '{'<u2' if element == 'bf16' else '<f4'}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * ((-len(header) - 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--arch", help="a CPU's instruction set")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--repeat", default="30")
    parser.add_argument("--filter", default="")
    parser.add_argument("--write")
    args = parser.parse_args()
    folder = args.write or tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    for shape in SHAPES:
        name = "_".join(map(str, shape[:5])) + ("_causal" if shape[5] else "")
        if not re.search(args.filter, name):
            continue
        inputs = os.path.join(folder, f"{name}.npy")
        write_npy(inputs, shape[:4], shape[4])
        results = {}
        for what, body in (("parts", parts), ("op", op)):
            for gradient in (False, True):
                path = os.path.join(folder, f"{name}_{what}{'_gradient' if gradient else ''}.mlir")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(graph(body, gradient, *shape))
                subprocess.run([os.path.join(args.build, "bin", "sinter-run"), path, "--device", args.device,
                                "--threads", args.threads, "--repeat", args.repeat, "--json", path + ".json",
                                *(["--arch", args.arch] if args.arch else []), "--input", *[inputs] * 4],
                               check=True, stdout=subprocess.DEVNULL)
                with open(path + ".json", encoding="utf-8") as file:
                    results[what, gradient] = json.load(file)
        time = lambda gradient: ", ".join(f"{results[what, gradient]['step_ms']:.3g}" for what in ("parts", "op"))
        arena = ", ".join(f"{results[what, True]['arena_bytes'] / 1e6:.2g}" for what in ("parts", "op"))
        print(f"| {', '.join(map(str, shape[:4]))}{', causal' if shape[5] else ''} | {shape[4]} | {time(False)} | "
              f"{time(True)} | {arena} |", flush=True)


if __name__ == "__main__":
    main()
