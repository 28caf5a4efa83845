#!/usr/bin/env python3
"""Times PyTorch (torch.compile, max-autotune) and JAX (jit, donated state) on the work of `gpu-suite run benchmark`.

One JSON line a result, written as it comes; a peer that is missing or fails leaves a line that says so.
"""
import argparse
import json
import statistics
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--json", required=True)
parser.add_argument("--seconds", type=float, default=180)
parser.add_argument("--tiny", action="store_true")
args = parser.parse_args()
lines = open(args.json, "w", encoding="utf-8")
begun = time.monotonic()
SIZES = (32, 48) if args.tiny else (512, 1024, 2048, 4096)
# name: channels of the convolutions, widths of the dense layers, padding, image, batch
MODELS = {} if args.tiny else {
    "mnist_cnn": ((1, 32, 64), (1600, 10), 0, 28, 128),
    "cifar10_cnn": ((3, 32, 64), (2304, 64, 10), 0, 32, 128),
    "cnn112": ((3, 16, 32), (25088, 128, 10), 1, 112, 32),
}


def note(**record):
    lines.write(json.dumps(record) + "\n")
    lines.flush()
    print(json.dumps(record), flush=True)


def measure(step, wait):
    for _ in range(5):
        step()
    wait()
    times = []
    while len(times) < 50:
        start = time.perf_counter()
        step()
        wait()
        times.append((time.perf_counter() - start) * 1e3)
    return {"median_ms": statistics.median(times), "least_ms": min(times)}


def attempt(peer, name, work):
    if time.monotonic() - begun > args.seconds:
        return note(peer=peer, name=name, problem="not reached in time")
    try:
        note(peer=peer, name=name, **work())
    except Exception as error:  # a peer's failure is a result, not ours
        note(peer=peer, name=name, problem=f"{type(error).__name__}: {error}"[:500])


def with_torch():
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    if not torch.cuda.is_available():
        return note(peer="torch", problem="no GPU")
    peer, wait = f"torch {torch.__version__}", torch.cuda.synchronize
    # f32 is f32 on both sides.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True

    def product(n, dtype):
        a, b, c = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(3))
        return measure(lambda: torch.matmul(a, b, out=c), wait)

    def training(channels, dense, padding, side, batch, half):
        layers = []
        for a, b in zip(channels, channels[1:]):
            layers += [nn.Conv2d(a, b, 3, padding=padding), nn.ReLU(), nn.MaxPool2d(2)]
        layers.append(nn.Flatten())
        for i, (a, b) in enumerate(zip(dense, dense[1:])):
            layers += [nn.Linear(a, b)] + ([nn.ReLU()] if i + 2 < len(dense) else [])
        model = nn.Sequential(*layers).cuda()
        optimizer = torch.optim.Adam(model.parameters(), capturable=True, fused=True)
        x = torch.randn(batch, channels[0], side, side, device="cuda")
        y = torch.randint(0, 10, (batch,), device="cuda")

        @torch.compile(mode="max-autotune")
        def forward_loss(x, y):
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=half):
                return F.cross_entropy(model(x), y)

        def step():
            optimizer.zero_grad(set_to_none=True)
            forward_loss(x, y).backward()
            optimizer.step()

        return measure(step, wait)

    for n in SIZES:
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            attempt(peer, f"matmul_{n}_{name}", lambda n=n, dtype=dtype: product(n, dtype))
    for name, shape in MODELS.items():
        for half in (False, True):
            attempt(peer, f"{name}_{'bf16' if half else 'f32'}",
                    lambda shape=shape, half=half: training(*shape, half))


def with_jax():
    import jax
    import jax.numpy as jnp
    from jax import lax

    if jax.devices()[0].platform not in ("gpu", "cuda"):
        return note(peer="jax", problem="no GPU")
    peer = f"jax {jax.__version__}"
    jax.config.update("jax_default_matmul_precision", "highest")

    def product(n, dtype):
        a, b = (jax.random.normal(jax.random.PRNGKey(i), (n, n), dtype) for i in range(2))
        multiply = jax.jit(jnp.matmul)
        return measure(lambda: multiply(a, b).block_until_ready(), lambda: None)

    def training(channels, dense, padding, side, batch, half):
        dtype, keys = (jnp.bfloat16 if half else jnp.float32), iter(jax.random.split(jax.random.PRNGKey(0), 16))
        weights = [[jax.random.normal(next(keys), (b, a, 3, 3)) * 0.1, jnp.zeros(b)] for a, b in zip(channels, channels[1:])]
        weights += [[jax.random.normal(next(keys), (a, b)) * 0.05, jnp.zeros(b)] for a, b in zip(dense, dense[1:])]
        x = jax.random.normal(next(keys), (batch, channels[0], side, side))
        y = jax.random.randint(next(keys), (batch,), 0, 10)

        def loss(weights):
            h = x.astype(dtype)
            for w, b in weights[:2]:
                h = lax.conv(h, w.astype(dtype), (1, 1), "SAME" if padding else "VALID") + b.astype(dtype)[:, None, None]
                h = lax.reduce_window(jax.nn.relu(h), -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            h = h.reshape(batch, -1)
            for i, (w, b) in enumerate(weights[2:]):
                h = h @ w.astype(dtype) + b.astype(dtype)
                h = jax.nn.relu(h) if i + 3 < len(weights) else h
            return -jnp.mean(jax.nn.log_softmax(h.astype(jnp.float32))[jnp.arange(batch), y])

        def adam(state):
            weights, m, v, t = state
            value, gradient = jax.value_and_grad(loss)(weights)
            t = t + 1
            m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, gradient)
            v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, gradient)
            weights = jax.tree.map(lambda w, a, b: w - 1e-3 * (a / (1 - 0.9**t)) / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-8),
                                   weights, m, v)
            return (weights, m, v, t), value

        step = jax.jit(adam, donate_argnums=0)
        zeros = jax.tree.map(jnp.zeros_like, weights)
        held = [(weights, zeros, jax.tree.map(jnp.zeros_like, weights), jnp.float32(0))]

        def once():
            held[0], value = step(held[0])
            value.block_until_ready()

        return measure(once, lambda: None)

    for n in SIZES:
        for name, dtype in (("f32", jnp.float32), ("bf16", jnp.bfloat16)):
            attempt(peer, f"matmul_{n}_{name}", lambda n=n, dtype=dtype: product(n, dtype))
    for name, shape in MODELS.items():
        for half in (False, True):
            attempt(peer, f"{name}_{'bf16' if half else 'f32'}",
                    lambda shape=shape, half=half: training(*shape, half))


for peer, work in (("torch", with_torch), ("jax", with_jax)):
    try:
        work()
    except ImportError as error:
        note(peer=peer, problem=str(error))
