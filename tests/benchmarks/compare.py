#!/usr/bin/python3
"""Runs sinter-bench and its peers in turn, several rounds, and prints ratios of medians.

The programs take turns (ours, peer, ours, peer, ...) so that a machine whose speed drifts treats them
alike. A ratio is ours over the peer's: below 1 Sinter is faster. On a machine that does other work, too,
--processor-time compares the time that the processors worked on a step: what waiting for others costs
is not in it, what other work does to caches still is.

Ratios that FLOORS names are held to it: one above is marked, and with --gate the exit status is 1.

For training steps also memory: all of ours (arena, parameters, optimiser's state), and by how much the peer's process
grew in its steps, its parameters and inputs not counted.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--bench", default=os.path.join(here, "..", "..", "build", "bin", "sinter-bench"))
parser.add_argument("--filter", default="")
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--precision", nargs="+", default=["f32"])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--processor-time", action="store_true")
parser.add_argument("--min-time", type=float, default=1.0)
parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter that has torch and numpy")
parser.add_argument("--gate", action="store_true", help="fail where a ratio is above its floor")
parser.add_argument("--json", help="also write every line measured")
args = parser.parse_args()


def lines(command, environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        print(f"# {' '.join(command)} failed: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# The most that a training step in f32 on one thread may take of Debian's PyTorch's.
FLOORS = {"train_bert_base_l2_s128_b8": 0.7, "train_lstm128_t128_b32": 0.6, "train_resnet18_cifar_b64": 0.8,
          "train_char_gpt_l6_w384_t256_b8": 0.7}

everything, above = [], []
field = "median_cpu_ms" if args.processor_time else "median_ms"
print(f"{'benchmark':34} {'type':5} {'threads':>7} {'ours ms':>10} {'peer ms':>10} {'ratio':>7}  peer")
for precision in args.precision:
    for threads in args.threads:
        options = ["--filter", args.filter, "--threads", str(threads), "--precision", precision,
                   "--min-time", str(args.min_time)]
        environment = {"SINTER_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
                       "OPENBLAS_NUM_THREADS": str(threads)}
        ours, peers = {}, {}
        for _ in range(args.rounds):
            for row in lines([args.bench, *options], environment):
                ours.setdefault(row["name"], []).append(row)
            for script in ("torch_peer.py", "openblas_peer.py"):
                for row in lines([args.python, os.path.join(here, script), *options], environment):
                    peers.setdefault((row["name"], row["peer"]), []).append(row)
        ratios = {}
        for (name, peer), rows in peers.items():
            if name not in ours:
                continue
            mine = statistics.median(row[field] for row in ours[name])
            theirs = statistics.median(row[field] for row in rows)
            ratios.setdefault(peer, []).append(mine / theirs)
            setting = min(rows, key=lambda row: row[field])["setting"]
            floor = FLOORS.get(name) if precision == "f32" and threads == 1 and peer.startswith("torch") else None
            verdict = "" if floor is None else f"  at most {floor}" + ("" if mine <= floor * theirs else ": MISSED")
            if verdict.endswith("MISSED"):
                above.append(name)
            memory = ""
            if name.startswith("train_") and "resident_growth_bytes" in rows[0]:
                own = ours[name][0]["peak_bytes"] + ours[name][0]["state_bytes"]
                growth = statistics.median(row["resident_growth_bytes"] for row in rows)
                memory = f"  {own / 1e6:.1f} MB, peer +{growth / 1e6:.1f} MB"
            print(f"{name:34} {precision:5} {threads:7d} {mine:10.4f} {theirs:10.4f} {mine / theirs:7.3f}  {peer} ({setting}){memory}{verdict}")
        for peer, values in ratios.items():
            mean = math.exp(statistics.mean(math.log(value) for value in values))
            print(f"{'geometric mean':34} {precision:5} {threads:7d} {'':10} {'':10} {mean:7.3f}  {peer}")
        for rows in [*ours.values(), *peers.values()]:
            everything += rows
if args.json:
    with open(args.json, "w") as stream:
        for row in everything:
            stream.write(json.dumps(row) + "\n")
if args.gate and above:
    sys.exit(f"above their floors: {', '.join(above)}")
