#!/usr/bin/python3
"""Times OpenBLAS's sgemm on the matmul benchmarks, one JSON line each (package libopenblas0-pthread)."""
import argparse
import ctypes
import ctypes.util
import json
import re
import statistics
import sys
import time

import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--filter", default="")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--precision", default="f32")
parser.add_argument("--min-time", type=float, default=1.0)
args = parser.parse_args()

if args.precision != "f32":
    sys.exit()  # it multiplies no other

library = ctypes.CDLL(ctypes.util.find_library("openblas") or "libopenblas.so.0")
library.openblas_set_num_threads(args.threads)
library.openblas_get_corename.restype = ctypes.c_char_p
ROW_MAJOR, NO_TRANSPOSE = 101, 111

for n in (512, 1024, 2048):
    name = f"matmul_{n}"
    if not re.search(args.filter, name):
        continue
    a, b = np.random.rand(n, n).astype(np.float32), np.random.rand(n, n).astype(np.float32)
    c = np.empty((n, n), np.float32)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (a, b, c)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)

    def step():
        library.cblas_sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, n, n, n, one, pointers[0], n, pointers[1], n, zero,
                            pointers[2], n)

    for _ in range(3):
        step()
    assert np.allclose(c, a @ b, rtol=1e-3)
    times, processor = [], []
    begin = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < args.min_time:
        busy, start = time.process_time(), time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
        processor.append((time.process_time() - busy) * 1e3)
    print(json.dumps({"name": name, "peer": "openblas " + library.openblas_get_corename().decode(), "setting": "default",
                      "precision": "f32", "threads": args.threads, "median_ms": statistics.median(times),
                      "min_ms": min(times), "median_cpu_ms": statistics.median(processor), "runs": len(times)}), flush=True)
