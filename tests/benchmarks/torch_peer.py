#!/usr/bin/python3
"""Times PyTorch on the same work as sinter-bench, one JSON line a benchmark.

Each training step is forward, loss, backward and optimiser update with everything already in memory,
at PyTorch's faster memory format of the two (both are timed, the better one is reported and named).
Each is timed in a process of its own, whose resident memory is noted before the model is made, before the first step
and at its peak.
"""
import argparse
import json
import os
import re
import resource
import statistics
import sys
import time
from functools import partial

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--filter", default="")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
parser.add_argument("--min-time", type=float, default=1.0)
args = parser.parse_args()

import torch  # noqa: E402
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
sys.dont_write_bytecode = True
import make_models  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(0)


def measure(step):
    """Median and minimum milliseconds over at least min-time seconds and 5 runs, after a warm-up; then the
    median of the processor's time, and the number of runs."""
    for _ in range(3):
        step()
    times, processor = [], []
    begin = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < args.min_time:
        busy, start = time.process_time(), time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
        processor.append((time.process_time() - busy) * 1e3)
    return statistics.median(times), min(times), statistics.median(processor), len(times)


def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * resource.getpagesize()


def measure_apart(make):
    """`measure`, and the growth of resident memory in bytes from the first step on and from before the model (its
    parameters are in the second alone), in a child: what one benchmark leaves with the allocator would be free for the
    next."""
    receive, send = os.pipe()
    if os.fork() == 0:
        bare = resident()
        step = make()
        before = resident()
        times = measure(step)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        os.write(send, json.dumps([times, peak - before, peak - bare]).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as stream:
        text = stream.read()
    os.wait()
    return json.loads(text)


def report(name, results):
    setting, ((median, least, processor, runs), growth, whole) = min(results, key=lambda r: r[1][0][0])
    print(json.dumps({"name": name, "peer": f"torch {torch.__version__}", "setting": setting,
                      "precision": args.precision, "threads": args.threads, "median_ms": median,
                      "min_ms": least, "median_cpu_ms": processor, "runs": runs,
                      "resident_growth_bytes": growth, "resident_whole_bytes": whole}), flush=True)


class Convolutional(nn.Module):
    """Convolutions with ReLU and 2x2 pooling, then dense layers with ReLU between."""

    def __init__(self, channels, dense, padding=0, pool_padding=0):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=padding) for a, b in zip(channels, channels[1:]))
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip(dense, dense[1:]))

    def forward(self, x):
        for conv in self.convs:
            x = F.max_pool2d(F.relu(conv(x)), 2)
        x = torch.flatten(x, 1)
        for i, layer in enumerate(self.dense):
            x = layer(x)
            if i + 1 < len(self.dense):
                x = F.relu(x)
        return x


MODELS = {
    "mnist_cnn": (lambda: Convolutional([1, 32, 64], [1600, 10]), (1, 28, 28), 128),
    "cifar10_cnn": (lambda: Convolutional([3, 32, 64], [2304, 64, 10]), (3, 32, 32), 128),
    "cnn112": (lambda: Convolutional([3, 16, 32], [25088, 128, 10], padding=1), (3, 112, 112), 32),
}


element = torch.bfloat16 if args.precision == "bf16" else torch.float32


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16")


def training(make, shape, batch, channels_last):
    model = make()
    x, y = torch.rand(batch, *shape), torch.randint(0, 10, (batch,))
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with autocast():
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
    return step


def inference(make, shape, batch, channels_last=False, below=0):
    """`below`: of integers less than that."""
    model = make().eval()
    x = torch.randint(0, below, (batch, *shape)) if below else torch.rand(batch, *shape)
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)

    def step():
        with torch.inference_mode(), autocast():
            model(x)
    return step


def resnet():
    """With CIFAR's stem."""
    return make_models.ResNet(make_models.Block, [2, 2, 2, 2], 10, 64, True)


def resnet18(channels_last):
    """CIFAR's images, SGD with momentum."""
    model = resnet()
    x, y = torch.rand(64, 3, 32, 32), torch.randint(0, 10, (64,))
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return stepping(model, x, lambda logits: F.cross_entropy(logits, y),
                    torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))


def bert_base(layers):
    """Its sizes with fewer layers, nine classes for each of 128 tokens, without dropout."""
    config = {**make_models.CONFIG, "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": layers,
              "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512}
    return make_models.bert(config, 9)


def bert(layers):
    model = bert_base(layers)
    x, y = torch.randint(1, 30522, (8, 128)), torch.randint(0, 9, (8, 128))
    return stepping(model, x, lambda logits: F.cross_entropy(logits.transpose(1, 2), y),
                    torch.optim.AdamW(model.parameters(), lr=2e-5))


class Gpt(nn.Module):
    """GPT-2's shape over characters, as examples/models/CharGpt.h. `additive`: scores get their mask in the product
    that makes them, instead of being filled afterwards."""

    def __init__(self, characters, length, layers, width, heads, additive):
        super().__init__()
        self.heads, self.additive = heads, additive
        self.characters, self.positions = nn.Embedding(characters, width), nn.Embedding(length, width)
        self.layers = nn.ModuleList(nn.ModuleDict({
            "norm1": nn.LayerNorm(width), "qkv": nn.Linear(width, 3 * width), "projection": nn.Linear(width, width),
            "norm2": nn.LayerNorm(width), "up": nn.Linear(width, 4 * width), "down": nn.Linear(4 * width, width),
        }) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters)
        self.register_buffer("later", torch.ones(length, length, dtype=torch.bool).triu(1), persistent=False)
        self.register_buffer("mask", torch.zeros(length, length).masked_fill(self.later, float("-inf")),
                             persistent=False)

    def attend(self, x):
        count, length, width = x.shape
        q, k, v = x.view(count, length, 3, self.heads, width // 3 // self.heads).permute(2, 0, 3, 1, 4).flatten(1, 2)
        scale = q.size(-1) ** -0.5
        if self.additive:
            scores = torch.baddbmm(self.mask.to(q.dtype), q, k.transpose(1, 2), alpha=scale)
        else:
            scores = torch.bmm(q * scale, k.transpose(1, 2)).masked_fill(self.later, float("-inf"))
        y = torch.bmm(F.softmax(scores, -1), v)
        return y.view(count, self.heads, length, -1).transpose(1, 2).reshape(count, length, -1)

    def forward(self, x):
        y = self.characters(x) + self.positions.weight[:x.size(1)]
        for layer in self.layers:
            y = y + layer["projection"](self.attend(layer["qkv"](layer["norm1"](y))))
            y = y + layer["down"](F.gelu(layer["up"](layer["norm2"](y))))
        return self.head(self.norm(y))


def char_gpt(additive):
    """Six layers of 384 features, 256 of 65 characters, eight at a time."""
    model = Gpt(65, 256, 6, 384, 6, additive)
    x, y = torch.randint(0, 65, (8, 256)), torch.randint(0, 65, (8, 256))
    return stepping(model, x, lambda logits: F.cross_entropy(logits.flatten(0, 1), y.flatten()),
                    torch.optim.AdamW(model.parameters(), lr=1e-3))


def last_state():
    """128 hidden numbers from 128 at each step, ten classes from the last."""
    return make_models.Part(lambda self, x: self.fc(self.lstm(x)[1][0][-1]), lstm=nn.LSTM(128, 128, batch_first=True),
                            fc=nn.Linear(128, 10))


def lstm():
    model = last_state()
    x, y = torch.rand(32, 128, 128), torch.randint(0, 10, (32,))
    return stepping(model, x, lambda logits: F.cross_entropy(logits, y), torch.optim.AdamW(model.parameters(), lr=1e-3))


def stepping(model, x, loss_of, optimiser):
    def step():
        optimiser.zero_grad(set_to_none=True)
        with autocast():
            loss = loss_of(model(x))
        loss.backward()
        optimiser.step()
    return step


def linear_regression(batch):
    model = nn.Linear(10, 1)
    x, y = torch.rand(batch, 10), torch.rand(batch, 1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)

    def step():
        optimiser.zero_grad(set_to_none=True)
        F.mse_loss(model(x), y).backward()
        optimiser.step()
    return step


def matmul(n):
    a, b = torch.rand(n, n, dtype=element), torch.rand(n, n, dtype=element)
    out = torch.empty(n, n, dtype=element)
    return lambda: torch.matmul(a, b, out=out)


def convolution(n, c, h, o, k, padding):
    x, w = torch.rand(n, c, h, h, dtype=element), torch.rand(o, c, k, k, dtype=element)
    return lambda: F.conv2d(x, w, padding=padding)


def softmax(rows, columns):
    x = torch.rand(rows, columns)
    return lambda: torch.softmax(x, 1)


def layer_norm(rows, columns):
    x, weight, bias = torch.rand(rows, columns), torch.rand(columns), torch.rand(columns)
    return lambda: F.layer_norm(x, weight.shape, weight, bias)


# name: {setting: what makes a step}
BENCHMARKS = {}
for size in (512, 1024, 2048):
    BENCHMARKS[f"matmul_{size}"] = {"default": partial(matmul, size)}
for shape in ((32, 64, 56, 64, 3, 1), (32, 128, 28, 128, 3, 1), (128, 32, 13, 64, 3, 0)):
    BENCHMARKS["conv2d_" + "x".join(map(str, shape))] = {"contiguous": partial(convolution, *shape)}
for shape in ((4096, 1024), (1024, 4096)):
    BENCHMARKS["softmax_{}x{}".format(*shape)] = {"default": partial(softmax, *shape)}
    BENCHMARKS["layer_norm_{}x{}".format(*shape)] = {"default": partial(layer_norm, *shape)}
BENCHMARKS["train_linear_regression_b64"] = {"default": partial(linear_regression, 64)}
for name, (make, image, batch) in MODELS.items():
    def formats(kind, count):
        return {"contiguous": partial(kind, make, image, count, False),
                "channels_last": partial(kind, make, image, count, True)}
    BENCHMARKS[f"train_{name}_b{batch}"] = formats(training, batch)
    for count in (1, batch):
        BENCHMARKS[f"infer_{name}_b{count}"] = formats(inference, count)

BENCHMARKS["train_resnet18_cifar_b64"] = {"contiguous": partial(resnet18, False), "channels_last": partial(resnet18, True)}
BENCHMARKS["train_bert_base_l2_s128_b8"] = {"default": partial(bert, 2)}
BENCHMARKS["train_char_gpt_l6_w384_t256_b8"] = {"filled mask": partial(char_gpt, False),
                                                "added mask": partial(char_gpt, True)}
BENCHMARKS["train_lstm128_t128_b32"] = {"default": lstm}
for count in (1, 64):
    BENCHMARKS[f"infer_resnet18_cifar_b{count}"] = {"contiguous": partial(inference, resnet, (3, 32, 32), count),
                                                    "channels_last": partial(inference, resnet, (3, 32, 32), count, True)}
for count in (1, 8):
    BENCHMARKS[f"infer_bert_base_l2_s128_b{count}"] = {
        "default": partial(inference, partial(bert_base, 2), (128,), count, below=30522)}
    BENCHMARKS[f"infer_char_gpt_l6_w384_t256_b{count}"] = {
        setting: partial(inference, partial(Gpt, 65, 256, 6, 384, 6, additive), (256,), count, below=65)
        for setting, additive in (("filled mask", False), ("added mask", True))}
for count in (1, 32):
    BENCHMARKS[f"infer_lstm128_t128_b{count}"] = {"default": partial(inference, last_state, (128, 128), count)}

for name, settings in BENCHMARKS.items():
    if re.search(args.filter, name):
        report(name, [(setting, measure_apart(step)) for setting, step in settings.items()])
