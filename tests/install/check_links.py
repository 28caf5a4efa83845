#!/usr/bin/env python3
"""What installed programs and libraries find at run time: everything, by paths that are the installation's or
LLVM's own; no LLVM where only the runtime is needed.

  check_links.py STAGE BUILD_FOLDER
"""
import glob
import os
import re
import subprocess
import sys

stage, build = sys.argv[1], os.path.realpath(sys.argv[2])
env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
env["LC_ALL"] = "C"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


wrong = []
files = glob.glob(f"{stage}/bin/*") + glob.glob(f"{stage}/lib*/**/*.so", recursive=True)
for file in sorted(files):
    name = os.path.basename(file)
    links = output("ldd", file)
    wrong += [f"{name}: {line.strip()}" for line in links.splitlines() if "not found" in line]
    if name in ("sinter-run", "libSinterRuntime.so"):
        wrong += [f"{name} needs {word}" for word in re.findall(r"lib(?:LLVM|MLIR|SinterCompiler)\S*", links)]
    for path in re.findall(r"(?:RPATH|RUNPATH)\)\s+Library r(?:un)?path: \[(.*)\]", output("readelf", "-dW", file)):
        for folder in path.split(":"):
            if folder.startswith(build) and not folder.startswith(os.path.realpath(stage)):
                wrong.append(f"{name} searches the build folder: {folder}")
print(f"{len(files)} files")
names = {os.path.basename(file) for file in files}
for needed in ("sinter-opt", "sinter-emit", "sinter-run", "libSinterRuntime.so", "libSinterCompiler.so"):
    if needed not in names:
        wrong.append(f"{needed} is not installed")
if wrong:
    sys.exit("\n".join(wrong))
