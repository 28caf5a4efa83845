"""JAX's side of `gpu-suite`: jit with donated state, and scan over steps."""
import time

import jax
import jax.numpy as jnp
from jax import lax

from gpu_models import inputs

ELEMENTS = {"f32": jnp.float32, "bf16": jnp.bfloat16, "f16": jnp.float16}
NAME = f"jax {jax.__version__}"


class Bench:
    def __init__(self, device, seconds):
        self.seconds = seconds  # of a measurement, at most
        self.onGpu = jax.devices()[0].platform in ("gpu", "cuda")
        if device == "cuda" and not self.onGpu:
            raise RuntimeError("no GPU")
        jax.config.update("jax_default_matmul_precision", "highest")  # f32 is f32 on both sides

    def keys(self):
        key = jax.random.PRNGKey(0)
        while True:
            key, one = jax.random.split(key)
            yield one

    def random(self, key, shape, element="f32", below=0):
        if below:
            return jax.random.randint(key, shape, 0, below)
        return jax.random.uniform(key, shape, ELEMENTS[element], -1, 1)

    def measure(self, step, count=1):
        """`step` queues work, `count` steps of it, and returns something of its result."""
        begin = time.perf_counter()
        jax.block_until_ready(step())
        first = time.perf_counter() - begin
        start = time.perf_counter()
        jax.block_until_ready(step())
        one = (time.perf_counter() - start) / count
        queued = 1 if count > 1 else max(2, min(32, int(0.02 / max(one, 1e-9))))
        times, processor, begin = [], [], time.perf_counter()
        while len(times) < 3 or (len(times) < 50 and time.perf_counter() - begin < self.seconds):
            busy, start = time.process_time(), time.perf_counter()
            for _ in range(queued):
                last = step()
            jax.block_until_ready(last)
            times.append((time.perf_counter() - start) * 1e3 / queued / count)
            processor.append((time.process_time() - busy) * 1e3 / queued / count)
        times.sort()
        record = {"median_ms": times[len(times) // 2], "p10_ms": times[len(times) // 10], "p90_ms": times[len(times) * 9 // 10],
                  "median_cpu_ms": sorted(processor)[len(times) // 2], "alone_ms": one * 1e3, "samples": len(times),
                  "steps_per_launch": queued * count, "compile_seconds": first}
        stats = jax.devices()[0].memory_stats() if self.onGpu else None
        if stats and "peak_bytes_in_use" in stats:
            record["process_peak_bytes"] = stats["peak_bytes_in_use"]  # of all that this process has run
        return record

    # ---- kernels

    def kernel(self, s):
        """A function and its operands."""
        kind, e, keys = s["kind"], s["element"], self.keys()
        r = lambda *shape, below=0: self.random(next(keys), shape, e, below)  # noqa: E731
        if kind == "matmul":
            return jnp.matmul, (r(s["m"], s["k"]), r(s["k"], s["n"]))
        if kind.startswith("conv2d"):
            # Channels last, as XLA has them on tensor cores.
            conv = lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "SAME",  # noqa: E731
                                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x, g = (r(s["n"], s["side"], s["side"], c) for c in (s["c"], s["o"]))
            w = r(s["kernel"], s["kernel"], s["c"], s["o"])
            if kind == "conv2d":
                return conv, (x, w)
            if kind == "conv2d_dx":
                return lambda x, w, g: jax.vjp(lambda x: conv(x, w), x)[1](g), (x, w, g)
            return lambda x, w, g: jax.vjp(lambda w: conv(x, w), w)[1](g), (x, w, g)
        if kind == "adamw":
            return (lambda p, g, m, v: adam((p, m, v), g, 1.0, 0.01)), tuple(abs(r(s["count"])) for _ in range(4))
        if kind == "embedding_grad":
            return (lambda g, i: jnp.zeros((s["table"], s["columns"]), g.dtype).at[i].add(g),
                    (r(s["rows"], s["columns"]), r(s["rows"], below=s["table"])))
        if kind.startswith("attention"):
            q, k, v, g = (r(s["b"], s["t"], s["h"], s["d"]) for _ in range(4))
            one = lambda q, k, v: jax.nn.dot_product_attention(  # noqa: E731
                q, k, v, is_causal=s["causal"], implementation="cudnn" if self.onGpu else None)
            if kind == "attention":
                return one, (q, k, v)
            return lambda q, k, v, g: jax.vjp(one, q, k, v)[1](g), (q, k, v, g)
        x, g, w, b = r(s["rows"], s["columns"]), r(s["rows"], s["columns"]), r(s["columns"]), r(s["columns"])
        if kind == "softmax":
            return jax.nn.softmax, (x,)
        if kind == "layer_norm":
            return norm, (x, w, b)
        if kind == "layer_norm_grad":
            return lambda x, w, b, g: jax.vjp(norm, x, w, b)[1](g), (x, w, b, g)
        y = r(s["rows"], below=s["columns"])
        return lambda x, y: jax.value_and_grad(lambda x: cross_entropy(x, y))(x), (x, y)

    def kernels(self, cases, attempt):
        for name, case in cases.items():
            def work(case=case):
                function, operands = self.kernel(case)
                function = jax.jit(function)
                return self.measure(lambda: function(*operands))
            attempt(NAME, dict(name=name, precision=case["element"], setting="jit"), work)

    # ---- models

    def training(self, size, half, count):
        keys = self.keys()
        weights = initial(size, keys)
        x, y = (self.random(next(keys), shape, below=below) for shape, below in inputs(size))
        kind = size["optimiser"]

        def loss(weights, x, y):
            out = forward(size, weights, x, jnp.bfloat16 if half else jnp.float32).astype(jnp.float32)
            return loss_of(size, out, y)

        def step(state, x, y):
            weights, m, v, t = state
            value, gradient = jax.value_and_grad(loss)(weights, x, y)
            t = t + 1
            if kind in ("sgd", "momentum"):
                m = jax.tree.map(lambda a, g: 0.9 * a + g, m, gradient) if kind == "momentum" else m
                moved = m if kind == "momentum" else gradient
                return (jax.tree.map(lambda w, g: w - 0.01 * g, weights, moved), m, v, t), value
            leaves, shape = jax.tree.flatten(weights)
            new = [adam(one, g, t, 0.01 if kind == "adamw" else 0.0)
                   for *one, g in zip(leaves, *(jax.tree.leaves(tree) for tree in (m, v, gradient)))]
            return (*(jax.tree.unflatten(shape, part) for part in zip(*new)), t), value

        zeros = lambda: jax.tree.map(jnp.zeros_like, weights)  # noqa: E731
        held = [(jax.tree.map(jnp.copy, weights), zeros(), zeros(), jnp.float32(0))]
        def steps(state, x, y):
            return lax.scan(lambda state, _: step(state, x, y), state, None, length=count)
        run = jax.jit(steps if count > 1 else step, donate_argnums=0)

        def once():
            held[0], value = run(held[0], x, y)
            return value
        return self.measure(once, count)

    def inference(self, size, half):
        keys = self.keys()
        weights = initial(size, keys)
        (shape, below), _ = inputs(size)
        x = self.random(next(keys), shape, below=below)
        run = jax.jit(lambda weights, x: forward(size, weights, x, jnp.bfloat16 if half else jnp.float32))
        return self.measure(lambda: run(weights, x))

    def models(self, sizes, precision, attempt):
        half = precision == "bf16"
        for entry, setting, work in (("train_step", "jit, donated", lambda size: self.training(size, half, 1)),
                                     ("train_step", "scan of 32", lambda size: self.training(size, half, 32)),
                                     ("predict", "jit", lambda size: self.inference(size, half))):
            for name, size in sizes.items():
                attempt(NAME, dict(name=name, entry=entry, precision=precision, setting=setting),
                        lambda size=size, work=work: work(size))


def adam(state, gradient, t, decay):
    w, m, v = state
    m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient * gradient
    step = (m / (1 - 0.9 ** t)) / (jnp.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
    return w * (1 - 1e-3 * decay) - 1e-3 * step, m, v


def norm(x, w, b, eps=1e-5):
    wide = x.astype(jnp.float32)
    wide = wide - wide.mean(-1, keepdims=True)
    return (wide * lax.rsqrt((wide * wide).mean(-1, keepdims=True) + eps)).astype(x.dtype) * w + b


def cross_entropy(x, y):
    logs = jax.nn.log_softmax(x.astype(jnp.float32).reshape(-1, x.shape[-1]))
    return -jnp.take_along_axis(logs, y.reshape(-1, 1), 1).mean()


def loss_of(size, out, y):
    if size["kind"] == "linear":
        return ((out - y) ** 2).mean()
    if size["kind"] == "recommender":
        return (jax.nn.softplus(out) - out * (y * 0.5 + 0.5)).mean()
    return cross_entropy(out, y)


def initial(s, keys):
    """Weights by name."""
    kind = s["kind"]
    n = lambda *shape, by=0.05: jax.random.normal(next(keys), shape) * by  # noqa: E731
    z, o = jnp.zeros, jnp.ones
    dense = lambda a, b: [n(a, b), z(b)]  # noqa: E731
    if kind == "linear":
        return {"fc": dense(s["features"], 1)}
    if kind == "cnn":
        return {"convs": [[n(3, 3, a, b), z(b)] for a, b in zip(s["channels"], s["channels"][1:])],
                "dense": [dense(a, b) for a, b in zip(s["dense"], s["dense"][1:])]}
    if kind in ("lstm", "lstm_text"):
        width, hidden = (16, 32) if kind == "lstm_text" else (s["width"], s["width"])
        weights = {"x": n(width, 4 * hidden), "h": n(hidden, 4 * hidden), "b": z(4 * hidden), "fc": dense(hidden, s.get("classes", 10))}
        return {**weights, "words": n(s["words"], width)} if kind == "lstm_text" else weights
    if kind == "recommender":
        return {"user": n(s["words"], s["dim"]), "item": n(s["words"], s["dim"]), "ub": n(s["words"], 1), "ib": n(s["words"], 1),
                "fc1": dense(2 * s["dim"], s["hidden"]), "fc2": dense(s["hidden"], 1)}
    if kind == "resnet":
        stem = 3 if s["small_stem"] else 7
        weights, channels, deep = {"stem": [n(stem, stem, 3, s["width"]), o(s["width"]), z(s["width"])], "blocks": []}, s["width"], s["depth"] == 50
        for i, count in enumerate((3, 4, 6, 3) if deep else (2, 2, 2, 2)):
            for j in range(count):
                w = s["width"] << i
                out = 4 * w if deep else w
                shapes = [(1, channels, w), (3, w, w), (1, w, out)] if deep else [(3, channels, w), (3, w, w)]
                block = {"convs": [[n(k, k, a, b), o(b), z(b)] for k, a, b in shapes]}
                if channels != out or (i > 0 and j == 0):
                    block["short"] = [n(1, 1, channels, out), o(out), z(out)]
                weights["blocks"].append(block)
                channels = out
        return {**weights, "fc": dense(channels, s["classes"])}
    w = s["width"]
    weights = {"norm": [o(w), z(w)], "head": dense(w, s["classes"]), "layers": [
        {"qkv": dense(w, 3 * w), "out": dense(w, w), "up": dense(w, s["hidden"]), "down": dense(s["hidden"], w),
         "norm1": [o(w), z(w)], "norm2": [o(w), z(w)]} for _ in range(s["layers"])]}
    if kind == "vit":
        return {**weights, "patches": [n(s["patch"], s["patch"], 3, w), z(w)], "first": z((1, 1, w)),
                "places": n(1, (s["side"] // s["patch"]) ** 2 + 1, w)}
    return {**weights, "words": n(s["words"], w), "places": n(s["positions"], w), **({"kinds": z(w)} if kind == "bert" else {})}


def convolve(x, w, stride=1, padding="SAME"):
    return lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def max_pool(x, size, stride, padding="VALID"):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), padding)


def forward(s, weights, x, dtype):
    kind = s["kind"]
    p = jax.tree.map(lambda w: w.astype(dtype), weights)
    dense = lambda x, wb: x @ wb[0] + wb[1]  # noqa: E731
    if jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(dtype)
    if kind == "linear":
        return dense(x, p["fc"])
    if kind == "cnn":
        x = x.transpose(0, 2, 3, 1)
        for (w, b), pool in zip(p["convs"], s["pools"]):
            x = jax.nn.relu(convolve(x, w, padding="SAME" if s["padding"] else "VALID") + b)
            x = max_pool(x, 2, 2) if pool else x
        x = x.reshape(x.shape[0], -1)
        for layer in p["dense"][:-1]:
            x = jax.nn.relu(dense(x, layer))
        return dense(x, p["dense"][-1])
    if kind in ("lstm", "lstm_text"):
        last = jnp.maximum((x != 0).sum(1), 1) - 1 if kind == "lstm_text" else None
        x = p["words"][x] if kind == "lstm_text" else x
        gates = x @ p["x"] + p["b"]
        zero = jnp.zeros((x.shape[0], p["h"].shape[0]), dtype)

        def cell(state, gate):
            h, c = state
            i, f, g, o = jnp.split(gate + h @ p["h"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        (h, _), all_h = lax.scan(cell, (zero, zero), gates.transpose(1, 0, 2))
        return dense(h if last is None else all_h[last, jnp.arange(x.shape[0])], p["fc"])
    if kind == "recommender":
        u, i = x[:, 0], x[:, 1]
        a, b = p["user"][u], p["item"][i]
        deep = dense(jax.nn.relu(dense(jnp.concatenate((a, b), 1), p["fc1"])), p["fc2"])
        return ((a * b).sum(1, keepdims=True) * a.shape[1] ** -0.5 + p["ub"][u] + p["ib"][i] + deep)[:, 0]
    if kind == "resnet":
        def block_norm(x, scale, shift):
            wide = x.astype(jnp.float32)
            mean, square = wide.mean((0, 1, 2)), (wide * wide).mean((0, 1, 2))
            return ((wide - mean) * lax.rsqrt(square - mean * mean + 1e-5)).astype(dtype) * scale + shift
        x, deep, channels = x.transpose(0, 2, 3, 1), s["depth"] == 50, 0
        w, *rest = p["stem"]
        x = jax.nn.relu(block_norm(convolve(x, w, 1 if s["small_stem"] else 2), *rest))
        x = x if s["small_stem"] else max_pool(x, 3, 2, "SAME")
        stages = [i for i, count in enumerate((3, 4, 6, 3) if deep else (2, 2, 2, 2)) for _ in range(count)]
        for at, (block, stage) in enumerate(zip(p["blocks"], stages)):
            stride = 2 if stage > 0 and stages[at - 1] != stage else 1
            y = x
            for k, (w, *rest) in enumerate(block["convs"]):
                y = block_norm(convolve(y, w, stride if k == (1 if deep else 0) else 1), *rest)
                y = jax.nn.relu(y) if k + 1 < len(block["convs"]) else y
            if "short" in block:
                w, *rest = block["short"]
                x = block_norm(convolve(x, w, stride), *rest)
            x = jax.nn.relu(x + y)
        return dense(x.mean((1, 2)), p["fc"])
    if kind == "vit":
        x = convolve(x.transpose(0, 2, 3, 1), p["patches"][0], s["patch"], "VALID") + p["patches"][1]
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        x = jnp.concatenate((jnp.broadcast_to(p["first"], (x.shape[0], 1, x.shape[2])), x), 1) + p["places"]
    else:
        x = p["words"][x] + p["places"][:x.shape[1]]
    if kind == "bert":
        x = norm(x + p["kinds"], *p["norm"])

    def attend(layer, x):
        n, t, w = x.shape
        q, k, v = jnp.split(dense(x, layer["qkv"]).reshape(n, t, 3 * s["heads"], -1), 3, 2)
        return dense(jax.nn.dot_product_attention(q, k, v, is_causal=kind == "gpt").reshape(n, t, w), layer["out"])
    for layer in p["layers"]:
        feed = lambda y, layer=layer: dense(jax.nn.gelu(dense(y, layer["up"]), approximate=False), layer["down"])  # noqa: E731
        if kind == "bert":
            x = norm(x + attend(layer, x), *layer["norm1"])
            x = norm(x + feed(x), *layer["norm2"])
        else:
            x = x + attend(layer, norm(x, *layer["norm1"]))
            x = x + feed(norm(x, *layer["norm2"]))
    if kind == "vit":
        return dense(norm(x, *p["norm"])[:, 0], p["head"])
    return dense(x if kind == "bert" else norm(x, *p["norm"]), p["head"])
