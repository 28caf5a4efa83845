#!/usr/bin/env python3
"""Plants one bug of each class into the pipeline and expects sinter-check to blame it, and nobody where there is none.

  check_planted.py SINTER_CHECK PLUGIN RANDOM_GRAPHS FOLDER EXAMPLE... [--only BUG] [--seeds N]

Models: a step of each EXAMPLE (a program; dumped with a small batch), tests/tools/models/*.mlir, and random graphs.
A bug that finds nothing to break in a model leaves it as it is, and then nobody may be blamed; each must be
blamed in some model. In a random graph a bug may also be without consequence (what is broken is rounded to an
integer, compared, or the same along both axes): such graphs are listed, and one in ten may be such.
"""
import argparse
import glob
import os
import re
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("check")
parser.add_argument("plugin")
parser.add_argument("random_graphs")
parser.add_argument("folder")
parser.add_argument("examples", nargs="*")
parser.add_argument("--only")
parser.add_argument("--seeds", type=int, default=8)
parser.add_argument("--show", type=int, default=10, help="problems to print")
parser.add_argument("--verbose", action="store_true")
options = parser.parse_args()

# The class, where its pass stands, and what the report must speak of.
GRAPH, FUSED, PLANNED = "before-fusion", "after-fusion", "after-memory"
BUGS = [
    ("axis", GRAPH, "value"), ("broadcast", GRAPH, "value"), ("type", GRAPH, "value"),
    ("rounding", GRAPH, "precision|value"), ("mask", GRAPH, "value"), ("boundary", GRAPH, "value"),
    ("sign", GRAPH, "value"), ("constant", GRAPH, "value"), ("epsilon", GRAPH, "value"),
    ("reduction-kind", GRAPH, "value"), ("gradient-dropped", "after-autodiff", "value"),
    ("nan-lost", "after-autodiff", "value"), ("random-stream", "before-autodiff", "value"),
    ("random-step", "before-autodiff", "value"), ("update-lost", "after-autodiff", "value"),
    ("clamp", "after-autodiff", "value"), ("transposed-operand", "before-autodiff", "value"),
    ("stride", "after-autodiff", "value"), ("padding", "after-autodiff", "value"), ("slice", "after-simplify", "value"),
    ("gather-index", "before-decompose", "value"), ("scatter-lost", "after-autodiff", "value"),
    ("concat-order", "before-autodiff", "value"), ("results-swapped", "before-autodiff", "value"),
    ("location", GRAPH, "location"), ("location-invented", FUSED, "location"), ("donation", FUSED, "signature"),
    ("role", "before-autodiff", "signature"), ("invalid", GRAPH, "invalid"), ("epilogue", FUSED, "value"),
    ("alias", PLANNED, "plan"), ("offset", PLANNED, "plan"), ("in-place", PLANNED, "plan"), ("order", PLANNED, "plan"),
    ("home", PLANNED, "plan|invalid"), ("nondeterministic", "after-layout", "nondeterminism"),
    ("function", "after-share", "signature"),
    # In another form of the IR than above.
    ("sign", "after-fusion", "value"), ("constant", "after-outline", "value"), ("rounding", "after-autodiff", "precision|value"),
    ("mask", "after-outline", "value"), ("location", "after-outline", "location"),
]
# Where a broken pass computes the same: a NaN reaches every result by other ways, too.
EQUIVALENT = {("nan-lost", "attention"), ("nan-lost", "cnn")}


def models():
    found = {}
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "models", "*.mlir"))):
        found[os.path.basename(path)[:-5]] = path
    for example in options.examples:
        name = os.path.basename(example)
        dump = os.path.join(options.folder, name)
        subprocess.run([example, "--batch-size", "4", "--steps", "1", "--device", "reference", "--dump", dump], check=True,
                       stdout=subprocess.DEVNULL)
        found[name] = os.path.join(dump, "train_step", "exact", "00-traced.mlir")
    for seed in range(9000, 9000 + options.seeds):
        printed = subprocess.run([options.random_graphs, "--seed", str(seed), "--count", "1", "--print"], check=True,
                                 capture_output=True, text=True).stdout
        path = os.path.join(options.folder, f"random{seed}.mlir")
        with open(path, "w", encoding="utf-8") as file:
            file.write(printed[printed.index("func.func"):printed.index("\n}\n") + 3])
        found[f"random{seed}"] = path
    return found


def check(path, *arguments):
    done = subprocess.run([options.check, path, "--no-device", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    os.makedirs(options.folder, exist_ok=True)
    problems, blamed, unusable, unseen = [], {}, set(), []
    known = models()
    for name, path in known.items():
        status, text = check(path)
        if name.startswith("random") and "BLAMED the module as it was given (input): value" in text:
            unusable.add(name)  # drawn without regard to intervals: an integer divided by zero, for example
        elif status != 0 or "nothing to blame" not in text:
            problems.append(f"{name}, without a bug:\n{text}")
    for bug, place, kind in BUGS:
        if options.only and options.only != bug:
            continue
        where = blamed.setdefault((bug, place), [])
        for name, path in known.items():
            if name in unusable:
                continue
            # For a CPU small graphs are planned as one launch or two, which leaves little to break.
            target = ("--device", "cuda-emulated") if place == PLANNED else ()
            status, text = check(path, "--load-pass-plugin", options.plugin, "--insert", f"{place}:plant-{bug}", *target)
            if options.verbose:
                print(f"==== {bug} in {name}\n{text}")
            if re.search(rf"^{place}\s+plant-{bug}\s+ok, nothing changed$", text, re.M) and status == 0:
                continue
            if status == 1 and re.search(rf"^BLAMED plant-{bug} \({place}\): ({kind}): ", text, re.M):
                where.append(name)
            elif status == 0 and (bug, name) in EQUIVALENT:
                continue
            elif status == 0 and name.startswith("random"):
                unseen.append(f"{bug} in {name}")
            else:
                problems.append(f"{bug} at {place} in {name}: exit status {status}\n{text if options.verbose else text[-300:]}")
        if not where:
            problems.append(f"{bug} at {place} found nothing to break in any model")
    classes = {bug for bug, _ in blamed}
    total = sum(map(len, blamed.values()))
    print(f"{len(known) - len(unusable)} models without a bug: nobody blamed; {len(classes)} classes of bugs, blamed "
          f"{total} times, {len(unseen)} times without consequence: {', '.join(unseen)}")
    if len(unseen) > total / 10:
        problems.append(f"{len(unseen)} bugs have no consequence in random graphs, {total} were blamed")
    for (bug, place), where in blamed.items():
        print(f"  {bug:20} {place:16} {len(where)}: {' '.join(where)}")
    if problems:
        sys.exit("\n".join(problems[:options.show]) + f"\n{len(problems)} problems")


main()
