#!/usr/bin/env python3
"""Counts the launches of an example's training step, and says why each is not part of another.

  check_launches.py FOLDER MOST [--data KIND TRAIN TEST] [--lines ENTRY MOST]... [--page FILE] [--write] -- COMMAND...

Fails when there are more than MOST, when the working memory is more than 2 % above the least that any
plan could do with, or when a value passes between two kernels without a named refusal in the ledger. Also
when a dumped line of IR is longer than 160 columns, or ENTRY's IR after fusion has more lines than said; and
when the example's part of the page is not what is found. --write puts it there.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys


def readable(dump, most, tools):
    """What is dumped for people can be read by them, and by MLIR."""
    for path in sorted(glob.glob(os.path.join(dump, "*", "[0-9][0-9]-*.mlir"))):
        with open(path, encoding="utf-8") as file:
            text = file.read().splitlines()
        name = os.path.relpath(path, dump)
        if path.endswith("-fusion.mlir"):
            print(f"{name}: {len(text)} lines")
            subprocess.run([os.path.join(tools, "sinter-opt"), path, "-o", os.devnull], check=True)
        if long := [line for line in text if len(line) > 160]:
            sys.exit(f"{name}: a line of {len(long[0])} columns: {long[0]}")
        if "loc(" in "\n".join(text) or not any("// " in line and "." in line for line in text[1:]):
            sys.exit(f"{name}: the user's lines are not comments")
        entry = os.path.dirname(name)
        if entry in most and name.endswith("-fusion.mlir"):
            if len(text) > most[entry]:
                sys.exit(f"{name}: {len(text)} lines, more than {most[entry]}")
            del most[entry]
    if most:
        sys.exit(f"no IR of {', '.join(most)} after fusion")


def table(example, launches, ledger, what):
    """The example's part of the page: each launch, what it reads of earlier ones, and why that is a boundary."""
    ops, edges = ledger["ops"], ledger["edges"]
    number = {}
    for at, launch in enumerate(launches):
        number.setdefault(launch, at)
    boundaries = {}
    for edge in edges:
        if "refused" not in edge:
            continue
        for kernel in ops[edge["from"]]["kernels"]:
            for reader in ops[edge["to"]]["kernels"]:
                if kernel in number and reader in number and kernel != reader:
                    boundaries.setdefault((number[reader], number[kernel]), []).append(edge)
    lines = [f"## {example}", "", f"`{what}`: {len(launches)} launches.", "", "| | kernel | reads of | because |",
             "|---|---|---|---|"]
    for at, launch in enumerate(launches):
        sources = [key for key in sorted(boundaries) if key[0] == at] if number[launch] == at else []
        first = f"| {at} | `{launch}` |"
        for key in sources or [None]:
            if key is None:
                lines.append(f"{first} | |")
                continue
            found = boundaries[key]
            most = max(found, key=lambda edge: edge["bytes"])
            values = {(edge["from"], edge.get("result", 0)): edge["bytes"] for edge in found}
            lines.append(f"{first} {key[1]}: {sum(values.values()):,} bytes | `{most['refused']}`: {most['detail']} |")
            first = "| | |"
    return "\n".join(lines) + "\n"


def compare(page, example, part, write):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    found = re.search(rf"^## {example}\n.*?(?=^## |\Z)", text, re.M | re.S)
    if write:
        text = text.replace(found.group(), part + "\n") if found else text.rstrip("\n") + "\n\n" + part
        with open(page, "w", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
    elif not found or found.group().strip() != part.strip():
        sys.exit(f"{page} has not this:\n{part}")


def main():
    split = sys.argv.index("--")
    arguments, command = sys.argv[1:split], sys.argv[split + 1:]
    lines = {}
    while "--lines" in arguments:
        at = arguments.index("--lines")
        lines[arguments[at + 1]] = int(arguments[at + 2])
        del arguments[at:at + 3]
    page = None
    write = "--write" in arguments
    if write:
        arguments.remove("--write")
    if "--page" in arguments:
        at = arguments.index("--page")
        page = arguments[at + 1]
        del arguments[at:at + 2]
    what = os.path.basename(command[0]) + "".join(" " + word for word in command[1:])
    folder, most, data = arguments[0], int(arguments[1]), arguments[2:]
    shutil.rmtree(os.path.join(folder, "dump"), ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    if data:
        made = os.path.join(folder, data[1])
        maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_data.py")
        subprocess.run([sys.executable, "-B", maker, data[1], made, *data[2:4]], check=True)
        command = [*command, "--data", made]
    path, dump = os.path.join(folder, "record.json"), os.path.join(folder, "dump")
    subprocess.run([*command, "--device", "cpu", "--steps", "1", "--json", path, "--dump", dump], check=True,
                   stdout=subprocess.DEVNULL)
    readable(dump, lines, os.path.dirname(command[0]))
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    with open(os.path.join(dump, "train_step", "ledger.json"), encoding="utf-8") as file:
        ledgers = json.load(file)
    ledger = next(ledger for ledger in ledgers if ledger["function"] == "train_step")
    edges = ledger["edges"]
    if not edges:
        sys.exit("the ledger has no edges")
    with open(os.path.join(dump, "train_step", "plan.txt"), encoding="utf-8") as file:
        step = re.search(r"^train_step: .*?(?=^\w+: |\Z)", file.read(), re.MULTILINE | re.DOTALL)
    launches = re.findall(r"^ *\d+ (\S+)", step.group(), re.MULTILINE) if step else []
    if len(launches) != record["kernels_per_step"]:
        sys.exit(f"the plan has {len(launches)} launches, the record {record['kernels_per_step']}")
    print(f"{record['example']}: {record['kernels_per_step']} launches, at most {most}")
    for launch in launches:
        print(f"  {launch}")
    print("boundaries:")
    for edge in edges:
        if "fused" not in edge:
            print(f"  {edge['producer']} -> {edge['consumer']}, {edge['bytes']} bytes: "
                  f"{edge.get('refused')}: {edge.get('detail')}")
            if not edge.get("refused") or not edge.get("detail"):
                sys.exit("a boundary without a reason")
    if page:
        title = record["example"] + ("" if record["precision"] == "f32" else f" in {record['precision']}")
        compare(page, title, table(title, launches, ledger, what), write)
    if record["kernels_per_step"] > most:
        sys.exit(f"{record['kernels_per_step']} launches, at most {most}")
    if record["peak_bytes"] > 1.02 * record["lower_bound_bytes"]:
        sys.exit(f"{record['peak_bytes']} bytes at once where {record['lower_bound_bytes']} would do")


if __name__ == "__main__":
    main()
