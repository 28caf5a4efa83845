#!/usr/bin/python3
"""Runs sinter-bench and its peers in turn, several rounds, and prints ratios of medians.

The programs take turns (ours, peer, ours, peer, ...) so that a machine whose speed drifts treats them
alike. A ratio is ours over the peer's: below 1 Sinter is faster. On a machine that does other work, too,
--processor-time compares the time that the processors worked on a step: what waiting for others costs
is not in it, what other work does to caches still is.

For training steps also memory: all of ours (arena, parameters, optimiser's state), by how much the peer's process grew in
its steps, its parameters and inputs not counted, and by how much with those.

Against Debian's PyTorch and OpenBLAS ratios are held to floors (below): one above is marked, and with --gate the exit
status is 1. With --current, PyTorch's, JAX's and ONNX Runtime's current releases take their turns too (current_peers.py,
which says where they come from); no floor is held against those. torch.compile's search for kernels of a training step
takes minutes a model.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
DEBIAN = {"torch": "torch_peer.py", "openblas": "openblas_peer.py"}
CURRENT = {"current-torch": "torch", "jax": "jax", "onnxruntime": "onnxruntime"}
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--bench", default=os.path.join(here, "..", "..", "build", "bin", "sinter-bench"))
parser.add_argument("--filter", default="")
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--precision", nargs="+", default=["f32"])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--processor-time", action="store_true")
parser.add_argument("--min-time", type=float, default=1.0)
parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter that has torch and numpy")
parser.add_argument("--current", metavar="FOLDER", help="the environment of current_peers.py, which makes it")
parser.add_argument("--peers", nargs="+", choices=[*DEBIAN, *CURRENT], help="only these (all of Debian's; with --current, all)")
parser.add_argument("--gate", action="store_true", help="fail where a ratio is above its floor")
parser.add_argument("--json", help="also write every line measured, as it comes")
args = parser.parse_args()
if set(args.peers or []) & set(CURRENT) and not args.current:
    parser.error("the current releases need --current FOLDER")


written = open(args.json, "w", encoding="utf-8") if args.json else None


def lines(command, environment):
    """What it measures, one after another; its last words where it fails."""
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env={**os.environ, **environment}) as running:
            for line in running.stdout:
                if not line.startswith("{"):
                    continue
                if written:
                    print(line, end="", file=written, flush=True)
                yield json.loads(line)
        if running.returncode:
            said.seek(0)
            print(f"# {' '.join(command)} failed: {said.read().strip()[-300:]}", file=sys.stderr)


# The most that a training step may take of the time of Debian's PyTorch, by precision.
TIME = {"f32": {"train_linear_regression_b64": 0.1, "train_mnist_cnn_b128": 0.9, "train_cifar10_cnn_b128": 0.9,
                "train_cnn112_b32": 0.9, "train_resnet18_cifar_b64": 0.8, "train_bert_base_l2_s128_b8": 0.7,
                "train_char_gpt_l6_w384_t256_b8": 0.7, "train_lstm128_t128_b32": 0.6},
        "bf16": {"train_cifar10_cnn_b128": 0.6, "train_cnn112_b32": 0.6, "train_bert_base_l2_s128_b8": 0.6}}
# The most of its memory, which grows by gradients, moments and activations with the first steps; for a linear regression
# its interpreter's noise is more than either needs.
MEMORY = {name: 1.0 for name in TIME["f32"] if "linear" not in name}
# The most of all its memory, parameters included, as they are in ours.
WHOLE_MEMORY = {"train_bert_base_l2_s128_b8": 0.7}
# The most of our own time in f32, on processors that multiply tiles of bf16.
OF_F32 = {"train_cifar10_cnn_b128": 0.6, "train_cnn112_b32": 0.6}
# The most of OpenBLAS's time, of square matrix products in the geometric mean.
MATMUL = 1 / 0.9

field = "median_cpu_ms" if args.processor_time else "median_ms"
missed = []


def held(what, ratio, floor):
    """The floor as it is printed."""
    if floor is None:
        return ""
    if ratio > floor:
        missed.append(what)
    return f"  at most {floor:.3g}" + (": MISSED" if ratio > floor else "")


def median(rows, key=field):
    return statistics.median(row[key] for row in rows)


def measured(options, environment):
    """Rounds of all by turns: ours by name, the peers' by name and peer."""
    chosen = args.peers or [*DEBIAN, *(CURRENT if args.current else {})]
    commands = [[args.python, os.path.join(here, DEBIAN[peer])] if peer in DEBIAN else
                [args.python, os.path.join(here, "current_peers.py"), args.current, CURRENT[peer]] for peer in chosen]
    ours, peers = {}, {}
    for _ in range(args.rounds):
        for row in lines([args.bench, *options], environment):
            ours.setdefault(row["name"], []).append(row)
        for command in commands:
            for row in lines([*command, *options], environment):
                peers.setdefault((row["name"], row["peer"]), []).append(row)
    return ours, peers


def print_memory(name, where, ours, rows, old):
    if not name.startswith("train_") or "resident_growth_bytes" not in rows[0]:
        return ""
    own = ours[0]["peak_bytes"] + ours[0]["state_bytes"]
    growth, whole = median(rows, "resident_growth_bytes"), median(rows, "resident_whole_bytes")
    floor, floor_of_whole = [floors.get(name) if old and ours[0]["precision"] == "f32" else None
                             for floors in (MEMORY, WHOLE_MEMORY)]
    return (f"  {own / 1e6:.1f} MB, peer +{growth / 1e6:.1f} MB" + held(f"memory of {where}", own / max(growth, 1), floor) +
            f", with its model {whole / 1e6:.1f} MB" + held(f"all memory of {where}", own / max(whole, 1), floor_of_whole))


def print_ratios(precision, threads, ours, peers):
    ratios = {}
    for (name, peer), rows in peers.items():
        if name not in ours:
            continue
        mine, theirs = median(ours[name]), median(rows)
        ratio = mine / theirs
        ratios.setdefault(peer, {})[name] = ratio
        setting = min(rows, key=lambda row: row[field])["setting"]
        where, old = f"{name} ({precision}, {threads})", peer.startswith("torch 1.")
        verdict = held(where, ratio, TIME[precision].get(name) if old else None)
        memory = print_memory(name, where, ours[name], rows, old)
        print(f"{name:34} {precision:5} {threads:7d} {mine:10.4f} {theirs:10.4f} {ratio:7.3f}  {peer} ({setting}){verdict}{memory}")
    for peer, values in ratios.items():
        mean = math.exp(statistics.mean(math.log(value) for value in values.values()))
        squares = peer.startswith("openblas") and precision == "f32" and len(values) == 3
        verdict = held(f"matrix products ({threads})", mean, MATMUL if squares else None)
        print(f"{'geometric mean':34} {precision:5} {threads:7d} {'':10} {'':10} {mean:7.3f}  {peer}{verdict}")


of_f32 = {}
print(f"{'benchmark':34} {'type':5} {'threads':>7} {'ours ms':>10} {'peer ms':>10} {'ratio':>7}  peer")
for precision in args.precision:
    for threads in args.threads:
        options = ["--filter", args.filter, "--threads", str(threads), "--precision", precision,
                   "--min-time", str(args.min_time)]
        environment = {"SINTER_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
                       "OPENBLAS_NUM_THREADS": str(threads)}
        ours, peers = measured(options, environment)
        print_ratios(precision, threads, ours, peers)
        for name, rows in ours.items():
            of_f32[name, threads, precision] = median(rows)
for (name, threads, precision), mine in of_f32.items():
    full = of_f32.get((name, threads, "f32"))
    if precision == "bf16" and full:
        verdict = held(f"bf16 over f32 of {name} ({threads})", mine / full, OF_F32.get(name))
        print(f"{name:34} {'bf16':5} {threads:7d} {mine:10.4f} {full:10.4f} {mine / full:7.3f}  our own f32{verdict}")
if args.gate and missed:
    sys.exit(f"above their floors: {', '.join(missed)}")
