#!/usr/bin/env python3
"""Follows docs/adding-a-fusion-pass.md word for word: writes its files, runs its commands, compares their output.

  follow_tutorial.py DOCUMENT PREFIX FILECHECK FOLDER [--changed-plugin]

A block ```LANGUAGE NAME is a file. In a ```console block, lines that begin with `$ ` are commands; what stands below
one is what it prints. --changed-plugin then changes the plug-in's kernel and expects its new code to run, with the
kernel cache as it is.
"""
import os
import re
import shutil
import subprocess
import sys

document, prefix, filecheck, folder = sys.argv[1:5]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
environment = {**os.environ, "SINTER": prefix, "FILECHECK": filecheck,
               "SINTER_CACHE_DIR": os.path.join(folder, "cache")}
environment.pop("SINTER_PASS_PLUGINS", None)


def run(command):
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def write(name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


with open(document, encoding="utf-8") as file:
    blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", file.read(), re.S | re.M)
files = {name: text for _, name, text in blocks if name}
for name, text in files.items():
    write(name, text)
for name in ("FoldNorm.cpp",):
    if len(files[name].splitlines()) > 100:
        sys.exit(f"{name} has more than 100 lines")

commands = 0
for language, name, text in blocks:
    if language != "console":
        continue
    for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.M):
        status, printed = run(command)
        commands += 1
        # grep -v that leaves nothing, and the like, have statuses of their own: what is printed counts.
        if printed.rstrip() != expected.rstrip():
            log = os.path.join(folder, "build.log")
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    sys.stdout.write(file.read()[-4000:])
            sys.exit(f"$ {command}\nprints (exit status {status})\n{printed}\ninstead of\n{expected}")
if commands < 8 or len(files) < 5:
    sys.exit(f"{document}: {len(files)} files and {commands} commands are too few")
print(f"{len(files)} files, {commands} commands, as printed")

if "--changed-plugin" in sys.argv:
    changed = files["Swiglu.cpp"].replace("b.getF32FloatAttr(0)", "b.getF32FloatAttr(1)")
    if changed == files["Swiglu.cpp"]:
        sys.exit("Swiglu.cpp has no sum to change")
    write("Swiglu.cpp", changed)
    status, printed = run("cmake --build build > again.log && ./gated")
    if "other values" not in printed:
        sys.exit(f"a changed kernel was served from the cache: exit status {status}\n{printed}")
    print("a changed plug-in's kernel runs")
