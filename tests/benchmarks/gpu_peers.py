#!/usr/bin/env python3
"""Times PyTorch or JAX on the work of `gpu-suite run kernels` and `models`: tests/benchmarks/gpu_torch.py and gpu_jax.py.

One JSON line a result, written as it comes; a peer that is missing or fails leaves a line that says so.
"""
import argparse
import json
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu_kernels import kernels  # noqa: E402
from gpu_models import models  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=("torch", "jax"))
    parser.add_argument("work", choices=("kernels", "models"))
    parser.add_argument("--json", required=True, help="lines are appended")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--filter", default="", help="only names that match")
    parser.add_argument("--precision", default="bf16", choices=("f32", "bf16"), help="of models")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    begun = time.monotonic()
    cases = (kernels if args.work == "kernels" else models)(args.tiny)
    cases = {name: case for name, case in cases.items() if re.search(args.filter, name)}

    with open(args.json, "a", encoding="utf-8") as lines:
        def note(record):
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            print(json.dumps(record), flush=True)

        def attempt(peer, record, work):
            record = {"peer": peer, "device": args.device, **record}
            try:
                if time.monotonic() - begun > args.seconds:
                    raise TimeoutError("not reached in time")
                record.update(work())
            except Exception as error:  # a peer's failure is a result, not ours
                record["problem"] = f"{type(error).__name__}: {error}"[:500]
            note(record)
        try:
            module = __import__(f"gpu_{args.peer}")
            bench = module.Bench(args.device, seconds=0.2 if args.tiny else 2.0)
            if args.work == "kernels":
                bench.kernels(cases, attempt)
            else:
                bench.models(cases, args.precision, attempt)
        except BaseException as error:  # make_models ends the program where there is no PyTorch
            note({"peer": args.peer, "device": args.device, "problem": f"{type(error).__name__}: {error}"[:500]})


main()
