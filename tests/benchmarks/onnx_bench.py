"""ONNX Runtime's side of current_peers.py: inference of PyTorch's models, exported, on the CPU."""
import io
import os
import time

import numpy
import onnxruntime
import torch
from gpu_models import inputs
from gpu_torch import make

NAME = f"onnxruntime {onnxruntime.__version__}"


class Bench:
    def __init__(self, device, seconds):
        assert device == "cpu"
        self.seconds = seconds  # of a measurement, at least
        torch.manual_seed(0)

    def inference(self, size):
        (shape, below), _ = inputs(size)
        x = torch.randint(0, below, shape) if below else torch.rand(shape)
        exported = io.BytesIO()
        torch.onnx.export(make(size).eval(), (x,), exported, opset_version=18, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        begin = time.perf_counter()
        session = onnxruntime.InferenceSession(exported.getvalue(), options, providers=["CPUExecutionProvider"])
        fed = {session.get_inputs()[0].name: x.numpy()}
        session.run(None, fed)
        first = time.perf_counter() - begin
        for _ in range(2):
            session.run(None, fed)
        times, processor, begin = [], [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - begin < self.seconds:
            busy, start = time.process_time(), time.perf_counter()
            session.run(None, fed)
            times.append((time.perf_counter() - start) * 1e3)
            processor.append((time.process_time() - busy) * 1e3)
        return {"median_ms": float(numpy.median(times)), "min_ms": min(times), "median_cpu_ms": float(numpy.median(processor)),
                "runs": len(times), "compile_seconds": first}

    def models(self, sizes, precision, attempt):
        if precision != "f32":
            return  # its CPU kernels of other types are few
        for name, size in sizes.items():
            attempt(NAME, dict(name=name, entry="predict", precision=precision, setting="all optimisations"),
                    lambda size=size: self.inference(size))
