"""Names, sizes and inputs of the models that `gpu-suite run models` times, as tests/suite/ModelGraphs.cpp has them."""

# kind; batch; what makes it; optimiser
REAL = {
    "linear_regression": dict(kind="linear", batch=100, features=2, optimiser="sgd"),
    "digits_cnn": dict(kind="cnn", batch=64, side=8, channels=(1, 32, 64), dense=(1024, 64, 10), padding=1,
                       pools=(False, True), optimiser="adam"),
    "mnist_cnn": dict(kind="cnn", batch=128, side=28, channels=(1, 32, 64), dense=(1600, 10), padding=0,
                      pools=(True, True), optimiser="adam"),
    "cifar10_cnn": dict(kind="cnn", batch=128, side=32, channels=(3, 32, 64), dense=(2304, 64, 10), padding=0,
                        pools=(True, True), optimiser="adam"),
    "cnn112": dict(kind="cnn", batch=32, side=112, channels=(3, 16, 32), dense=(25088, 128, 10), padding=1,
                   pools=(True, True), optimiser="adam"),
    "lstm": dict(kind="lstm", batch=32, length=128, width=128, optimiser="adamw"),
    "lstm_text": dict(kind="lstm_text", batch=32, length=64, words=10000, classes=4, optimiser="adam"),
    "recommender": dict(kind="recommender", batch=1024, words=100000, dim=8, hidden=32, optimiser="adamw"),
    "bert": dict(kind="bert", batch=8, length=128, words=30522, width=768, layers=12, heads=12, hidden=3072, positions=512,
                 classes=9, optimiser="adamw"),
    "char_gpt": dict(kind="gpt", batch=8, length=256, words=65, width=384, layers=6, heads=6, hidden=1536, positions=256,
                     classes=65, optimiser="adamw"),
    "vit": dict(kind="vit", batch=32, side=224, patch=16, width=768, layers=12, heads=12, hidden=3072, classes=1000,
                optimiser="adamw"),
    "resnet18": dict(kind="resnet", batch=64, side=32, depth=18, width=64, classes=10, small_stem=True, optimiser="momentum"),
    "resnet50": dict(kind="resnet", batch=32, side=224, depth=50, width=64, classes=1000, small_stem=False,
                     optimiser="momentum"),
}
TINY = {
    "linear_regression": dict(batch=4), "digits_cnn": dict(batch=4), "mnist_cnn": dict(batch=4),
    "cifar10_cnn": dict(batch=4), "cnn112": dict(batch=1), "lstm": dict(batch=3, length=5, width=8),
    "lstm_text": dict(batch=3, length=6, words=20), "recommender": dict(batch=8, words=20),
    "bert": dict(batch=2, length=6, words=40, width=16, layers=2, heads=2, hidden=24, positions=16),
    "char_gpt": dict(batch=2, length=6, words=11, width=16, layers=2, heads=2, hidden=64, positions=6, classes=11),
    "vit": dict(batch=2, side=8, patch=4, width=16, layers=2, heads=2, hidden=24, classes=10),
    "resnet18": dict(batch=2, side=8, width=4), "resnet50": dict(batch=2, side=32, width=4, classes=10),
}


def models(tiny):
    return {name: {**size, **(TINY[name] if tiny else {})} for name, size in REAL.items()}


def inputs(size):
    """((shape, below), (shape, below)) of x and y; below 0: floats."""
    kind, n = size["kind"], size["batch"]
    if kind == "linear":
        return ((n, size["features"]), 0), ((n, 1), 0)
    if kind == "cnn":
        return ((n, size["channels"][0], size["side"], size["side"]), 0), ((n,), size["dense"][-1])
    if kind == "lstm":
        return ((n, size["length"], size["width"]), 0), ((n,), 10)
    if kind == "lstm_text":
        return ((n, size["length"]), size["words"]), ((n,), size["classes"])
    if kind == "recommender":
        return ((n, 2), size["words"]), ((n,), 0)
    if kind in ("bert", "gpt"):
        return ((n, size["length"]), size["words"]), ((n, size["length"]), size["classes"])
    return ((n, 3, size["side"], size["side"]), 0), ((n,), size["classes"])
