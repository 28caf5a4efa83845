"""PyTorch's side of `gpu-suite`: kernels through cuBLAS and cuDNN, models eagerly and by torch.compile."""
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import make_models  # noqa: E402
from gpu_models import inputs  # noqa: E402

ELEMENTS = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
NAME = f"torch {torch.__version__}"


def attention(q, k, v, causal):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    scores = q @ k.transpose(2, 3) * q.size(-1) ** -0.5
    if causal:
        scores = scores.masked_fill(torch.ones(q.size(2), k.size(2), dtype=torch.bool, device=q.device).triu(1), float("-inf"))
    return scores.softmax(-1) @ v


class Bench:
    """Times on one device. Steps are queued and waited for together: what a launch costs the host counts only where the
    host is what they wait for."""

    def __init__(self, device, seconds):
        self.seconds = seconds  # of a measurement, at most
        self.device = device
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("no GPU")
        # f32 is f32 on both sides.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(0)

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def random(self, shape, element="f32", below=0):
        if below:
            return torch.randint(0, below, shape, device=self.device)
        return (torch.rand(shape, device=self.device) * 2 - 1).to(ELEMENTS[element])

    def measure(self, step, graph=False):
        """`graph`: the steps of a sample are one CUDA graph, as they are with Sinter."""
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        begin = time.perf_counter()
        step()
        self.wait()
        first = time.perf_counter() - begin
        for _ in range(3):
            step()
        self.wait()
        start = time.perf_counter()
        step()
        self.wait()
        one = time.perf_counter() - start
        count = max(2, min(32, int(0.02 / max(one, 1e-9))))
        together = lambda: [step() for _ in range(count)]  # noqa: E731
        if graph and self.device == "cuda":
            captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(captured):
                together()
            together = captured.replay
        together()
        self.wait()
        times, processor, begin = [], [], time.perf_counter()
        while len(times) < 3 or (len(times) < 50 and time.perf_counter() - begin < self.seconds):
            busy, start = time.process_time(), time.perf_counter()
            together()
            self.wait()
            times.append((time.perf_counter() - start) * 1e3 / count)
            processor.append((time.process_time() - busy) * 1e3 / count)
        times.sort()
        record = {"median_ms": times[len(times) // 2], "p10_ms": times[len(times) // 10], "p90_ms": times[len(times) * 9 // 10],
                  "median_cpu_ms": sorted(processor)[len(times) // 2], "alone_ms": one * 1e3, "samples": len(times),
                  "steps_per_launch": count, "compile_seconds": first}
        if self.device == "cuda":
            record["memory_bytes"] = torch.cuda.max_memory_allocated()
            record["launches"] = self.launches(step)
        return record

    def launches(self, step):
        from torch.profiler import ProfilerActivity, profile
        with profile(activities=[ProfilerActivity.CUDA]) as found:
            step()
            self.wait()
        return sum(event.count for event in found.key_averages() if "Sync" not in event.key)

    # ---- kernels

    def kernel(self, s, wrap=None):
        """What does the work once, all operands at hand; `wrap` compiles its function (of a gradient, the forward one)."""
        kind, e, r = s["kind"], s["element"], self.random
        if kind == "matmul":
            a, b, c = r((s["m"], s["k"]), e), r((s["k"], s["n"]), e), r((s["m"], s["n"]), e)
            if wrap:
                product = wrap(lambda a, b: torch.matmul(a, b))
                return lambda: product(a, b)
            return lambda: torch.matmul(a, b, out=c)
        if kind.startswith("conv2d"):
            pad = s["kernel"] // 2
            # The layout that cuDNN's tensor-core kernels are for.
            last = dict(memory_format=torch.channels_last)
            x, g = (r((s["n"], c, s["side"], s["side"]), e).contiguous(**last) for c in (s["c"], s["o"]))
            w = r((s["o"], s["c"], s["kernel"], s["kernel"]), e).contiguous(**last)
            if kind == "conv2d":
                return lambda: F.conv2d(x, w, padding=pad)
            mask = [kind == "conv2d_dx", kind == "conv2d_dw", False]
            return lambda: torch.ops.aten.convolution_backward(g, x, w, None, [1, 1], [pad, pad], [1, 1], False, [0, 0], 1,
                                                               mask)
        if kind == "adamw":
            p = r((s["count"],), e).requires_grad_()
            p.grad = r((s["count"],), e)
            fused = dict(fused=True, capturable=True) if self.device == "cuda" else {}
            return torch.optim.AdamW([p], lr=1e-3, **fused).step
        if kind == "embedding_grad":
            g, i = r((s["rows"], s["columns"]), e), r((s["rows"],), below=s["table"])
            return lambda: torch.ops.aten.embedding_dense_backward(g, i, s["table"], -1, False)
        if kind.startswith("attention"):
            q, k, v, g = (r((s["b"], s["h"], s["t"], s["d"]), e) for _ in range(4))
            if kind == "attention":
                return lambda: attention(q, k, v, s["causal"])
            for x in (q, k, v):
                x.requires_grad_()
            return lambda: torch.autograd.grad(attention(q, k, v, s["causal"]), (q, k, v), g)
        x, g, w, b = (r(shape, e) for shape in ((s["rows"], s["columns"]),) * 2 + ((s["columns"],),) * 2)
        wrap = wrap or (lambda function: function)
        if kind == "softmax":
            softmax = wrap(lambda x: torch.softmax(x, 1))
            return lambda: softmax(x)
        if kind == "layer_norm":
            norm = wrap(lambda x, w, b: F.layer_norm(x, w.shape, w, b))
            return lambda: norm(x, w, b)
        if kind == "layer_norm_grad":
            _, mean, rstd = torch.ops.aten.native_layer_norm(x, w.shape, w, b, 1e-5)
            return lambda: torch.ops.aten.native_layer_norm_backward(g, x, w.shape, mean, rstd, w, b, [True] * 3)
        x.requires_grad_()
        y = r((s["rows"],), below=s["columns"])

        cross_entropy = wrap(lambda x, y: F.cross_entropy(x, y))

        def loss_and_gradient():
            loss = cross_entropy(x, y)
            return loss, torch.autograd.grad(loss, x)
        return loss_and_gradient

    def kernels(self, cases, attempt):
        library = {"matmul": "cuBLAS", "conv2d": "cuDNN", "conv2d_dx": "cuDNN", "conv2d_dw": "cuDNN"}
        for name, case in cases.items():
            base = dict(name=name, precision=case["element"])
            if case["kind"].startswith("attention") and self.device == "cuda":
                for label, backend in (("cuDNN", "CUDNN_ATTENTION"), ("flash", "FLASH_ATTENTION"), ("efficient", "EFFICIENT_ATTENTION")):
                    attempt(NAME, dict(base, setting=label), lambda case=case, backend=backend: self.pinned(case, backend))
            else:
                attempt(NAME, dict(base, setting=library.get(case["kind"], "eager")),
                        lambda case=case: self.measure(self.kernel(case), graph=True))
        for name, case in cases.items():  # last: this takes long
            if case["kind"] in ("matmul", "softmax", "layer_norm", "cross_entropy_grad"):
                attempt(NAME, dict(name=name, precision=case["element"], setting="compile"),
                        lambda case=case: self.compiled_kernel(case))

    def pinned(self, case, backend):
        from torch.nn.attention import SDPBackend, sdpa_kernel
        with sdpa_kernel(getattr(SDPBackend, backend)):
            return self.measure(self.kernel(case), graph=True)

    def compiled_kernel(self, case):
        if not hasattr(torch, "compile"):
            raise RuntimeError(f"{NAME} has no torch.compile")
        return self.measure(self.kernel(case, lambda function: torch.compile(function, mode="max-autotune")))

    # ---- models

    def training(self, size, half, compiled):
        model = make(size).to(self.device)
        x, y = (self.random(shape, below=below) for shape, below in inputs(size))
        if len(x.shape) == 4:  # convolutions' faster format
            model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
        optimiser = optimiser_of(size, model, self.device)

        def forward_loss(x, y):
            with torch.autocast(self.device, dtype=torch.bfloat16, enabled=half):
                out = model(x)
            return loss_of(size, out.float(), y)
        update = optimiser.step
        if compiled:
            if not hasattr(torch, "compile"):
                raise RuntimeError(f"{NAME} has no torch.compile")
            forward_loss = torch.compile(forward_loss, mode="max-autotune")

        def step():
            optimiser.zero_grad(set_to_none=True)
            if compiled and hasattr(torch.compiler, "cudagraph_mark_step_begin"):
                torch.compiler.cudagraph_mark_step_begin()
            forward_loss(x, y).backward()
            update()
        return self.measure(step)

    def inference(self, size, half, compiled):
        model = make(size).to(self.device).eval()
        (shape, below), _ = inputs(size)
        x = self.random(shape, below=below)
        if len(shape) == 4:
            model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)

        def forward(x):
            with torch.autocast(self.device, dtype=torch.bfloat16, enabled=half):
                return model(x)
        if compiled:
            if not hasattr(torch, "compile"):
                raise RuntimeError(f"{NAME} has no torch.compile")
            forward = torch.compile(forward, mode="max-autotune")

        def step():
            with torch.inference_mode():
                forward(x)
        return self.measure(step)

    def models(self, sizes, precision, attempt):
        for setting in ("eager", "compile"):  # compiling takes long
            for entry, work in (("train_step", self.training), ("predict", self.inference)):
                for name, size in sizes.items():
                    attempt(NAME, dict(name=name, entry=entry, precision=precision, setting=setting),
                            lambda size=size, work=work: work(size, precision == "bf16", setting == "compile"))


def optimiser_of(size, model, device):
    fast = dict(fused=True, capturable=True) if device == "cuda" else {}
    return {"sgd": lambda p: torch.optim.SGD(p, lr=0.01), "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
            "adam": lambda p: torch.optim.Adam(p, **fast),
            "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, **fast)}[size["optimiser"]](model.parameters())


def loss_of(size, out, y):
    if size["kind"] == "linear":
        return F.mse_loss(out, y)
    if size["kind"] == "recommender":
        return F.binary_cross_entropy_with_logits(out, y * 0.5 + 0.5)
    return F.cross_entropy(out.flatten(0, -2), y.flatten())


class Cnn(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.pools = s["pools"]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=s["padding"]) for a, b in zip(s["channels"], s["channels"][1:]))
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip(s["dense"], s["dense"][1:]))

    def forward(self, x):
        for conv, pool in zip(self.convs, self.pools):
            x = F.relu(conv(x))
            x = F.max_pool2d(x, 2) if pool else x
        x = torch.flatten(x, 1)
        for layer in self.dense[:-1]:
            x = F.relu(layer(x))
        return self.dense[-1](x)


class Lstm(nn.Module):
    """Ten classes from the last state; or of a text, from the state after its last word."""

    def __init__(self, s):
        super().__init__()
        self.text = s["kind"] == "lstm_text"
        width, hidden = (16, 32) if self.text else (s["width"], s["width"])
        self.embedding = nn.Embedding(s["words"], width, padding_idx=0) if self.text else None
        self.lstm, self.fc = nn.LSTM(width, hidden, batch_first=True), nn.Linear(hidden, s.get("classes", 10))

    def forward(self, x):
        if not self.text:
            return self.fc(self.lstm(x)[1][0][-1])
        last = (x != 0).sum(1).clamp(min=1) - 1
        states = self.lstm(self.embedding(x))[0]
        return self.fc(states[torch.arange(x.size(0), device=x.device), last])


class Recommender(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.user, self.item = (nn.Embedding(s["words"], s["dim"]) for _ in range(2))
        self.user_bias, self.item_bias = (nn.Embedding(s["words"], 1) for _ in range(2))
        self.fc1, self.fc2 = nn.Linear(2 * s["dim"], s["hidden"]), nn.Linear(s["hidden"], 1)

    def forward(self, x):
        u, i = x[:, 0], x[:, 1]
        a, b = self.user(u), self.item(i)
        likes = (a * b).sum(1, keepdim=True) * a.size(1) ** -0.5
        deep = self.fc2(F.relu(self.fc1(torch.cat((a, b), 1))))
        return (likes + self.user_bias(u) + self.item_bias(i) + deep)[:, 0]


class Transformer(nn.Module):
    """BERT (normalised after each part), GPT and ViT (before it)."""

    def __init__(self, s):
        super().__init__()
        w, self.kind, self.heads = s["width"], s["kind"], s["heads"]
        eps = 1e-12 if self.kind == "bert" else 1e-5
        if self.kind == "vit":
            self.patches = nn.Conv2d(3, w, s["patch"], s["patch"])
            count = (s["side"] // s["patch"]) ** 2 + 1
            self.first = nn.Parameter(torch.zeros(1, 1, w))
            self.places = nn.Parameter(torch.randn(1, count, w) * 0.02)
        else:
            self.words, self.places = nn.Embedding(s["words"], w), nn.Parameter(torch.randn(s["positions"], w) * 0.02)
        self.kinds = nn.Parameter(torch.zeros(w)) if self.kind == "bert" else None
        self.layers = nn.ModuleList(nn.ModuleDict({
            "qkv": nn.Linear(w, 3 * w), "out": nn.Linear(w, w), "up": nn.Linear(w, s["hidden"]), "down": nn.Linear(s["hidden"], w),
            "norm1": nn.LayerNorm(w, eps), "norm2": nn.LayerNorm(w, eps)}) for _ in range(s["layers"]))
        self.norm, self.head = nn.LayerNorm(w, eps), nn.Linear(w, s["classes"])

    def attend(self, layer, x):
        n, t, w = x.shape
        q, k, v = layer["qkv"](x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return layer["out"](attention(q, k, v, self.kind == "gpt").transpose(1, 2).reshape(n, t, w))

    def forward(self, x):
        if self.kind == "vit":
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat((self.first.expand(x.size(0), -1, -1), x), 1) + self.places
        else:
            x = self.words(x) + self.places[:x.size(1)]
        if self.kind == "bert":
            x = self.norm(x + self.kinds)
        for layer in self.layers:
            feed = lambda y, layer=layer: layer["down"](F.gelu(layer["up"](y)))  # noqa: E731
            if self.kind == "bert":
                x = layer["norm1"](x + self.attend(layer, x))
                x = layer["norm2"](x + feed(x))
            else:
                x = x + self.attend(layer, layer["norm1"](x))
                x = x + feed(layer["norm2"](x))
        if self.kind == "vit":
            return self.head(self.norm(x)[:, 0])
        return self.head(x if self.kind == "bert" else self.norm(x))


def make(s):
    kind = s["kind"]
    if kind == "linear":
        return nn.Linear(s["features"], 1)
    if kind == "resnet":
        block, counts = ((make_models.Block, [2, 2, 2, 2]) if s["depth"] == 18 else (make_models.Bottleneck, [3, 4, 6, 3]))
        return make_models.ResNet(block, counts, s["classes"], s["width"], s["small_stem"])
    return {"cnn": Cnn, "lstm": Lstm, "lstm_text": Lstm, "recommender": Recommender}.get(kind, Transformer)(s)
