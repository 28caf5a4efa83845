#!/usr/bin/python3
"""Writes tests/oracle/vectors/*.json: what PyTorch says every op's values and gradients are.

Debian's python3-torch is the oracle; the vectors are committed, so nothing but this script needs it.

  make_vectors.py           write the vectors
  make_vectors.py --check   compute them again and compare with the committed ones
                            (exit 1: they differ; exit 77: no PyTorch here)

Inputs are multiples of 1/64 below 4, so bf16, f16 and f32 hold them exactly. README.md has the format.
"""
import argparse
import json
import math
import os
import sys
import zlib

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from torch.nn.utils.stateless import functional_call
    from training_vectors import training
except ImportError as error:
    print(f"skipped: {error} (packages python3-torch, python3-numpy)")
    sys.exit(77)

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")
INF, NAN = math.inf, math.nan
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# ---- Inputs ----------------------------------------------------------------------------------

class Source:
    """Seeded inputs, by the case's name: adding a case changes no other."""

    def __init__(self, name):
        self.rng = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)

    def normal(self, *shape):
        drawn = np.clip(np.round(self.rng.randn(*shape) * 64), -255, 255) / 64
        drawn = np.where(drawn == 0, 1 / 64, drawn)  # zero is a kink; cases that want it say so
        return torch.tensor(drawn)

    def positive(self, *shape):
        return torch.tensor(self.rng.randint(8, 256, size=shape) / 64)

    def unit(self, *shape):
        return torch.tensor(self.rng.randint(1, 64, size=shape) / 64)

    def distinct(self, *shape):
        """No two elements equal, neighbours at least 1/64 apart."""
        count = int(np.prod(shape))
        return torch.tensor((self.rng.permutation(count) - count // 2).reshape(shape) / 64)

    def integers(self, low, high, *shape):
        return torch.tensor(self.rng.randint(low, high, size=shape))

    def booleans(self, *shape):
        return torch.tensor(self.rng.rand(*shape) < 0.5)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


SPECIAL = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 0.5, -2.0, 100.0, -100.0, 1e-30, -1e-30]

# ---- Cases -----------------------------------------------------------------------------------

CASES = {}  # op -> list of cases, in the order written


def case(op, name, function, inputs, attributes=None, gradient=True, outputs=("output",)):
    """Computes one case. `inputs`: name -> tensor or list of tensors; every float one gets a gradient."""
    attributes = attributes or {}
    flat = {}
    for key, value in inputs.items():
        if isinstance(value, (list, tuple)):
            flat.update({f"{key}.{i}": item for i, item in enumerate(value)})
        else:
            flat[key] = value
    leaves = {
        key: value.clone().requires_grad_(gradient and value.is_floating_point())
        for key, value in flat.items()
    }
    arguments = {}
    for key, value in inputs.items():
        if isinstance(value, (list, tuple)):
            arguments[key] = [leaves[f"{key}.{i}"] for i in range(len(value))]
        else:
            arguments[key] = leaves[key]
    results = function(**arguments)
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(outputs), (op, name)

    record = {"name": name, "attributes": attributes}
    record["inputs"] = [pack(key, value) for key, value in flat.items()]
    record["outputs"] = [pack(key, value) for key, value in zip(outputs, results)]
    differentiable = [(key, value) for key, value in zip(outputs, results) if value.requires_grad]
    if differentiable:
        source = Source(f"{op}/{name}/cotangents")
        cotangents = [source.normal(*value.shape) for _, value in differentiable]
        wanted = {key: value for key, value in leaves.items() if value.requires_grad}
        gradients = torch.autograd.grad(
            [value for _, value in differentiable], list(wanted.values()), cotangents, allow_unused=True
        )
        record["cotangents"] = [pack(key, c) for (key, _), c in zip(differentiable, cotangents)]
        record["gradients"] = [
            pack(key, g) for key, g in zip(wanted, gradients) if g is not None
        ]
    CASES.setdefault(op, []).append(record)


def pack(name, value):
    value = value.detach()
    if value.dtype == torch.bool:
        return {"name": name, "dtype": "i1", "shape": list(value.shape),
                "data": [int(v) for v in value.flatten().tolist()]}
    if not value.is_floating_point():
        return {"name": name, "dtype": "i64", "shape": list(value.shape), "data": value.flatten().tolist()}
    assert value.dtype == torch.float64, (name, value.dtype)
    data = [v if math.isfinite(v) else ("nan" if math.isnan(v) else "inf" if v > 0 else "-inf")
            for v in value.flatten().tolist()]
    return {"name": name, "dtype": "f64", "shape": list(value.shape), "data": data}


def unary(op, function, domain="normal", special=True, **attributes):
    source = Source(op)
    call = lambda input: function(input)
    case(op, "plain", call, {"input": getattr(source, domain)(2, 5)}, attributes)
    case(op, "rank3", call, {"input": getattr(source, domain)(2, 1, 3)}, attributes)
    case(op, "scalar", call, {"input": getattr(source, domain)()}, attributes)
    if special:
        case(op, "special_values", call, {"input": tensor(SPECIAL)}, attributes, gradient=False)


def elementwise():
    unary("exp", torch.exp)
    unary("expm1", torch.expm1)
    unary("log", torch.log, "positive")
    unary("log1p", torch.log1p, "positive")
    unary("sqrt", torch.sqrt, "positive")
    unary("rsqrt", torch.rsqrt, "positive")
    unary("reciprocal", torch.reciprocal, "positive")
    unary("tanh", torch.tanh)
    unary("sigmoid", torch.sigmoid)
    unary("sin", torch.sin, special=False)
    unary("cos", torch.cos, special=False)
    unary("erf", torch.erf)
    unary("neg", torch.neg)
    unary("silu", F.silu)
    unary("softplus", F.softplus)
    unary("leaky_relu", lambda x: F.leaky_relu(x, 0.125), negative_slope=0.125)
    unary("elu", F.elu, alpha=1.0)
    for approximate in ("none", "tanh"):
        source = Source(f"gelu/{approximate}")
        call = lambda input: F.gelu(input, approximate=approximate)
        case("gelu", approximate, call, {"input": source.normal(3, 4)}, {"approximate": approximate})
        case("gelu", f"{approximate}_special", call,
             {"input": tensor([0.0, -0.0, INF, NAN, 10.0, -10.0, 1e-30])}, {"approximate": approximate}, gradient=False)
    unary("relu", torch.relu)
    case("relu", "kink", torch.relu, {"input": tensor([0.0, -0.0, 1.0, -1.0])})
    unary("abs", torch.abs)
    case("abs", "kink", torch.abs, {"input": tensor([0.0, -0.0, 1.0, -1.0])})
    for op, function in (("floor", torch.floor), ("ceil", torch.ceil), ("round", torch.round), ("sign", torch.sign)):
        case(op, "halves", function, {"input": tensor([-2.5, -1.5, -0.5, -0.25, -0.0, 0.0, 0.5, 1.5, 2.5, 3.25])},
             gradient=False)
        case(op, "plain", function, {"input": Source(op).normal(2, 4)}, gradient=False)

    source = Source("clamp")
    case("clamp", "both", lambda input: torch.clamp(input, -0.5, 0.75), {"input": source.normal(3, 4)},
         {"min": -0.5, "max": 0.75})
    case("clamp", "min_only", lambda input: torch.clamp(input, min=0.25), {"input": source.normal(5)}, {"min": 0.25})
    case("clamp", "max_only", lambda input: torch.clamp(input, max=0.25), {"input": source.normal(5)}, {"max": 0.25})
    case("clamp", "at_the_bounds", lambda input: torch.clamp(input, -1.0, 1.0),
         {"input": tensor([-1.0, 1.0, -2.0, 2.0, 0.0])}, {"min": -1.0, "max": 1.0})
    case("clamp", "special_values", lambda input: torch.clamp(input, -1.0, 1.0), {"input": tensor(SPECIAL)},
         {"min": -1.0, "max": 1.0}, gradient=False)


def binary():
    functions = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
        "maximum": torch.maximum, "minimum": torch.minimum,
    }
    for op, function in functions.items():
        source = Source(op)
        right = source.positive if op == "div" else source.normal
        call = lambda input, other: function(input, other)
        case(op, "plain", call, {"input": source.normal(2, 3), "other": right(2, 3)})
        case(op, "broadcast_row", call, {"input": source.normal(3, 4), "other": right(4)})
        case(op, "broadcast_both", call, {"input": source.normal(2, 1, 3), "other": right(4, 1)})
        case(op, "scalar", call, {"input": source.normal(4), "other": right()})
        left, right = zip(*[(a, b) for a in (0.0, -0.0, 1.0, INF, -INF, NAN) for b in (0.0, -0.0, -2.0, INF, -INF, NAN)])
        case(op, "special_values", call, {"input": tensor(left), "other": tensor(right)}, gradient=False)
    for op in ("maximum", "minimum"):
        case(op, "ties", lambda input, other: functions[op](input, other),
             {"input": tensor([1.0, 2.0, 3.0]), "other": tensor([1.0, 3.0, 2.0])})

    source = Source("pow")
    call = lambda input, exponent: torch.pow(input, exponent)
    case("pow", "tensor", call, {"input": source.positive(2, 3), "exponent": source.normal(2, 3)})
    case("pow", "square", lambda input: torch.pow(input, 2.0), {"input": source.normal(5)}, {"exponent": 2.0})
    case("pow", "cube_of_negative", lambda input: torch.pow(input, 3.0), {"input": tensor([-2.0, -0.5, 0.0, 1.5])},
         {"exponent": 3.0})
    case("pow", "root", lambda input: torch.pow(input, 0.5), {"input": source.positive(4)}, {"exponent": 0.5})
    left, right = zip(*[(a, b) for a in (0.0, -0.0, 1.0, -1.0, -8.0, INF, -INF, NAN)
                        for b in (0.0, 1.0, -1.0, 0.5, INF, -INF, NAN)])
    case("pow", "special_values", call, {"input": tensor(left), "exponent": tensor(right)}, gradient=False)

    values = (0.0, -0.0, 1.0, 2.0, INF, -INF, NAN)
    left, right = zip(*[(a, b) for a in values for b in values])
    for op in ("eq", "ne", "lt", "le", "gt", "ge"):
        function = getattr(torch, op)
        call = lambda input, other: function(input, other)
        case(op, "special_values", call, {"input": tensor(left), "other": tensor(right)}, gradient=False)
        case(op, "broadcast", call, {"input": Source(op).integers(0, 3, 3, 1), "other": Source(op).integers(0, 3, 4)},
             gradient=False)

    source = Source("where")
    call = lambda condition, input, other: torch.where(condition, input, other)
    case("where", "plain", call,
         {"condition": source.booleans(2, 3), "input": source.normal(2, 3), "other": source.normal(2, 3)})
    case("where", "broadcast", call,
         {"condition": source.booleans(3, 1), "input": source.normal(4), "other": source.normal(3, 4)})
    case("where", "hides_nan", call,
         {"condition": torch.tensor([True, False]), "input": tensor([1.0, NAN]), "other": tensor([NAN, 2.0])},
         gradient=False)

    left, right = zip(*[(a, b) for a in (7, -7, 6, -6, 0) for b in (2, -2, 3, -3, 7)])
    integers = {"input": torch.tensor(left), "other": torch.tensor(right)}
    case("floor_divide", "signs", lambda input, other: torch.div(input, other, rounding_mode="floor"), integers)
    case("remainder", "signs", lambda input, other: torch.remainder(input, other), integers)
    case("remainder", "float", lambda input, other: torch.remainder(input, other),
         {"input": tensor([5.5, -5.5, 5.5, -5.5]), "other": tensor([2.0, 2.0, -2.0, -2.0])}, gradient=False)


def reductions():
    shape = (2, 3, 4)
    variants = [("last", [2], False), ("first_keepdim", [0], True), ("middle", [1], False), ("two", [0, 2], False),
                ("all", [0, 1, 2], False), ("all_keepdim", [0, 1, 2], True), ("negative", [-1], True)]
    for op in ("sum", "mean", "amax", "amin", "logsumexp"):
        function = getattr(torch, op)
        source = Source(op)
        for name, dim, keepdim in variants:
            case(op, name, lambda input: function(input, dim=dim, keepdim=keepdim), {"input": source.distinct(*shape)},
                 {"dim": dim, "keepdim": keepdim})
    for op in ("amax", "amin"):
        function = getattr(torch, op)
        case(op, "ties_share_the_gradient", lambda input: function(input, dim=[1]),
             {"input": tensor([[1.0, 2.0, 2.0, 0.0], [3.0, 3.0, 3.0, 3.0], [-1.0, -1.0, 0.0, -1.0]])},
             {"dim": [1], "keepdim": False})
        case(op, "special_values", lambda input: function(input, dim=[1]),
             {"input": tensor([[1.0, NAN, 2.0], [INF, 1.0, -INF], [-INF, -INF, -INF], [NAN, INF, -INF]])},
             {"dim": [1], "keepdim": False}, gradient=False)
    case("sum", "infinities", lambda input: torch.sum(input, dim=[1]),
         {"input": tensor([[INF, 1.0], [INF, -INF], [NAN, 1.0], [-0.0, -0.0]])}, {"dim": [1], "keepdim": False},
         gradient=False)
    case("sum", "empty", lambda input: torch.sum(input, dim=[1]), {"input": torch.zeros(2, 0)},
         {"dim": [1], "keepdim": False}, gradient=False)
    case("mean", "empty", lambda input: torch.mean(input, dim=[1]), {"input": torch.zeros(2, 0)},
         {"dim": [1], "keepdim": False}, gradient=False)
    case("logsumexp", "large", lambda input: torch.logsumexp(input, dim=[1]),
         {"input": tensor([[1000.0, 1000.0], [-1000.0, -1001.0], [-INF, 0.0]])}, {"dim": [1], "keepdim": False})
    source = Source("prod")
    for name, dim, keepdim in (("last", 1, False), ("first_keepdim", 0, True)):
        case("prod", name, lambda input: torch.prod(input, dim=dim, keepdim=keepdim), {"input": source.normal(3, 4)},
             {"dim": dim, "keepdim": keepdim})
    case("prod", "one_zero", lambda input: torch.prod(input, dim=1), {"input": tensor([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]])},
         {"dim": 1, "keepdim": False})
    source = Source("var")
    for name, dim, correction in (("biased", [1], 0), ("unbiased", [0, 2], 1)):
        case("var", name, lambda input: torch.var(input, dim=dim, correction=correction, keepdim=True),
             {"input": source.normal(2, 3, 4)}, {"dim": dim, "correction": correction, "keepdim": True})
    source = Source("cumsum")
    for dim in (0, 1):
        case("cumsum", f"dim{dim}", lambda input: torch.cumsum(input, dim=dim), {"input": source.normal(3, 4)}, {"dim": dim})
    special = tensor([[2.0, 2.0, 1.0, NAN], [0.0, -0.0, 3.0, 3.0], [NAN, 1.0, NAN, -INF], [INF, -INF, INF, 0.0]])
    for descending in (False, True):
        order = "descending" if descending else "ascending"
        source = Source("sort")
        for name, input in ((f"{order}_last", source.distinct(3, 7)), (f"{order}_middle", source.distinct(2, 5, 3)),
                            (f"{order}_ties_and_nan", special)):
            attributes = {"dim": 1, "descending": descending}
            call = lambda input: tuple(torch.sort(input, dim=1, descending=descending, stable=True))
            case("sort", name, call, {"input": input}, attributes, gradient=input is not special,
                 outputs=("values", "indices"))
            case("argsort", name, lambda input: call(input)[1], {"input": input}, attributes, gradient=False)
        source = Source("topk")
        for name, dim, k in (("first", 0, 2), ("last", 2, 4), ("all", 1, 3)):
            case("topk", f"{order}_{name}", lambda input: tuple(torch.topk(input, k, dim=dim, largest=descending)),
                 {"input": source.distinct(3, 3, 6)}, {"k": k, "dim": dim, "largest": descending},
                 outputs=("values", "indices"))
    for op in ("argmax", "argmin"):
        function = getattr(torch, op)
        source = Source(op)
        for name, dim, keepdim in (("last", 2, False), ("middle_keepdim", 1, True)):
            case(op, name, lambda input: function(input, dim=dim, keepdim=keepdim), {"input": source.distinct(*shape)},
                 {"dim": dim, "keepdim": keepdim}, gradient=False)
        case(op, "ties_and_nan", lambda input: function(input, dim=1),
             {"input": tensor([[2.0, 2.0, 1.0], [0.0, 3.0, 3.0], [1.0, 1.0, 1.0], [1.0, NAN, NAN], [INF, -INF, INF]])},
             {"dim": 1, "keepdim": False}, gradient=False)


def contractions():
    source = Source("matmul")
    call = lambda input, other: torch.matmul(input, other)
    for name, left, right in (("plain", (3, 4), (4, 5)), ("batched", (2, 3, 4), (2, 4, 2)),
                              ("broadcast_right", (2, 3, 4), (4, 2)), ("broadcast_batches", (2, 1, 3, 4), (3, 4, 2)),
                              ("vector_right", (3, 4), (4,)), ("vector_left", (4,), (4, 3)), ("dot", (4,), (4,)),
                              ("batched_vector", (2, 3, 4), (4,)), ("inner_one", (3, 1), (1, 2))):
        case("matmul", name, call, {"input": source.normal(*left), "other": source.normal(*right)})
    source = Source("linear")
    case("linear", "bias", lambda input, weight, bias: F.linear(input, weight, bias),
         {"input": source.normal(3, 4), "weight": source.normal(5, 4), "bias": source.normal(5)})
    case("linear", "rank3_no_bias", lambda input, weight: F.linear(input, weight),
         {"input": source.normal(2, 3, 4), "weight": source.normal(5, 4)})

    variants = [
        ("plain", (1, 2, 5, 5), (3, 2, 3, 3), True, {}),
        ("stride_padding", (2, 2, 6, 5), (3, 2, 3, 3), True, {"stride": [2, 2], "padding": [1, 1]}),
        ("uneven", (1, 2, 6, 7), (2, 2, 3, 2), False, {"stride": [2, 1], "padding": [1, 0]}),
        ("dilation", (1, 1, 7, 7), (2, 1, 3, 3), True, {"dilation": [2, 2], "padding": [1, 1]}),
        ("groups", (1, 4, 4, 4), (6, 2, 3, 3), True, {"groups": 2, "padding": [1, 1]}),
        ("depthwise", (2, 3, 4, 4), (3, 1, 3, 3), False, {"groups": 3}),
        ("pointwise", (2, 3, 3, 3), (4, 3, 1, 1), True, {}),
        ("stride_leaves_a_rest", (1, 1, 6, 6), (1, 1, 3, 3), False, {"stride": [2, 2]}),
    ]
    source = Source("conv2d")
    for name, shape, weight, bias, chosen in variants:
        attributes = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, **chosen}
        inputs = {"input": source.normal(*shape), "weight": source.normal(*weight)}
        if bias:
            inputs["bias"] = source.normal(weight[0])
        case("conv2d", name, lambda input, weight, bias=None: F.conv2d(input, weight, bias, **attributes), inputs, attributes)
    source = Source("conv1d")
    for name, chosen in (("plain", {}), ("all", {"stride": [2], "padding": [2], "dilation": [2], "groups": 2})):
        attributes = {"stride": [1], "padding": [0], "dilation": [1], "groups": 1, **chosen}
        case("conv1d", name, lambda input, weight, bias: F.conv1d(input, weight, bias, **attributes),
             {"input": source.normal(2, 4, 7), "weight": source.normal(4, 4 // attributes["groups"], 3), "bias": source.normal(4)},
             attributes)
    source = Source("conv_transpose2d")
    for name, chosen in (("plain", {}), ("stride_padding", {"stride": [2, 2], "padding": [1, 1], "output_padding": [1, 1]}),
                         ("groups", {"groups": 2})):
        attributes = {"stride": [1, 1], "padding": [0, 0], "output_padding": [0, 0], "dilation": [1, 1], "groups": 1, **chosen}
        case("conv_transpose2d", name,
             lambda input, weight, bias: F.conv_transpose2d(input, weight, bias, **attributes),
             {"input": source.normal(1, 2, 3, 3), "weight": source.normal(2, 2, 3, 3),
              "bias": source.normal(2 * attributes["groups"])}, attributes)

    def attention(query, key, value, is_causal):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        if is_causal:
            keep = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
            scores = scores.masked_fill(~keep, -INF)
        return torch.softmax(scores, dim=-1) @ value

    source = Source("scaled_dot_product_attention")
    for is_causal in (False, True):
        case("scaled_dot_product_attention", "causal" if is_causal else "full",
             lambda query, key, value: attention(query, key, value, is_causal),
             {"query": source.normal(1, 2, 3, 4), "key": source.normal(1, 2, 3, 4), "value": source.normal(1, 2, 3, 4)},
             {"is_causal": is_causal})


def pooling():
    variants = [
        ("plain", (1, 2, 4, 4), {"kernel_size": [2, 2], "stride": [2, 2]}),
        ("overlap", (1, 1, 5, 5), {"kernel_size": [3, 3], "stride": [1, 1]}),
        ("padding", (1, 2, 5, 4), {"kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1]}),
        ("ceil_mode", (1, 1, 5, 6), {"kernel_size": [2, 2], "stride": [2, 2], "ceil_mode": True}),
        ("ceil_mode_padding", (1, 1, 6, 6), {"kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1], "ceil_mode": True}),
        # The last column's window would start in the right padding, so PyTorch drops it.
        ("ceil_mode_dropped", (1, 1, 4, 4), {"kernel_size": [1, 1], "stride": [3, 2], "padding": [0, 0], "ceil_mode": True}),
        ("uneven", (1, 1, 6, 5), {"kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 0]}),
    ]
    for name, shape, chosen in variants:
        attributes = {"padding": [0, 0], "ceil_mode": False, **chosen}
        case("max_pool2d", name, lambda input: F.max_pool2d(input, **attributes, dilation=1),
             {"input": Source("max_pool2d" + name).distinct(*shape)}, {**attributes, "dilation": [1, 1]})
        for include in (True, False):
            case("avg_pool2d", name + ("" if include else "_exclude_pad"),
                 lambda input: F.avg_pool2d(input, **attributes, count_include_pad=include),
                 {"input": Source("avg_pool2d" + name).normal(*shape)}, {**attributes, "count_include_pad": include})
    dilated = {"kernel_size": [2, 2], "stride": [1, 1], "padding": [0, 0], "dilation": [2, 2], "ceil_mode": False}
    case("max_pool2d", "dilation", lambda input: F.max_pool2d(input, **dilated),
         {"input": Source("max_pool2d/dilation").distinct(1, 1, 5, 5)}, dilated)
    plain = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0], "dilation": [1, 1], "ceil_mode": False}
    case("max_pool2d", "ties_to_the_first", lambda input: F.max_pool2d(input, **plain),
         {"input": tensor([[[[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]])}, plain)
    case("max_pool2d", "special_values", lambda input: F.max_pool2d(input, **plain),
         {"input": tensor([[[[1.0, NAN, -INF, -INF], [INF, 1.0, -INF, -INF]]]])}, plain, gradient=False)
    padded = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [1, 1], "dilation": [1, 1], "ceil_mode": False}
    case("max_pool2d", "padding_is_minus_infinity", lambda input: F.max_pool2d(input, **padded),
         {"input": tensor([[[[-3.0, -2.0], [-1.0, -4.0]]]])}, padded)
    source = Source("adaptive")
    case("adaptive_avg_pool2d", "global", lambda input: F.adaptive_avg_pool2d(input, 1), {"input": source.normal(2, 3, 4, 3)},
         {"output_size": [1, 1]})
    case("adaptive_avg_pool2d", "uneven", lambda input: F.adaptive_avg_pool2d(input, (2, 3)), {"input": source.normal(1, 1, 5, 5)},
         {"output_size": [2, 3]})
    case("adaptive_max_pool2d", "global", lambda input: F.adaptive_max_pool2d(input, 1), {"input": source.distinct(2, 3, 4, 3)},
         {"output_size": [1, 1]})
    case("adaptive_max_pool2d", "uneven", lambda input: F.adaptive_max_pool2d(input, (2, 3)), {"input": source.distinct(1, 2, 5, 5)},
         {"output_size": [2, 3]})
    case("adaptive_max_pool2d", "ties_to_the_first", lambda input: F.adaptive_max_pool2d(input, (2, 2)),
         {"input": tensor([[[[1.0, 2.0, 2.0], [2.0, 1.0, 2.0], [0.0, 2.0, 2.0]]]])}, {"output_size": [2, 2]})


def softmaxes_and_losses():
    for op, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        source = Source(op)
        for name, shape, dim in (("last", (2, 4), 1), ("first", (3, 2), 0), ("middle", (2, 3, 2), 1)):
            case(op, name, lambda input: function(input, dim=dim), {"input": source.normal(*shape)}, {"dim": dim})
        case(op, "large", lambda input: function(input, dim=1),
             {"input": tensor([[1000.0, 999.0, 0.0], [-1000.0, -1000.0, -1000.0]])}, {"dim": 1})
        case(op, "masked", lambda input: function(input, dim=1),
             {"input": tensor([[1.0, -INF, 2.0], [-INF, -INF, -INF], [INF, 1.0, 2.0], [NAN, 0.0, 1.0]])}, {"dim": 1},
             gradient=False)

    source = Source("cross_entropy")
    logits, target = source.normal(4, 5), source.integers(0, 5, 4)
    holes = torch.tensor([1, -100, 4, -100])
    variants = [("mean", target, {}), ("sum", target, {"reduction": "sum"}), ("none", target, {"reduction": "none"}),
                ("label_smoothing", target, {"label_smoothing": 0.125}),
                ("label_smoothing_sum", target, {"label_smoothing": 0.25, "reduction": "sum"}),
                ("ignore_index", holes, {}), ("ignore_index_sum", holes, {"reduction": "sum"}),
                ("ignore_index_none", holes, {"reduction": "none"}),
                ("ignore_index_own", torch.tensor([0, 2, 2, 1]), {"ignore_index": 2}),
                ("ignore_index_smoothing", holes, {"label_smoothing": 0.125}),
                ("all_ignored_sum", torch.full((4,), -100), {"reduction": "sum"})]
    for name, labels, chosen in variants:
        attributes = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0, **chosen}
        case("cross_entropy", name, lambda input, target: F.cross_entropy(input, target, **attributes),
             {"input": logits, "target": labels}, attributes)
    attributes = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
    case("cross_entropy", "all_ignored", lambda input, target: F.cross_entropy(input, target, **attributes),
         {"input": logits, "target": torch.full((4,), -100)}, attributes, gradient=False)
    case("cross_entropy", "large_logits", lambda input, target: F.cross_entropy(input, target, **attributes),
         {"input": tensor([[1000.0, 0.0], [-1000.0, 1000.0]]), "target": torch.tensor([1, 1])}, attributes)
    case("cross_entropy", "positions", lambda input, target: F.cross_entropy(input, target, **attributes),
         {"input": source.normal(2, 3, 4), "target": source.integers(0, 3, 2, 4)}, attributes)
    probabilities = torch.softmax(source.normal(3, 4), dim=1)
    case("cross_entropy", "probabilities",
         lambda input, target: F.cross_entropy(input, target.detach(), reduction="mean"),
         {"input": source.normal(3, 4), "target": probabilities}, {"reduction": "mean", "label_smoothing": 0.0})

    source = Source("nll_loss")
    for reduction in ("mean", "sum", "none"):
        chosen = {"ignore_index": -100, "reduction": reduction}
        case("nll_loss", reduction, lambda input, target: F.nll_loss(input, target, **chosen),
             {"input": source.normal(3, 4), "target": torch.tensor([3, -100, 0])}, chosen)
    losses = {
        "mse_loss": (F.mse_loss, {}), "l1_loss": (F.l1_loss, {}), "huber_loss": (F.huber_loss, {"delta": 1.0}),
        "smooth_l1_loss": (F.smooth_l1_loss, {"beta": 0.5}),
    }
    for op, (function, chosen) in losses.items():
        source = Source(op)
        for reduction in ("mean", "sum", "none"):
            case(op, reduction, lambda input, target: function(input, target, reduction=reduction, **chosen),
                 {"input": source.normal(3, 2), "target": source.normal(3, 2)}, {"reduction": reduction, **chosen})
    case("l1_loss", "kink", lambda input, target: F.l1_loss(input, target), {"input": tensor([1.0, 2.0]), "target": tensor([1.0, 1.0])},
         {"reduction": "mean"})
    source = Source("bce")
    for reduction in ("mean", "sum", "none"):
        case("binary_cross_entropy_with_logits", reduction,
             lambda input, target: F.binary_cross_entropy_with_logits(input, target, reduction=reduction),
             {"input": source.normal(3, 2), "target": source.unit(3, 2)}, {"reduction": reduction})
    case("binary_cross_entropy_with_logits", "large",
         lambda input, target: F.binary_cross_entropy_with_logits(input, target, reduction="none"),
         {"input": tensor([1000.0, -1000.0, 1000.0, -1000.0]), "target": tensor([1.0, 0.0, 0.0, 1.0])}, {"reduction": "none"})
    case("binary_cross_entropy_with_logits", "pos_weight",
         lambda input, target, pos_weight: F.binary_cross_entropy_with_logits(input, target, pos_weight=pos_weight.detach()),
         {"input": source.normal(3, 2), "target": source.unit(3, 2), "pos_weight": tensor([2.0, 0.5])}, {"reduction": "mean"})
    source = Source("binary_cross_entropy")
    case("binary_cross_entropy", "mean", lambda input, target: F.binary_cross_entropy(input, target.detach()),
         {"input": source.unit(3, 2), "target": source.unit(3, 2)}, {"reduction": "mean"})
    source = Source("kl_div")
    for log_target in (False, True):
        case("kl_div", f"log_target_{log_target}".lower(),
             lambda input, target: F.kl_div(input, target, reduction="batchmean", log_target=log_target),
             {"input": torch.log_softmax(source.normal(3, 4), 1),
              "target": torch.log_softmax(source.normal(3, 4), 1) if log_target else torch.softmax(source.normal(3, 4), 1)},
             {"reduction": "batchmean", "log_target": log_target})


def normalisation():
    for name, shape in (("rank4", (2, 3, 2, 2)), ("rank2", (4, 3)), ("rank3", (2, 3, 4))):
        source = Source(f"batch_norm/{name}")
        weight, bias = source.positive(3), source.normal(3)
        mean, var = source.normal(3), source.positive(3)
        x = source.normal(*shape)
        attributes = {"training": True, "momentum": 0.1, "eps": 1e-5}

        def train(input, weight, bias, running_mean, running_var):
            new_mean, new_var = running_mean.detach().clone(), running_var.detach().clone()
            output = F.batch_norm(input, new_mean, new_var, weight, bias, True, 0.1, 1e-5)
            axes = [i for i in range(input.dim()) if i != 1]
            batch = input.detach()
            return output, new_mean, new_var, batch.mean(axes), batch.var(axes, unbiased=False)

        case("batch_norm", f"train_{name}", train,
             {"input": x, "weight": weight, "bias": bias, "running_mean": mean, "running_var": var}, attributes,
             outputs=("output", "running_mean", "running_var", "batch_mean", "batch_var"))
        case("batch_norm", f"eval_{name}",
             lambda input, weight, bias, running_mean, running_var: F.batch_norm(
                 input, running_mean.detach(), running_var.detach(), weight, bias, False, 0.1, 1e-5),
             {"input": x, "weight": weight, "bias": bias, "running_mean": mean, "running_var": var},
             {**attributes, "training": False})
    source = Source("layer_norm")
    for name, shape, normalized in (("last", (3, 4), [4]), ("two", (2, 3, 4), [3, 4]), ("rank3", (2, 2, 4), [4])):
        case("layer_norm", name, lambda input, weight, bias: F.layer_norm(input, normalized, weight, bias, 1e-5),
             {"input": source.normal(*shape), "weight": source.normal(*normalized), "bias": source.normal(*normalized)},
             {"normalized_shape": normalized, "eps": 1e-5})
    case("layer_norm", "no_affine", lambda input: F.layer_norm(input, [4]), {"input": source.normal(3, 4)},
         {"normalized_shape": [4], "eps": 1e-5})
    case("layer_norm", "constant_row", lambda input: F.layer_norm(input, [4]), {"input": torch.full((1, 4), 2.5)},
         {"normalized_shape": [4], "eps": 1e-5})
    source = Source("group_norm")
    for groups in (1, 2):
        case("group_norm", f"groups{groups}", lambda input, weight, bias: F.group_norm(input, groups, weight, bias, 1e-5),
             {"input": source.normal(2, 4, 2, 3), "weight": source.normal(4), "bias": source.normal(4)},
             {"num_groups": groups, "eps": 1e-5})
    source = Source("rms_norm")
    case("rms_norm", "last", lambda input, weight: input / torch.sqrt((input * input).mean(-1, keepdim=True) + 1e-6) * weight,
         {"input": source.normal(3, 4), "weight": source.normal(4)}, {"normalized_shape": [4], "eps": 1e-6})
    source = Source("normalize")
    case("normalize", "l2", lambda input: F.normalize(input, p=2.0, dim=1), {"input": source.normal(3, 4)},
         {"p": 2.0, "dim": 1, "eps": 1e-12})


def indexing():
    source = Source("embedding")
    case("embedding", "plain", lambda input, weight: F.embedding(input, weight),
         {"input": source.integers(0, 5, 2, 3), "weight": source.normal(5, 3)})
    case("embedding", "repeated", lambda input, weight: F.embedding(input, weight),
         {"input": torch.tensor([1, 1, 1, 0]), "weight": source.normal(3, 2)})
    case("embedding", "padding_idx", lambda input, weight: F.embedding(input, weight, padding_idx=1),
         {"input": torch.tensor([1, 2, 1, 0]), "weight": source.normal(3, 2)}, {"padding_idx": 1})
    source = Source("gather")
    for dim, shape in ((0, (2, 4)), (1, (3, 2))):
        case("gather", f"dim{dim}", lambda input, index: torch.gather(input, dim, index),
             {"input": source.normal(3, 4), "index": source.integers(0, 3, *shape)}, {"dim": dim})
    case("gather", "rank3", lambda input, index: torch.gather(input, 1, index),
         {"input": source.normal(2, 3, 2), "index": source.integers(0, 3, 2, 4, 2)}, {"dim": 1})
    source = Source("index_select")
    for dim in (0, 1):
        case("index_select", f"dim{dim}", lambda input, index: torch.index_select(input, dim, index),
             {"input": source.normal(3, 4), "index": torch.tensor([2, 0, 2])}, {"dim": dim})
    source = Source("scatter_add")
    for dim in (0, 1):
        case("scatter_add", f"dim{dim}", lambda input, index, src: torch.scatter_add(input, dim, index, src),
             {"input": source.normal(3, 4), "index": source.integers(0, 3, 3, 4), "src": source.normal(3, 4)}, {"dim": dim})
    source = Source("index_add")
    for dim in (0, 1):
        case("index_add", f"dim{dim}", lambda input, index, source: torch.index_add(input, dim, index, source),
             {"input": source.normal(3, 3), "index": torch.tensor([2, 0, 2]), "source": source.normal(3, 3)}, {"dim": dim})
    case("one_hot", "plain", lambda input: F.one_hot(input, 4), {"input": torch.tensor([0, 3, 1, 1])}, {"num_classes": 4})
    case("one_hot", "rank2", lambda input: F.one_hot(input, 3), {"input": torch.tensor([[0, 2], [1, 1]])}, {"num_classes": 3})


def shapes():
    source = Source("permute")
    for name, dims in (("swap", [0, 2, 1]), ("rotate", [2, 0, 1]), ("identity", [0, 1, 2])):
        case("permute", name, lambda input: torch.permute(input, dims), {"input": source.normal(2, 3, 4)}, {"dims": dims})
    source = Source("transpose")
    case("transpose", "plain", lambda input: torch.transpose(input, 0, -1), {"input": source.normal(2, 3, 4)},
         {"dim0": 0, "dim1": -1})
    source = Source("reshape")
    for name, shape in (("split", [2, 2, 3]), ("infer", [3, -1])):
        case("reshape", name, lambda input: torch.reshape(input, shape), {"input": source.normal(4, 3)}, {"shape": shape})
    source = Source("broadcast_to")
    for name, start, size in (("row", (3,), [2, 3]), ("column", (3, 1), [3, 4]), ("scalar", (), [2, 2]), ("inner", (2, 1, 3), [2, 4, 3])):
        case("broadcast_to", name, lambda input: torch.broadcast_to(input, size), {"input": source.normal(*start)}, {"size": size})
    source = Source("slice")
    for name, dim, start, end, step in (("plain", 1, 1, 4, 1), ("step", 1, 0, 6, 2), ("step_rest", 1, 1, 6, 3), ("first", 0, 1, 2, 1)):
        case("slice", name, lambda input: torch.ops.aten.slice(input, dim, start, end, step), {"input": source.normal(3, 6)},
             {"dim": dim, "start": start, "end": end, "step": step})
    source = Source("pad")
    for name, amounts, value in (("last", [1, 2], 0.0), ("two", [1, 0, 2, 1], 0.5), ("negative", [-1, 1], 0.0), ("infinity", [0, 1], -INF)):
        attributes = {"pad": amounts, "mode": "constant", "value": value if math.isfinite(value) else "-inf"}
        case("pad", name, lambda input: F.pad(input, amounts, "constant", value), {"input": source.normal(2, 3)}, attributes)
    source = Source("cat")
    case("cat", "rows", lambda tensors: torch.cat(tensors, 0), {"tensors": [source.normal(1, 3), source.normal(2, 3)]}, {"dim": 0})
    case("cat", "columns", lambda tensors: torch.cat(tensors, 1),
         {"tensors": [source.normal(2, 1), source.normal(2, 2), source.normal(2, 3)]}, {"dim": 1})
    source = Source("stack")
    for dim in (0, 1, -1):
        case("stack", f"dim{dim}", lambda tensors: torch.stack(tensors, dim),
             {"tensors": [source.normal(2, 3), source.normal(2, 3)]}, {"dim": dim})
    source = Source("flatten")
    for name, start, end in (("from_one", 1, -1), ("all", 0, -1), ("middle", 1, 2)):
        case("flatten", name, lambda input: torch.flatten(input, start, end), {"input": source.normal(2, 3, 2, 2)},
             {"start_dim": start, "end_dim": end})
    source = Source("flip")
    case("flip", "both", lambda input: torch.flip(input, [0, 1]), {"input": source.normal(2, 3)}, {"dims": [0, 1]})
    source = Source("tril")
    for diagonal in (0, -1, 1):
        case("tril", f"diagonal{diagonal}", lambda input: torch.tril(input, diagonal), {"input": source.normal(3, 4)},
             {"diagonal": diagonal})


def recurrent():
    for op, module, gates in (("lstm", torch.nn.LSTM, 4), ("gru", torch.nn.GRU, 3), ("rnn_tanh", torch.nn.RNN, 1)):
        source = Source(op)
        hidden, features = 3, 2
        inputs = {
            "input": source.normal(4, 2, features), "weight_ih": source.normal(gates * hidden, features),
            "weight_hh": source.normal(gates * hidden, hidden), "bias_ih": source.normal(gates * hidden),
            "bias_hh": source.normal(gates * hidden), "h0": source.normal(1, 2, hidden),
        }
        if op == "lstm":
            inputs["c0"] = source.normal(1, 2, hidden)

        def run(input, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0=None):
            weights = [weight_ih, weight_hh, bias_ih, bias_hh]
            if op == "lstm":
                return torch._VF.lstm(input, (h0, c0), weights, True, 1, 0.0, False, False, False)
            function = torch._VF.gru if op == "gru" else torch._VF.rnn_tanh
            return function(input, h0, weights, True, 1, 0.0, False, False, False)

        case(op, "sequence_first", run, inputs, {"batch_first": False},
             outputs=("output", "hn", "cn") if op == "lstm" else ("output", "hn"))


def recurrent_layers():
    """Whole layers with PyTorch's names of parameters: two layers, both directions, batches first, sequences that end."""
    for op, module in (("lstm_layers", torch.nn.LSTM), ("gru_layers", torch.nn.GRU), ("rnn_layers", torch.nn.RNN)):
        for name, options, lengths in (
                ("two_layers", {"num_layers": 2}, None),
                ("bidirectional", {"bidirectional": True, "batch_first": True}, None),
                ("no_bias", {"bias": False}, None),
                ("lengths", {"num_layers": 2, "bidirectional": True}, [3, 1, 4])):
            source = Source(f"{op}/{name}")
            layer = module(2, 3, **options)
            batch_first = options.get("batch_first", False)
            inputs = {"input": source.normal(3, 4, 2) if batch_first else source.normal(4, 3, 2)}
            for key, value in layer.named_parameters():
                inputs[key] = source.normal(*value.shape) / 2
            if lengths:
                inputs["lengths"] = torch.tensor(lengths)

            def run(input, lengths=None, **parameters):
                layer._flat_weights = [parameters[key] for key in layer._flat_weights_names]  # what forward reads
                if lengths is None:
                    output, state = layer(input)
                else:
                    packed = torch.nn.utils.rnn.pack_padded_sequence(input, lengths, enforce_sorted=False)
                    output, state = layer(packed)
                    output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, total_length=input.shape[0])
                return (output, *state) if isinstance(state, tuple) else (output, state)

            case(op, name, run, inputs, options, outputs=("output", "hn", "cn") if op == "lstm_layers" else ("output", "hn"))


def transformers():
    source = Source("einsum")
    for equation, shapes in (("ij,jk->ik", [(2, 3), (3, 4)]), ("bij,bkj->bik", [(2, 3, 4), (2, 2, 4)]), ("bhid,bhjd->bhij", [(2, 2, 3, 2), (2, 2, 4, 2)]),
                             ("ij,jk", [(2, 3), (3, 4)]), ("i,j->ij", [(3,), (2,)]), ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("ii->i", [(3, 3)]),
                             ("ii", [(3, 3)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]), ("abc,cd->dab", [(2, 3, 2), (2, 4)]), ("ij,ij->i", [(2, 3), (2, 3)]),
                             ("ij,k->ik", [(2, 3), (4,)]), ("aij,j->ai", [(2, 3, 4), (4,)])):
        case("einsum", equation, lambda operands: torch.einsum(equation, operands), {"operands": [source.normal(*shape) for shape in shapes]},
             {"equation": equation})

    def layer_case(op, name, layer, inputs, attributes, masks=None):
        source = Source(f"{op}/{name}")
        inputs = {key: source.normal(*shape) for key, shape in inputs.items()}
        names = list(inputs)
        for key, value in layer.named_parameters():
            inputs[key] = source.normal(*value.shape) / 2
        masks = masks or {}
        inputs.update(masks)

        def run(**arguments):
            given = [arguments.pop(key) for key in names]
            chosen = {key: arguments.pop(key) for key in masks}
            result = functional_call(layer, arguments, tuple(given), chosen)
            return result[0] if isinstance(result, tuple) else result

        case(op, name, run, inputs, attributes)

    causal = torch.ones(3, 3, dtype=torch.bool).triu(1)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    options = {"embed_dim": 4, "num_heads": 2, "bias": True, "batch_first": False}
    for name, chosen, shapes, masks in (
            ("self", {}, [(3, 2, 4)] * 3, None), ("batch_first", {"batch_first": True}, [(2, 3, 4)] * 3, None),
            ("cross", {}, [(2, 2, 4), (3, 2, 4), (3, 2, 4)], None), ("no_bias", {"bias": False}, [(3, 2, 4)] * 3, None),
            ("key_padding_mask", {"batch_first": True}, [(2, 3, 4)] * 3, {"key_padding_mask": padding}),
            ("attn_mask", {}, [(3, 2, 4)] * 3, {"attn_mask": causal}),
            ("both_masks", {}, [(3, 2, 4)] * 3, {"attn_mask": causal, "key_padding_mask": padding})):
        attributes = {**options, **chosen}
        layer_case("multihead_attention", name, torch.nn.MultiheadAttention(**attributes), dict(zip(("query", "key", "value"), shapes)), attributes, masks)
    for op, kind in (("transformer_encoder_layer", torch.nn.TransformerEncoderLayer), ("transformer_decoder_layer", torch.nn.TransformerDecoderLayer)):
        for name, chosen in (("norm_last", {}), ("norm_first", {"norm_first": True, "batch_first": True})):
            attributes = {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "norm_first": False, "batch_first": False, **chosen}
            shapes = {"src": (3, 2, 4)} if op == "transformer_encoder_layer" else {"tgt": (2, 2, 4), "memory": (3, 2, 4)}
            if attributes["batch_first"]:
                shapes = {key: (shape[1], shape[0], shape[2]) for key, shape in shapes.items()}
            layer_case(op, name, kind(**attributes, dropout=0.0), shapes, attributes)


def optimisers():
    """Five steps with given gradients: inputs are the parameter and each step's gradient, outputs the parameter after each."""
    variants = [
        ("sgd", torch.optim.SGD, "plain", {"lr": 0.1}),
        ("sgd", torch.optim.SGD, "momentum", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
        ("sgd", torch.optim.SGD, "nesterov", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("adam", torch.optim.Adam, "defaults", {"lr": 1e-3}),
        ("adam", torch.optim.Adam, "weight_decay", {"lr": 1e-2, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1}),
        ("adamw", torch.optim.AdamW, "defaults", {"lr": 1e-3}),
        ("adamw", torch.optim.AdamW, "weight_decay", {"lr": 1e-2, "betas": [0.8, 0.95], "weight_decay": 0.2}),
        ("rmsprop", torch.optim.RMSprop, "momentum", {"lr": 1e-2, "alpha": 0.9, "eps": 1e-6, "momentum": 0.5}),
        ("adagrad", torch.optim.Adagrad, "plain", {"lr": 0.1}),
    ]
    for op, kind, name, options in variants:
        source = Source(f"{op}/{name}")

        def run(parameter, gradient):
            parameter = parameter.clone().requires_grad_()
            optimiser = kind([parameter], **options)
            after = []
            for g in gradient:
                parameter.grad = g.clone()
                optimiser.step()
                after.append(parameter.detach().clone())
            return tuple(after)

        case(op, name, run, {"parameter": source.normal(4), "gradient": [source.normal(4) for _ in range(5)]}, options,
             gradient=False, outputs=[f"parameter.{step}" for step in range(1, 6)])
    source = Source("clip_grad_norm")

    def clip(gradient):
        parameters = [torch.zeros_like(g).requires_grad_() for g in gradient]
        for parameter, g in zip(parameters, gradient):
            parameter.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        return (norm, *[parameter.grad for parameter in parameters])

    for name, scale in (("clipped", 1.0), ("left_alone", 1 / 64)):
        case("clip_grad_norm", name, clip, {"gradient": [source.normal(3) * scale, source.normal(2, 2) * scale]}, {"max_norm": 1.0},
             gradient=False, outputs=("norm", "gradient.0", "gradient.1"))


class GradScaler:
    """torch.cuda.amp.GradScaler over one parameter, written out from its kernels (amp_non_finite_check_and_unscale,
    amp_update_scale): PyTorch 1.13 has them for CUDA only. Scaled gradients are f32."""

    def __init__(self, init_scale, growth_factor, backoff_factor, growth_interval):
        self.scale, self.tracker = torch.tensor(init_scale, dtype=torch.float32), 0
        self.growth_factor, self.backoff_factor, self.growth_interval = growth_factor, backoff_factor, growth_interval

    def step(self, optimiser, parameter, gradient):
        scaled = gradient.to(torch.float32) * self.scale
        found_inf = not bool(torch.isfinite(scaled).all())
        parameter.grad = (scaled * self.scale.double().reciprocal().float()).double()
        if not found_inf:
            optimiser.step()
        if found_inf:
            self.scale, self.tracker = (self.scale.double() * self.backoff_factor).float(), 0
            return
        self.tracker += 1
        if self.tracker == self.growth_interval:
            grown = (self.scale.double() * self.growth_factor).float()
            self.scale, self.tracker = grown if torch.isfinite(grown) else self.scale, 0


def loss_scaling():
    """Twelve steps, some of whose gradients overflow f32 when they are scaled: the parameter and the scale after each."""
    defaults = {"init_scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 3}
    for name, kind, options, scaling, overflows in (
            ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, defaults, (4, 5, 9)),
            ("adam", torch.optim.Adam, {"lr": 1e-2}, defaults, (0, 6)),
            ("adamw", torch.optim.AdamW, {"lr": 1e-2}, {**defaults, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 2}, (3,)),
            ("at_the_largest", torch.optim.SGD, {"lr": 0.1}, {**defaults, "init_scale": 2.0 ** 126, "growth_interval": 1}, ())):
        source = Source(f"grad_scaler/{name}")
        # Small enough to stay finite at the scale, or far beyond.
        usual, huge = 1024.0 / scaling["init_scale"], 1e36

        def run(parameter, gradient):
            parameter = parameter.clone().requires_grad_()
            optimiser, scaler = kind([parameter], **options), GradScaler(**scaling)
            after = []
            for g in gradient:
                scaler.step(optimiser, parameter, g)
                after += [parameter.detach().clone(), scaler.scale.double()]
            return tuple(after)

        gradients = [source.normal(4) * (huge if step in overflows else usual) for step in range(12)]
        case("grad_scaler", name, run, {"parameter": source.normal(4), "gradient": gradients}, {**options, **scaling},
             gradient=False, outputs=[f"{what}.{step}" for step in range(1, 13) for what in ("parameter", "scale")])


# ---- Files -----------------------------------------------------------------------------------

def write(op, cases):
    """JSON with one line per tensor, so that a difference shows which one changed."""
    lines = ["{", f' "op": {json.dumps(op)},', ' "cases": [']
    for i, record in enumerate(cases):
        lines.append("  {" + f'"name": {json.dumps(record["name"])}, "attributes": {json.dumps(record["attributes"])},')
        sections = [key for key in ("inputs", "outputs", "cotangents", "gradients") if key in record]
        for section in sections:
            lines.append(f'   "{section}": [')
            tensors = [json.dumps(value, separators=(", ", ": "), allow_nan=False) for value in record[section]]
            lines.extend("    " + text + ("," if j + 1 < len(tensors) else "") for j, text in enumerate(tensors))
            lines.append("   ]" + ("," if section != sections[-1] else ""))
        lines.append("  }" + ("," if i + 1 < len(cases) else ""))
    lines += [" ]", "}"]
    with open(os.path.join(FOLDER, op + ".json"), "w") as file:
        file.write("\n".join(lines) + "\n")


def differences(old, new, path=""):
    """The first place where two records differ by more than rounding (libraries of libm differ in the last bits)."""
    if type(old) is not type(new) and not (isinstance(old, (int, float)) and isinstance(new, (int, float))):
        return f"{path}: {old!r} against {new!r}"
    if isinstance(old, dict):
        if old.keys() != new.keys():
            return f"{path}: keys {sorted(old)} against {sorted(new)}"
        return next((d for key in old for d in [differences(old[key], new[key], f"{path}/{key}")] if d), None)
    if isinstance(old, list):
        if len(old) != len(new):
            return f"{path}: {len(old)} against {len(new)} elements"
        return next((d for i in range(len(old)) for d in [differences(old[i], new[i], f"{path}/{i}")] if d), None)
    if isinstance(old, float) or isinstance(new, float):
        close = abs(old - new) <= 1e-12 * max(1.0, abs(old)) and math.copysign(1, old) == math.copysign(1, new)
        return None if close or abs(old - new) <= 1e-15 and old != 0 else f"{path}: {old!r} against {new!r}"
    return None if old == new else f"{path}: {old!r} against {new!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed vectors")
    check = parser.parse_args().check
    for family in (elementwise, binary, reductions, contractions, pooling, softmaxes_and_losses, normalisation, indexing,
                   shapes, recurrent, recurrent_layers, transformers, optimisers, loss_scaling):
        family()
    training(case, Source)
    for op, cases in CASES.items():
        names = [record["name"] for record in cases]
        assert len(set(names)) == len(names), (op, names)
    if not check:
        os.makedirs(FOLDER, exist_ok=True)
        for op, cases in CASES.items():
            write(op, cases)
        print(f"{len(CASES)} ops, {sum(map(len, CASES.values()))} cases (torch {torch.__version__})")
        return 0
    committed = {name[:-5] for name in os.listdir(FOLDER) if name.endswith(".json")}
    problems = [f"{op}: no such op in the script" for op in sorted(committed - CASES.keys())]
    for op, cases in CASES.items():
        if op not in committed:
            problems.append(f"{op}: not committed")
            continue
        with open(os.path.join(FOLDER, op + ".json")) as file:
            found = differences(json.load(file)["cases"], json.loads(json.dumps(cases)), op)
        if found:
            problems.append(found)
    print("\n".join(problems) or f"{len(CASES)} ops agree with the committed vectors")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
