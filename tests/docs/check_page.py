#!/usr/bin/env python3
"""Follows a page of documentation: runs the commands of its console blocks and compares what they print.

  check_page.py BUILD PAGE [--write]

A block that is fenced as `console` has a line `$ COMMAND` and what it prints. Commands run in one empty folder in
which `build` is the BUILD folder. Numbers with a point, sizes of files and the instruction set may differ; a line
`...` stands for any lines. --write puts what was printed into the page.
"""
import os
import re
import subprocess
import sys
import tempfile

LOOSE = [(re.compile(r"\b\d+\.\d+\b"), "N"), (re.compile(r"\b(amx|avx512_bf16|avx512|avx2|generic)\b"), "ISA"),
         (re.compile(r"[ \t]+"), " ")]


def loosely(line):
    for pattern, instead in LOOSE:
        line = pattern.sub(instead, line)
    return line.strip()


def matches(expected, printed):
    """Whether the printed lines are the expected ones; `...` is any number of them."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(matches(expected[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and loosely(expected[0]) == loosely(printed[0]) and matches(expected[1:], printed[1:])


def main():
    build, page = (os.path.abspath(path) for path in sys.argv[1:3])
    write = "--write" in sys.argv
    with open(page, encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(r"^```console\n\$ (.*?)\n(.*?)```$", text, re.M | re.S)
    if not blocks:
        sys.exit(f"{page} has no console blocks")
    environment = {**os.environ, "SINTER_NUM_THREADS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(build, os.path.join(folder, "build"))
        for command, expected in blocks:
            # Of `COMMAND | head` the command may end at a closed pipe.
            done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode == 77:  # cannot run here, and says why
                print(done.stdout)
                sys.exit(77)
            if done.returncode:
                sys.exit(f"$ {command}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")
            printed = done.stdout.rstrip("\n") + "\n" if done.stdout.strip() else ""
            if write:
                if "...\n" not in expected or not matches(expected.splitlines(), printed.splitlines()):
                    text = text.replace(f"$ {command}\n{expected}```", f"$ {command}\n{printed}```")
            elif not matches(expected.splitlines(), printed.splitlines()):
                sys.exit(f"$ {command}\nprints\n{printed}where {os.path.basename(page)} has\n{expected}")
            print(f"$ {command}")
    if write:
        with open(page, "w", encoding="utf-8") as file:
            file.write(text)


main()
