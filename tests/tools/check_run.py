#!/usr/bin/env python3
"""sinter-run as people call it: on a saved Program (entries, state, repeated steps, records) and on IR (element
types as .npy stores them, dumps that replay). The messages of what goes wrong name the thing and the facts.

  check_run.py SINTER_RUN SINTER_OPT DIGITS_CNN
"""
import glob
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: needs python3-numpy")
    sys.exit(77)

run, opt, digits = (os.path.abspath(path) for path in sys.argv[1:])
TYPES = """
func.func @half(%x: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = sinter.add %x, %x : tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}
func.func @choose(%c: tensor<2x3xi1>, %a: tensor<2x3xi32>, %b: tensor<2x3xi32>) -> (tensor<2x3xi32>, tensor<2x3xi1>) {
  %0 = sinter.select %c, %a, %b : (tensor<2x3xi1>, tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  %1 = sinter.compare lt %a, %b : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi1>
  return %0, %1 : tensor<2x3xi32>, tensor<2x3xi1>
}
"""
PRODUCT = """
func.func @product(%x: tensor<64x64xbf16>, %w: tensor<64x64xbf16>) -> tensor<64x64xbf16> {
  %0 = sinter.matmul %x, %w : (tensor<64x64xbf16>, tensor<64x64xbf16>) -> tensor<64x64xbf16>
  return %0 : tensor<64x64xbf16>
}
"""


def good(*command, **environment):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env={**os.environ, **environment})
    if done.returncode:
        sys.exit(f"{command}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def bad(*command, says):
    """The command fails with exactly this on standard error (a regular expression)."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode in (0, -6, -11) or done.returncode < 0:
        sys.exit(f"{command}\nshould fail with a message; exit status {done.returncode}\n{done.stderr}")
    if not re.search(says, done.stderr):
        sys.exit(f"{command}\nsays\n{done.stderr}expected\n{says}")


def types():
    with open("types.mlir", "w", encoding="utf-8") as file:
        file.write(TYPES)
    bits = np.array([[0x3F80, 0xBF80, 0x4000], [0x0000, 0x7F80, 0x3FC0]], dtype=np.uint16)  # 1 -1 2 0 inf 1.5
    np.save("bits.npy", bits)
    c = np.array([[True, False, True], [False, False, True]])
    a, b = np.arange(6, dtype=np.int32).reshape(2, 3), np.full((2, 3), 3, dtype=np.int32)
    for name, value in (("c", c), ("a", a), ("b", b), ("bytes", c.astype(np.uint8)), ("f", a.astype(np.float32))):
        np.save(name + ".npy", value)
    for device in ("reference", "cpu", "cuda-emulated"):
        good(run, "types.mlir", "--entry", "half", "--device", device, "--input", "bits.npy", "--output-dir", device)
        doubled = np.load(f"{device}/out0.npy")
        assert doubled.dtype == np.uint16, doubled.dtype
        assert doubled.tolist() == [[0x4000, 0xC000, 0x4080], [0x0000, 0x7F80, 0x4040]], (device, doubled)
        good(run, "types.mlir", "--entry", "choose", "--device", device, "--output-dir", device,
             *[word for name in "cab" for word in ("--input", name + ".npy")])
        assert (np.load(f"{device}/out0.npy") == np.where(c, a, b)).all(), device
        less = np.load(f"{device}/out1.npy")
        assert less.dtype == np.bool_ and (less == (a < b)).all(), device
    choose = [run, "types.mlir", "--entry", "choose"]
    bad(*choose, "--input", "bytes.npy", "--input", "a.npy", "--input", "b.npy",
        says=r"bytes\.npy holds u8\[2, 3\], input 0 \(.*\) is i1\[2, 3\]")
    bad(*choose, "--input", "c.npy", "--input", "f.npy", "--input", "b.npy",
        says=r"f\.npy holds f32\[2, 3\], input 1 \(.*\) is i32\[2, 3\]")
    bad(*choose, "--input", "c.npy", says=r"has 3 inputs, 1 given")
    bad(run, "types.mlir", "--entry", "choose", "--grad", "--input", "c.npy", says=r"no floating-point")


def alternatives():
    with open("product.mlir", "w", encoding="utf-8") as file:
        file.write(PRODUCT)
    on_gpu = [run, "product.mlir", "--device", "cuda-emulated", "--autotune"]
    lines = good(*on_gpu, "--launches").splitlines()
    assert lines[0] == "product" and len(lines) == 5, lines  # the model's choice, and three others
    number = r"<<<\d+, \d+, \d+>>> (\d+\.\d) kcycles predicted"
    predicted = [float(re.search(number, line).group(1)) for line in lines[1:]]
    assert predicted == sorted(predicted) and all("  or " in line for line in lines[2:]), lines
    np.save("square.npy", np.full((64, 64), 0x3F80, dtype=np.uint16))  # ones
    inputs = ["--input", "square.npy", "--input", "square.npy", "--output-dir", "product"]
    for turn, word in enumerate((r"\[chosen\]", r"\[chosen before\]")):
        done = subprocess.run([*on_gpu, *inputs], capture_output=True, text=True,
                              env={**os.environ, "SINTER_CACHE_DIR": os.path.abspath("autotune")})
        assert done.returncode == 0 and re.search(r"autotune: matmul_0 .*" + word, done.stderr), (turn, done.stderr)
        assert (np.load("product/out0.npy") == 0x4280).all()  # 64


def tf32():
    with open("product32.mlir", "w", encoding="utf-8") as file:
        file.write(PRODUCT.replace("bf16", "f32"))
    # A bit that tf32 has, and one that it has not, beside the first: 1 + 2^-10 and 1 + 2^-12. A tie goes away from zero.
    values = np.array([1 + 2.0**-10, 1 + 2.0**-12, 1 + 2.0**-11, 3], dtype=np.float32)
    rounded = np.array([1 + 2.0**-10, 1, 1 + 2.0**-10, 3], dtype=np.float32)
    np.save("diagonal.npy", np.diag(np.tile(values, 16)))
    np.save("ones.npy", np.ones((64, 64), dtype=np.float32))
    inputs = ["--device", "cuda-emulated", "--input", "diagonal.npy", "--input", "ones.npy", "--output-dir", "tf32"]
    for flags, expected in (((), values), (("--tf32",), rounded)):
        good(run, "product32.mlir", *inputs, *flags)
        assert (np.load("tf32/out0.npy") == np.tile(expected, 16)[:, None]).all(), flags


def program():
    good(digits, "--save-program", "p.sinter", "--steps", "1", "--batch-size", "16")
    rng = np.random.RandomState(3)
    np.save("x.npy", rng.rand(16, 1, 8, 8).astype(np.float32))
    np.save("y.npy", rng.randint(0, 10, 16).astype(np.int64))
    step = [run, "p.sinter", "--entry", "train_step", "--input", "x.npy", "--input", "y.npy"]

    listed = good(run, "p.sinter", "--launches")
    assert listed.startswith("init\n") and "\ntrain_step\n" in listed and "digits_cnn.cpp:" in listed, listed
    bad(run, "p.sinter", says=r"choose one with --entry: init, train_step, eval_step, predict")
    bad(run, "p.sinter", "--entry", "train", says=r"there is no entry 'train'; there are: init, train_step")
    bad(run, "p.sinter", "--entry", "train_step", "--input", "x.npy", says=r"has 2 inputs, 1 given\n.*f32\[16, 1, 8, 8\]\n.*i64\[16\]")
    bad(run, "p.sinter", "--entry", "train_step", "--input", "y.npy", "--input", "x.npy",
        says=r"y\.npy holds i64\[16\], input 0 \('x'\) is f32\[16, 1, 8, 8\]")
    bad(*step, "--device", "cuda-emulated", says=r"was compiled for the cpu, not for cuda-emulated")
    bad(*step, "--grad", says=r"--grad needs IR")
    bad(*step, "--load", "none.safetensors", says=r"none\.safetensors")
    bad(*step, "--json", "no/folder/record.json", says=r"no/folder/record\.json")

    good(*step, "--repeat", "6", "--json", "six.json", "--save", "six.safetensors", "--output-dir", "six")
    good(*step, "--repeat", "4", "--json", "four.json", "--save", "four.safetensors")
    good(*step, "--repeat", "2", "--json", "two.json", "--load", "four.safetensors", "--save", "again.safetensors")
    losses = {}
    for name in ("six", "four", "two"):
        with open(name + ".json", encoding="utf-8") as file:
            record = json.load(file)
        assert record["entry"] == "train_step" and record["step_ms"] > 0 and record["kernels"] > 0, record
        (losses[name],) = record["scalars"].values()
    assert len(losses["six"]) == 6 and losses["six"][5] < losses["six"][0], losses
    assert losses["four"] + losses["two"] == losses["six"], losses  # state went through the file whole
    with open("six.safetensors", "rb") as whole, open("again.safetensors", "rb") as parts:
        assert whole.read() == parts.read(), "4 + 2 steps leave another state than 6"
    assert float(np.load("six/out0.npy")) == losses["six"][5]

    # Checkpoints: of the model alone (moments keep their first values), of another model, damaged.
    good(digits, "--steps", "2", "--batch-size", "16", "--save", "model.safetensors")
    good(*step, "--load", "model.safetensors", "--json", "loaded.json")
    good(os.path.join(os.path.dirname(digits), "linear_regression"), "--epochs", "1", "--save", "line.safetensors")
    bad(*step, "--load", "line.safetensors", "--save", "six.safetensors",
        says=r"line.safetensors is not a checkpoint of this program; missing: [^;]*'conv1.weight'[^;]*; unexpected: 'fc.bias', 'fc.weight'")
    with open("model.safetensors", "rb") as file:
        whole = file.read()
    with open("half.safetensors", "wb") as file:
        file.write(whole[:len(whole) // 2])
    bad(*step, "--load", "half.safetensors", says=r"half\.safetensors.*truncated")

    with open("p.sinter", "rb") as file:
        data = file.read()
    for name, content in (("cut", data[:len(data) // 2]), ("short", data[:7]), ("flipped", data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])):
        with open(name + ".sinter", "wb") as file:
            file.write(content)
        bad(run, name + ".sinter", "--entry", "predict", "--input", "x.npy", says=rf"{name}\.sinter'?: \w+")
    bad(run, "six.safetensors", says=r"six\.safetensors'?: \w+")
    bad(run, "x.npy", says=r"x\.npy'?: \w+")
    bad(run, "none.sinter", says=r"none\.sinter")


def without_ledger(text):
    """IR without its fusion ledgers, which are not written for people."""
    while (at := text.find("sinter.ledger = ")) >= 0:
        end, depth, quoted = text.index("= ", at) + 2, 0, False
        while True:
            c = text[end]
            quoted ^= c == '"' and text[end - 1] != "\\"
            depth += 0 if quoted else (c in "[{") - (c in "]}")
            end += 1
            if depth == 0:
                break
        text = text[:at] + text[end:].removeprefix(", ")
    return text.replace(", }", "}").replace("attributes {} ", "").strip()


def replay():
    """Each dumped file's first line makes it again from the one before, with all locations; what is written for
    people is the same without them."""
    def parts(folder, name):
        """A module's first line, and its functions and kernels."""
        text = without_ledger(subprocess.run([opt, name], cwd=folder, capture_output=True, text=True, check=True).stdout)
        first, rest = text.split("\n", 1)
        return first, {part.strip() for part in re.split(r"(?<=^  \})\n", rest, flags=re.M)} - {"}"}

    def pages(folder, name):
        """Those of the page for people; what sets variables up has a page beside it."""
        first, found = parts(folder, name)
        if os.path.exists(os.path.join(folder, "init", name)):
            other, added = parts(folder, os.path.join("init", name))
            assert other == first, (name, other)
            found |= added
        return first, found

    good(digits, "--steps", "1", "--batch-size", "8", "--dump", "dump")
    np.save("x8.npy", np.zeros((2, 3), dtype=np.float32))
    with open("op.mlir", "w", encoding="utf-8") as file:
        file.write("func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n"
                   "  %0 = sinter.softmax %x {dim = 1 : i64} : tensor<2x3xf32>\n  return %0 : tensor<2x3xf32>\n}\n")
    good(run, "op.mlir", "--input", "x8.npy", "--dump", "dump")
    good(run, "op.mlir", "--input", "x8.npy", SINTER_DUMP="dump/by_environment")
    for label in ("train_step", "f", "by_environment/f"):
        stages = sorted(glob.glob(f"dump/{label}/[0-9][0-9]-*.mlir"))
        assert len(stages) > 8, (label, stages)
        for path in stages[1:]:
            with open(path, encoding="utf-8") as file:
                first, text = file.read().split("\n", 1)
            assert first.startswith("// sinter-opt "), (path, first)
            words = shlex.split(first[3:])
            folder, name = os.path.split(path)
            done = subprocess.run([opt, *words[1:]], cwd=folder, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{path}: its first line fails:\n{first}\n{done.stderr}")
            with open(os.path.join(folder, "exact", name), encoding="utf-8") as file:
                exact_first, exact = file.read().split("\n", 1)
            if exact_first != first or done.stdout.strip() != exact.strip():
                sys.exit(f"{path}: its first line makes something else:\n{first}")
            if pages(folder, name) != parts(folder, os.path.join("exact", name)):
                sys.exit(f"{path} and exact/{name} are not the same IR")
            if long := [line for line in text.split("\n") if len(line) > 160]:
                sys.exit(f"{path}: a line has {len(long[0])} columns: {long[0]}")
        names = {os.path.basename(path) for path in glob.glob(f"dump/{label}/*")}
        assert "ledger.json" in names, names
        assert any(name.endswith((".cu", ".mlir", ".ll")) and not re.match(r"\d\d-", name) for name in names), names
        print(f"{label}: {len(stages)} stages replay; also {len(names) - len(stages)} other files")
    assert os.path.exists("dump/train_step/plan.txt")


def memory():
    """A plan that the machine has no memory for names its largest tensors and their lines."""
    with open("large.mlir", "w", encoding="utf-8") as file:
        file.write("func.func @f(%x: tensor<40000x8xf32>) -> tensor<f32> {\n"
                   "  %0 = sinter.matmul %x, %x {transpose_b = true} : (tensor<40000x8xf32>, tensor<40000x8xf32>) -> tensor<40000x40000xf32>\n"
                   "  %1 = sinter.softmax %0 {dim = 0 : i64} : tensor<40000x40000xf32>\n"
                   "  %2 = sinter.sum %1 {dim = array<i64: 0, 1>} : (tensor<40000x40000xf32>) -> tensor<f32>\n"
                   "  return %2 : tensor<f32>\n}\n")
    np.save("long.npy", np.zeros((40000, 8), dtype=np.float32))
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    done = subprocess.run([run, "large.mlir", "--input", "long.npy"], capture_output=True, text=True, preexec_fn=limit)
    expected = (r"entry 'f' needs an arena of \d+\.\d+ GiB on cpu .*; its largest tensors:\n"
                r" *5\.96 GiB  tensor<40000x40000xf32>  large\.mlir:2")
    if done.returncode != 1 or not re.search(expected, done.stderr):
        sys.exit(f"exit status {done.returncode}\n{done.stderr}\nexpected\n{expected}")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    if "libasan" not in good("ldd", run):  # whose shadow alone is larger than any limit
        memory()
    types()
    alternatives()
    tf32()
    program()
    replay()
