"""Trainings of twenty steps: optimisers, schedules, clipping, averages and weighted losses, as PyTorch makes them.

make_vectors.py calls `training`. A linear model with four inputs and two outputs, a mean squared error, a new batch of
eight at each step; the loss and the learning rate of each step are the outputs, and the parameters at the end.
"""
import math

import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler as lrs
from torch.optim.swa_utils import AveragedModel

STEPS = 20


def warmup(optimiser, warmup_steps, total_steps, decay):
    """transformers.get_{linear,cosine,constant}_schedule_with_warmup."""
    def factor(step):
        if step < warmup_steps:
            return step / max(1, warmup_steps)
        if decay == "constant":
            return 1.0
        share = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return max(0.0, 1 - share) if decay == "linear" else max(0.0, 0.5 * (1 + math.cos(math.pi * share)))
    return lrs.LambdaLR(optimiser, factor)


def sequential(optimiser, milestone, start_factor, total_iters, gamma):
    first = lrs.LinearLR(optimiser, start_factor=start_factor, total_iters=total_iters)
    return lrs.SequentialLR(optimiser, [first, lrs.ExponentialLR(optimiser, gamma)], [milestone])


SCHEDULES = {
    "step": lrs.StepLR, "multi_step": lrs.MultiStepLR, "exponential": lrs.ExponentialLR, "cosine": lrs.CosineAnnealingLR,
    "linear": lrs.LinearLR, "warmup": warmup, "one_cycle": lrs.OneCycleLR, "plateau": lrs.ReduceLROnPlateau,
    "sequential": sequential,
}
OPTIMISERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop,
              "adagrad": torch.optim.Adagrad}
SGD = {"lr": 0.05, "momentum": 0.9}
VARIANTS = [
    ("sgd", "sgd", SGD, {}),
    ("sgd_plain", "sgd", {"lr": 0.1}, {}),
    ("adam", "adam", {"lr": 0.05}, {}),
    ("adamw", "adamw", {"lr": 0.05, "weight_decay": 0.1}, {}),
    ("rmsprop", "rmsprop", {}, {}),
    ("rmsprop_momentum", "rmsprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.01}, {}),
    ("rmsprop_centered", "rmsprop", {"lr": 0.02, "alpha": 0.8, "eps": 1e-3, "centered": True}, {}),
    ("adagrad", "adagrad", {"lr": 0.2}, {}),
    ("adagrad_decay", "adagrad", {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.05}, {}),
    ("step", "sgd", SGD, {"schedule": "step", "arguments": {"step_size": 6, "gamma": 0.5}}),
    ("multi_step", "adam", {"lr": 0.1}, {"schedule": "multi_step", "arguments": {"milestones": [3, 8, 15], "gamma": 0.5}}),
    ("exponential", "sgd", SGD, {"schedule": "exponential", "arguments": {"gamma": 0.8}}),
    ("cosine", "adam", {"lr": 0.1}, {"schedule": "cosine", "arguments": {"T_max": 12, "eta_min": 0.01}}),
    ("linear", "sgd", SGD, {"schedule": "linear", "arguments": {"start_factor": 0.25, "end_factor": 1.0, "total_iters": 7}}),
    ("linear_warmup_linear", "adamw", {"lr": 0.1}, {"schedule": "warmup",
     "arguments": {"warmup_steps": 5, "total_steps": 18, "decay": "linear"}}),
    ("linear_warmup_cosine", "adam", {"lr": 0.1}, {"schedule": "warmup",
     "arguments": {"warmup_steps": 4, "total_steps": 20, "decay": "cosine"}}),
    ("linear_warmup_constant", "rmsprop", {"lr": 0.02}, {"schedule": "warmup",
     "arguments": {"warmup_steps": 8, "total_steps": 20, "decay": "constant"}}),
    ("one_cycle_sgd", "sgd", SGD, {"schedule": "one_cycle", "arguments": {"max_lr": 0.1, "total_steps": 20}}),
    ("one_cycle_adam", "adam", {"lr": 0.1}, {"schedule": "one_cycle",
     "arguments": {"max_lr": 0.2, "total_steps": 24, "pct_start": 0.4, "anneal_strategy": "linear"}}),
    ("one_cycle_three_phases", "adamw", {"lr": 0.1}, {"schedule": "one_cycle",
     "arguments": {"max_lr": 0.2, "total_steps": 20, "three_phase": True, "cycle_momentum": False}}),
    ("plateau", "sgd", {"lr": 0.2}, {"schedule": "plateau",
     "arguments": {"factor": 0.5, "patience": 1, "threshold": 0.05, "cooldown": 2, "min_lr": 0.03}}),
    ("plateau_max_abs", "adam", {"lr": 0.1}, {"schedule": "plateau",
     "arguments": {"mode": "max", "factor": 0.2, "patience": 2, "threshold": 0.1, "threshold_mode": "abs"}}),
    ("sequential", "sgd", SGD, {"schedule": "sequential",
     "arguments": {"milestone": 6, "start_factor": 0.2, "total_iters": 4, "gamma": 0.9}}),
    ("clip_norm", "sgd", {"lr": 0.5}, {"clip_norm": 0.7}),
    ("clip_norm_adam", "adam", {"lr": 0.1}, {"clip_norm": 1.5}),
    ("clip_value", "sgd", {"lr": 0.3, "momentum": 0.5}, {"clip_value": 0.2}),
    ("ema", "adam", {"lr": 0.1}, {"ema": 0.9}),
    ("swa", "sgd", SGD, {"swa": True}),
]


def make(kind, options, extra):
    def run(x, y, weight, bias):
        weight, bias = torch.nn.Parameter(weight.clone()), torch.nn.Parameter(bias.clone())
        optimiser = OPTIMISERS[kind]([weight, bias], **options)
        scheduler = SCHEDULES[extra["schedule"]](optimiser, **extra["arguments"]) if "schedule" in extra else None
        average = None
        if "ema" in extra or "swa" in extra:
            holder = torch.nn.ParameterList([weight, bias])
            decay = extra.get("ema")
            moved = (lambda old, new, n: decay * old + (1 - decay) * new) if decay else None
            average = AveragedModel(holder, avg_fn=moved)
        losses, rates, norms = [], [], []
        for step in range(STEPS):
            optimiser.zero_grad()
            loss = F.mse_loss(F.linear(x[step], weight, bias), y[step])
            loss.backward()
            losses.append(loss.detach())
            rates.append(optimiser.param_groups[0]["lr"])
            if "clip_norm" in extra:
                norms.append(torch.nn.utils.clip_grad_norm_([weight, bias], extra["clip_norm"]))
            if "clip_value" in extra:
                torch.nn.utils.clip_grad_value_([weight, bias], extra["clip_value"])
            optimiser.step()
            if average:
                average.update_parameters(holder)
            if extra.get("schedule") == "plateau":
                scheduler.step(loss.item())
            elif scheduler:
                scheduler.step()
        results = [torch.stack(losses), torch.tensor(rates), weight, bias]
        if average:
            results += list(average.module.parameters())
        if norms:
            results.append(torch.stack(norms))
        return tuple(value.detach() for value in results)
    return run


def weighted_cross_entropy(case, source_of):
    source = source_of("weighted_cross_entropy")
    weight = [0.5, 2.0, 1.0, 0.25]
    for name, reduction, extra, shape in (
            ("mean", "mean", {}, (6, 4)), ("sum", "sum", {}, (6, 4)), ("none", "none", {}, (6, 4)), ("images", "mean", {}, (2, 4, 3)),
            ("smoothed", "mean", {"label_smoothing": 0.2}, (6, 4)), ("ignored", "mean", {"ignore_index": 1}, (6, 4)),
            ("smoothed_ignored", "mean", {"label_smoothing": 0.1, "ignore_index": 2}, (5, 4)),
            ("smoothed_sum", "sum", {"label_smoothing": 0.1, "ignore_index": 0}, (2, 4, 2))):
        target = source.integers(0, 4, shape[0], *shape[2:])
        run = lambda input, target: F.cross_entropy(input, target, weight=torch.tensor(weight), reduction=reduction, **extra)
        case("weighted_cross_entropy", name, run, {"input": source.normal(*shape), "target": target},
             {"weight": weight, "reduction": reduction, **extra})


def training(case, source_of):
    for name, kind, options, extra in VARIANTS:
        source = source_of(f"training/{name}")
        x, y = source.normal(STEPS, 8, 4), source.normal(STEPS, 8, 2)
        outputs = ["losses", "rates", "weight", "bias"]
        outputs += ["average.weight", "average.bias"] if "ema" in extra or "swa" in extra else []
        outputs += ["norms"] if "clip_norm" in extra else []
        case("training", name, make(kind, options, extra),
             {"x": x, "y": y, "weight": source.normal(2, 4), "bias": source.normal(2)},
             {"optimiser": kind, "options": options, **extra}, gradient=False, outputs=outputs)
    weighted_cross_entropy(case, source_of)
