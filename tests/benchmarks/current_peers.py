#!/usr/bin/env python3
"""Times the current PyTorch (eager and torch.compile), JAX (jit, donated) or ONNX Runtime (inference alone) on sinter-bench's
training steps and inference of models, on the CPU.

  current_peers.py FOLDER {torch,jax,onnxruntime} [--filter F] [--threads N] [--precision P] [--min-time S]

FOLDER is a virtual environment; where it lacks the peer, PyPI's newest release is installed there (with PyTorch come the
CUDA libraries that its wheel links: 5 GB). One JSON line a benchmark, of the peer's fastest setting. torch.compile makes
C++, which it compiles with g++.
"""
import argparse
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from gpu_models import models  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder")
parser.add_argument("peer", choices=("torch", "jax", "onnxruntime"))
parser.add_argument("--filter", default="")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
parser.add_argument("--min-time", type=float, default=1.0)
args = parser.parse_args()

# sinter-bench's names of the models that gpu_models.py describes.
sizes = models(tiny=False)
MODELS = {
    "linear_regression": {**sizes["linear_regression"], "batch": 64, "features": 10}, "mnist_cnn": sizes["mnist_cnn"],
    "cifar10_cnn": sizes["cifar10_cnn"], "cnn112": sizes["cnn112"], "resnet18_cifar": sizes["resnet18"],
    "bert_base_l2_s128": {**sizes["bert"], "layers": 2}, "char_gpt_l6_w384_t256": sizes["char_gpt"],
    "lstm128_t128": sizes["lstm"],
}
# What is installed for a peer, and where its Bench is.
PACKAGES = {"torch": ["torch"], "jax": ["jax"], "onnxruntime": ["onnxruntime", "onnx", "torch"]}
BENCHES = {"torch": "gpu_torch", "jax": "gpu_jax", "onnxruntime": "onnx_bench"}
BENCHMARKS = {}  # name: entry, size
for model, size in MODELS.items():
    BENCHMARKS[f"train_{model}_b{size['batch']}"] = ("train_step", size)
    if model != "linear_regression":
        for count in (1, size["batch"]):
            BENCHMARKS[f"infer_{model}_b{count}"] = ("predict", {**size, "batch": count})


def install():
    python = os.path.join(args.folder, "bin", "python")
    if not os.path.exists(python):
        print(f"# making the environment {args.folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", args.folder], check=True)
    packages = PACKAGES[args.peer]
    if subprocess.run([python, "-c", "import " + ", ".join(packages)], capture_output=True).returncode:
        print(f"# installing {' '.join(packages)} in {args.folder}", file=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "numpy", *packages], check=True, stdout=sys.stderr)
    return python


def run():
    """In the environment: threads are set before the peer is loaded."""
    bench = __import__(BENCHES[args.peer]).Bench("cpu", args.min_time)
    best = {}

    def attempt(peer, record, work):
        if record["entry"] != BENCHMARKS[record["name"]][0] or "scan" in record["setting"]:
            return  # a scan is of many steps: no one's step
        try:
            record.update(work(), peer=peer, threads=args.threads)
        except Exception as error:
            print(f"# {record['name']}, {record['setting']}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
            return
        if record["median_ms"] < best.get(record["name"], record)["median_ms"] or record["name"] not in best:
            best[record["name"]] = record

    chosen = {name: size for name, (_, size) in BENCHMARKS.items() if re.search(args.filter, name)}
    bench.models(chosen, args.precision, attempt)
    for record in best.values():
        print(json.dumps(record), flush=True)


if os.path.realpath(sys.prefix) == os.path.realpath(args.folder):
    run()
else:
    threads = str(args.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
                   "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=" + ("false" if args.threads == 1 else "true")}
    affinity = ["taskset", "-c", "0-" + str(args.threads - 1)] if args.peer == "jax" else []
    sys.exit(subprocess.run([*affinity, install(), *sys.argv], env=environment).returncode)
