"""The kernel classes that `gpu-suite run kernels` times: their shapes, and their graphs as IR.

All operands and results are variables of the Program, so that nothing travels to or from the host.
"""
import json
import re


def kernels(tiny):
    """name: kind, type, sizes."""
    found = {}

    def add(kind, element, **sizes):
        label = "_".join(str(v) if not isinstance(v, bool) else k for k, v in sizes.items() if v is not False)
        found[f"{kind}_{label}_{element}"] = {"kind": kind, "element": element, **sizes}

    if tiny:
        add("matmul", "f32", m=32, n=48, k=16)
        add("matmul", "bf16", m=32, n=48, k=16)
        for kind in ("conv2d", "conv2d_dx", "conv2d_dw"):
            add(kind, "bf16", n=1, c=8, side=6, o=8, kernel=3)
        for kind in ("softmax", "layer_norm", "layer_norm_grad", "cross_entropy_grad"):
            add(kind, "f32", rows=8, columns=64)
        add("attention", "bf16", b=1, h=1, t=16, d=16, causal=True)
        add("attention_grad", "bf16", b=1, h=1, t=16, d=16, causal=True)
        add("adamw", "f32", count=256)
        add("embedding_grad", "f32", table=50, columns=16, rows=20)
        return found
    for n in (512, 1024, 2048, 4096, 8192):
        add("matmul", "bf16", m=n, n=n, k=n)
    for n in (2048, 4096):
        add("matmul", "f16", m=n, n=n, k=n)
    for n in (512, 1024, 2048, 4096):
        add("matmul", "f32", m=n, n=n, k=n)
    # Of BERT-base with 8 x 128 and 32 x 128 tokens, and of GPT-2's head.
    for m, n, k in ((1024, 768, 768), (1024, 3072, 768), (1024, 768, 3072), (4096, 768, 768), (4096, 3072, 768),
                    (4096, 768, 3072), (4096, 50304, 768)):
        add("matmul", "bf16", m=m, n=n, k=k)
    for n, c, side, o, kernel in ((128, 32, 13, 64, 3), (64, 64, 32, 64, 3), (64, 256, 8, 256, 3), (32, 64, 56, 64, 3),
                                  (32, 128, 28, 128, 3), (32, 256, 14, 256, 3), (32, 256, 56, 64, 1)):
        for kind in ("conv2d", "conv2d_dx", "conv2d_dw"):
            add(kind, "bf16", n=n, c=c, side=side, o=o, kernel=kernel)
    for kind in ("conv2d", "conv2d_dx", "conv2d_dw"):
        add(kind, "f32", n=32, c=64, side=56, o=64, kernel=3)
    for rows, columns in ((16384, 768), (8192, 4096), (1024, 50304)):
        add("softmax", "f32", rows=rows, columns=columns)
    for rows, columns in ((16384, 768), (8192, 4096)):
        for kind in ("layer_norm", "layer_norm_grad"):
            add(kind, "f32", rows=rows, columns=columns)
            add(kind, "bf16", rows=rows, columns=columns)
    add("cross_entropy_grad", "f32", rows=1024, columns=30522)
    add("cross_entropy_grad", "f32", rows=8192, columns=50304)
    for b, h, t, d, causal in ((8, 12, 128, 64, False), (32, 12, 128, 64, False), (16, 12, 1024, 64, True),
                               (4, 16, 2048, 128, False), (4, 16, 2048, 128, True), (2, 16, 8192, 128, True)):
        for kind in ("attention", "attention_grad"):
            add(kind, "bf16", b=b, h=h, t=t, d=d, causal=causal)
    add("adamw", "f32", count=110_000_000)
    add("embedding_grad", "f32", table=30522, columns=768, rows=1024)
    return found


def tensor(shape, element):
    return f"tensor<{'x'.join(map(str, [*shape, element]))}>"


class Function:
    """A function whose arguments are variables; `give` donates a new variable to a result."""

    def __init__(self, name):
        self.name, self.arguments, self.results, self.body = name, [], [], []

    def variable(self, name, shape, element, donated=""):
        full = f"{self.name}.{name}"
        self.arguments.append(f'%{name}: {tensor(shape, element)} {{sinter.role = "parameter", sinter.name = "{full}"{donated}}}')
        return f"%{name}", tensor(shape, element)

    def take(self, name, shape, element):
        return self.variable(name, shape, element)

    def give(self, value, shape, element, into=None):
        donated = f", sinter.donated = {len(self.results)} : i64"
        if into:  # one of its own arguments
            at = next(i for i, text in enumerate(self.arguments) if text.startswith(f"%{into}:"))
            self.arguments[at] = self.arguments[at][:-1] + donated + "}"
        else:
            self.variable(f"to{len(self.results)}", shape, element, donated)
        self.results.append((value, tensor(shape, element)))

    def line(self, text):
        self.body.append(f"  {text}\n")

    def text(self):
        types = ", ".join(t for _, t in self.results)
        values = ", ".join(v for v, _ in self.results)
        return (f"func.func @{self.name}({', '.join(self.arguments)}) -> ({types}) {{\n{''.join(self.body)}"
                f"  return {values} : {types}\n}}\n")


def graph(name, case):
    """The IR of a case, and below what its integer variables must be."""
    f, kind, e, below = Function(name), case["kind"], case["element"], {}
    s = case
    if kind == "matmul":
        a, at = f.take("a", (s["m"], s["k"]), e)
        b, bt = f.take("b", (s["k"], s["n"]), e)
        f.line(f"%r = sinter.matmul {a}, {b} : ({at}, {bt}) -> {tensor((s['m'], s['n']), e)}")
        f.give("%r", (s["m"], s["n"]), e)
    elif kind.startswith("conv2d"):
        image, weight = (s["n"], s["c"], s["side"], s["side"]), (s["o"], s["c"], s["kernel"], s["kernel"])
        out, pad = (s["n"], s["o"], s["side"], s["side"]), s["kernel"] // 2
        op, ins, result = {"conv2d": ("conv2d", (("x", image), ("w", weight)), out),
                           "conv2d_dx": ("conv2d_input_grad", (("g", out), ("w", weight)), image),
                           "conv2d_dw": ("conv2d_weight_grad", (("x", image), ("g", out)), weight)}[kind]
        (a, at), (b, bt) = (f.take(n, shape, e) for n, shape in ins)
        f.line(f"%r = sinter.{op} {a}, {b} {{padding = array<i64: {pad}, {pad}>}} : ({at}, {bt}) -> {tensor(result, e)}")
        f.give("%r", result, e)
    elif kind in ("softmax", "layer_norm", "layer_norm_grad"):
        shape, row = (s["rows"], s["columns"]), (s["columns"],)
        x, t = f.take("x", shape, e)
        if kind == "softmax":
            f.line(f"%r = sinter.softmax {x} {{dim = 1 : i64}} : {t}")
            f.give("%r", shape, e)
        elif kind == "layer_norm":
            (w, rt), (b, _) = f.take("w", row, e), f.take("b", row, e)
            f.line(f"%r = sinter.layer_norm {x}, {w}, {b} : ({t}, {rt}, {rt}) -> {t}")
            f.give("%r", shape, e)
        else:
            (g, _), (w, rt) = f.take("g", shape, e), f.take("w", row, e)
            f.line(f"%r:3 = sinter.layer_norm_grad {g}, {x}, {w} : ({t}, {t}, {rt}) -> ({t}, {rt}, {rt})")
            for i, one in enumerate((shape, row, row)):
                f.give(f"%r#{i}", one, e)
    elif kind == "cross_entropy_grad":
        shape = (s["rows"], s["columns"])
        (x, t), (y, yt) = f.take("x", shape, e), f.take("y", shape[:1], "i64")
        below[f"{name}.y"] = s["columns"]
        f.line(f"%l = sinter.cross_entropy {x}, {y} : ({t}, {yt}) -> {tensor((), e)}")
        f.line(f"%d = sinter.gradient %l wrt {x} : ({tensor((), e)}, {t}) -> {t}")
        f.give("%l", (), e)
        f.give("%d", shape, e)
    elif kind.startswith("attention"):
        shape, rows = (s["b"], s["h"], s["t"], s["d"]), (s["b"], s["h"], s["t"])
        (q, t), (k, _), (v, _) = (f.take(n, shape, e) for n in "qkv")
        attributes = f"{{scale = {s['d'] ** -0.5:.17e} : f64, is_causal = {str(s['causal']).lower()}}}"
        f.line(f"%r, %l = sinter.attention {q}, {k}, {v} {attributes} : ({t}, {t}, {t}) -> ({t}, {tensor(rows, 'f32')})")
        f.give("%r", shape, e)
        if kind == "attention_grad":
            g, _ = f.take("g", shape, e)
            f.line(f"%d:3 = sinter.gradient %r wrt {q}, {k}, {v} cotangents {g} : ({t}, {t}, {t}, {t}, {t}) -> ({t}, {t}, {t})")
            for i in range(3):
                f.give(f"%d#{i}", shape, e)
    elif kind == "adamw":
        shape = (s["count"],)
        (p, t), (g, _), (m, _), (v, _) = (f.take(n, shape, e) for n in "pgmv")
        for i, number in enumerate((0.9, 0.1, 0.999, 0.001, 1e-8, 1e-3, 1 - 1e-5)):
            f.line(f"%c{i} = sinter.constant dense<{number:.9e}> : {t}")
        for text in ("m0 = mul %m, %c0", "m1 = mul %g, %c1", "m2 = add %m0, %m1", "v0 = mul %v, %c2", "v1 = mul %g, %g",
                     "v2 = mul %v1, %c3", "v3 = add %v0, %v2", "va = abs %v3", "s0 = sqrt %va", "s1 = add %s0, %c4",
                     "u0 = div %m2, %s1", "u1 = mul %u0, %c5", "p0 = mul %p, %c6", "p1 = sub %p0, %u1"):
            to, op = text.split(" = ")
            f.line(f"%{to} = sinter.{op} : {t}")
        for value, into in (("%p1", "p"), ("%m2", "m"), ("%v3", "v")):
            f.give(value, shape, e, into)
    elif kind == "embedding_grad":
        (g, gt), (i, it) = f.take("g", (s["rows"], s["columns"]), e), f.take("i", (s["rows"],), "i64")
        below[f"{name}.i"] = s["table"]
        f.line(f"%r = sinter.embedding_grad {g}, {i} : ({gt}, {it}) -> {tensor((s['table'], s['columns']), e)}")
        f.give("%r", (s["table"], s["columns"]), e)
    else:
        raise ValueError(kind)
    return f.text(), below


def write(folder, tiny, pattern=""):
    """NAME.mlir and NAME.about.json for each case; the names."""
    names = []
    for name, case in kernels(tiny).items():
        if not re.search(pattern, name):
            continue
        text, below = graph(name, case)
        with open(f"{folder}/{name}.mlir", "w", encoding="utf-8") as file:
            file.write(text)
        with open(f"{folder}/{name}.about.json", "w", encoding="utf-8") as file:
            json.dump({"kind": case["kind"], "precision": case["element"], "below": below}, file)
        names.append(name)
    return names
