#!/usr/bin/env bash
# sinter-run on IR against NumPy, on every device that needs no GPU; its messages; sinter-emit's texts.
set -euo pipefail
run=$1 emit=$2 bench=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
/usr/bin/python3 -c 'import numpy' 2>/dev/null || { echo "needs python3-numpy"; exit 77; }
/usr/bin/python3 - <<'PY'
import numpy as np
r = np.random.RandomState(1)
for name, shape in (("x", (5, 7)), ("w", (7, 3)), ("b", (3,)), ("g", (5, 3)), ("bad", (5, 8))):
    np.save(name + ".npy", r.randn(*shape).astype(np.float32))
PY
for device in reference cpu cuda-emulated; do
  "$run" "$here/matmul.mlir" --entry f --device $device --input x.npy --input w.npy --input b.npy --input g.npy \
         --grad --output-dir "$device" --json record.json
  DEVICE=$device /usr/bin/python3 - <<'PY'
import json, os
import numpy as np
load = lambda name: np.load(name + ".npy").astype(np.float64)
x, w, b, g = (load(name) for name in "xwbg")
y = np.tanh(x @ w + b)
d = g * (1 - y * y)
expected = {"out0": y, "grad0": d @ w.T, "grad1": x.T @ d, "grad2": d.sum(0)}
for name, value in expected.items():
    ours = np.load(f"{os.environ['DEVICE']}/{name}.npy")
    assert ours.dtype == np.float32 and ours.shape == value.shape, name
    assert np.abs(ours - value).max() <= 1e-5 * np.abs(value).max(), (os.environ["DEVICE"], name)
assert json.load(open("record.json"))["entry"] == "f"
PY
done

expect() { # expect PATTERN COMMAND...: the command fails and says so
  local pattern=$1; shift
  if "$@" >said 2>&1; then echo "should have failed: $*"; exit 1; fi
  grep -q "$pattern" said || { echo "expected '$pattern', got:"; cat said; exit 1; }
}
expect "choose one with --entry: f, g" "$run" "$here/matmul.mlir" --input x.npy
expect "there is no function 'h'; there are: f, g" "$run" "$here/matmul.mlir" --entry h
expect "has 3 inputs, 1 given" "$run" "$here/matmul.mlir" --entry f --input x.npy
expect "bad.npy holds f32\[5, 8\], input 0 .* is f32\[5, 7\]" \
  "$run" "$here/matmul.mlir" --entry f --input bad.npy --input w.npy --input b.npy
expect "none.npy" "$run" "$here/matmul.mlir" --entry f --input none.npy --input w.npy --input b.npy
head -c 60 x.npy >half.npy
expect "half.npy" "$run" "$here/matmul.mlir" --entry f --input half.npy --input w.npy --input b.npy
head -c 40 "$here/matmul.mlir" >cut.mlir
expect "cut.mlir:1" "$run" cut.mlir
printf 'not a program' >p.sinter
expect "p.sinter" "$run" p.sinter

emits() { # emits PATTERN OPTION...
  local pattern=$1; shift
  "$emit" "$here/matmul.mlir" "$@" >text
  grep -q "$pattern" text || { echo "expected '$pattern' from $*, got:"; cat text; exit 1; }
}
emits '__global__ void' --target cuda
emits '^define ' --target cpu --llvm
emits '.globl' --target cpu --asm
emits 'vector.fma\|vector.load\|memref.load' --target cpu
emits 'ymm\|xmm' --target cpu --asm --arch avx2
emits '__nv_bfloat16\|bf16' --target cuda --precision bf16
"$emit" "$here/matmul.mlir" -o written.cu && grep -q '__global__ void' written.cu
expect "unknown GPU architecture 'sm_12'; known are sm_75, " "$emit" "$here/matmul.mlir" --arch sm_12
expect "'sm_90' is no instruction set: amx, avx512_bf16, avx512, avx2 or generic" "$emit" "$here/matmul.mlir" --target cpu --arch sm_90
expect "ptx is for --target cuda" "$emit" "$here/matmul.mlir" --target cpu --ptx
expect "asm is for --target cpu" "$emit" "$here/matmul.mlir" --asm
expect "one of --ptx and --cubin" "$emit" "$here/matmul.mlir" --ptx --cubin
expect "cannot write nowhere/k.cu" "$emit" "$here/matmul.mlir" -o nowhere/k.cu
expect "none.mlir" "$emit" none.mlir
expect "cut.mlir:1" "$emit" cut.mlir
expect "there is no kernel 'nothing'" "$emit" "$here/matmul.mlir" --kernel nothing
if "$emit" "$here/matmul.mlir" --target cuda --arch sm_90 --ptx >ptx 2>said; then
  grep -q '^.target sm_90' ptx
  kernel=$(sed -n 's/^\.visible \.entry \([a-z0-9_]*\)(.*/\1/p' ptx | head -1)
  "$emit" "$here/matmul.mlir" --cubin --kernel "$kernel" -o k.cubin
  head -c 4 k.cubin | grep -q ELF
else
  grep -q NVRTC said # without one, a message that names it
fi

# One JSON object a line.
"$bench" --filter 'linear_regression|softmax_1024' --min-time 0.01 >lines
/usr/bin/python3 - <<'PY'
import json
lines = [json.loads(line) for line in open("lines")]
assert [line["name"] for line in lines] == ["softmax_1024x4096", "train_linear_regression_b64"], lines
for line in lines:
    assert line["min_ms"] <= line["median_ms"] and line["min_ms"] > 0 and line["runs"] >= 5 and line["kernels"] >= 1, line
    assert line["threads"] == 1 and line["precision"] == "f32" and line["device"] == "cpu", line
    assert line["peak_bytes"] >= line["lower_bound_bytes"] and line["compile_seconds"] > 0, line
PY
expect "no benchmark matches 'lunch'; there are:" "$bench" --filter lunch
expect "is no regular expression" "$bench" --filter '('
echo ok
