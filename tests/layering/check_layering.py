#!/usr/bin/env python3
"""Reads the #includes of every room and says where the dependency rules of docs/design.md are broken.

  check_layering.py [ROOT]      exit 1 and one line per violation, if there are any

A rule is a function over one file; RULES lists them. test_layering.py plants a violation of each.
"""
import os
import re
import sys

ROOMS = ("runtime", "ir", "passes", "codegen", "frontend", "check")
SUFFIXES = (".h", ".cpp", ".td", ".cuh", ".inc")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]|^include "([^"]+)"', re.M)
# What codegen may know of the runtime: the Program format, and where compiled kernels are kept.
RUNTIME_FOR_CODEGEN = {"runtime/Program.h", "runtime/Status.h", "runtime/Types.h", "runtime/CacheKey.h",
                       "runtime/KernelCache.h", "runtime/Environment.h", "runtime/cpu/KernelImage.h"}


class File:
    """One source file: its path in the tree, its text without comments, what it includes."""

    def __init__(self, root, path):
        self.path = path
        self.room = path.split("/")[0]
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self.text = file.read()
        self.includes = [(m.group(2) or m.group(3), self.text.count("\n", 0, m.start()) + 1)
                         for m in INCLUDE.finditer(self.text)]

    def code(self):
        """The text with comments and string literals blanked, lines kept."""
        pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.S)
        return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), self.text)

    def find(self, pattern, text):
        return [(m.group(0), text.count("\n", 0, m.start()) + 1) for m in re.finditer(pattern, text)]


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = {}
        for room in ROOMS + ("tools",):
            for folder, _, names in os.walk(os.path.join(root, room)):
                for name in sorted(names):
                    if name.endswith(SUFFIXES):
                        path = os.path.relpath(os.path.join(folder, name), root)
                        self.files[path] = File(root, path)

    def resolve(self, file, spelled):
        """The file of the tree that `spelled` names, or None: `sinter/ROOM/...`, else beside the includer."""
        if spelled == "sinter/sinter.h":
            return "frontend/sinter.h"
        # Texts that NVRTC and the emulator are given under the name sinter/NAME: neighbours, or device headers.
        if re.fullmatch(r"sinter/\w+\.(cuh|h)", spelled):
            name = spelled[len("sinter/"):]
            beside = os.path.join(os.path.dirname(file.path), name)
            return beside if beside in self.files else "codegen/cuda/device/" + name
        if spelled.startswith("sinter/"):
            return spelled[len("sinter/"):]
        beside = os.path.normpath(os.path.join(os.path.dirname(file.path), spelled))
        return beside if beside in self.files else None


def is_mlir(spelled):
    return spelled.split("/")[0] in ("mlir", "mlir-c", "llvm", "llvm-c", "clang", "lld")


def room_of(target):
    return target.split("/")[0]


# ---- The rules. Each yields (line, message). ---------------------------------------------------

def runtime_stands_alone(tree, file):
    if file.room != "runtime":
        return
    for spelled, line in file.includes:
        target = tree.resolve(file, spelled)
        if is_mlir(spelled):
            yield line, f"runtime/ includes {spelled}: it knows no MLIR or LLVM"
        elif target and room_of(target) != "runtime":
            yield line, f"runtime/ includes {spelled}: it includes nothing of the project but itself"


def ir_stands_alone(tree, file):
    if file.room != "ir":
        return
    for spelled, line in file.includes:
        target = tree.resolve(file, spelled)
        if target and room_of(target) != "ir":
            yield line, f"ir/ includes {spelled}: it includes only MLIR, LLVM and itself"


def passes_see_ir(tree, file):
    if file.room != "passes":
        return
    for spelled, line in file.includes:
        target = tree.resolve(file, spelled)
        if target and room_of(target) not in ("passes", "ir"):
            yield line, f"passes/ includes {spelled}: it sees only ir/ (what passes and codegen share lives there)"


def codegen_sees_ir_and_program(tree, file):
    if file.room != "codegen":
        return
    for spelled, line in file.includes:
        target = tree.resolve(file, spelled)
        if target and room_of(target) not in ("codegen", "ir") and target not in RUNTIME_FOR_CODEGEN:
            allowed = ", ".join(sorted(RUNTIME_FOR_CODEGEN))
            yield line, f"codegen/ includes {spelled}: it sees ir/ and, of the runtime, {allowed}"


def is_public(path):
    return path.startswith("frontend/") and path.endswith(".h") and "/detail/" not in path


def public_headers_hide_mlir(tree, file):
    """Follows includes: what a user's file would see."""
    if not is_public(file.path):
        return
    seen = {file.path}
    work = [(spelled, line, spelled) for spelled, line in file.includes]
    from_here = {file.path: file}
    while work:
        spelled, line, trail = work.pop(0)
        if is_mlir(spelled):
            yield line, f"a public header reaches {trail}: a user's file needs no LLVM headers"
            continue
        target = tree.resolve(from_here.get(trail.rsplit(" -> ", 1)[0], file), spelled)
        if target and room_of(target) in ("ir", "passes", "codegen"):
            yield line, f"a public header reaches {trail}: public headers see only frontend/ and runtime/"
        if target in tree.files and target not in seen:
            seen.add(target)
            inner = tree.files[target]
            from_here[trail] = inner
            work.extend((next_spelled, line, f"{trail} -> {next_spelled}") for next_spelled, _ in inner.includes)


def only_runtime_cuda_knows_cuda(tree, file):
    if file.path.startswith("runtime/cuda/") or file.room == "tools":
        return
    for spelled, line in file.includes:
        if spelled in ("cuda.h", "nvrtc.h", "cuda_runtime.h", "cuda_runtime_api.h"):
            yield line, f"{spelled}: only runtime/cuda/ knows CUDA's API"
    if file.path.endswith((".h", ".cpp")):
        call = r"\b(cu(Init|Ctx|Mem|Module|Library|Launch|Stream|Event|Device|Graph|Func|Driver|Tensor)[A-Z]\w*|nvrtc(Add|Compile|Create|Destroy|Get|Version)\w*)\s*\("
        for found, line in file.find(call, file.code()):
            yield line, f"{found.rstrip('(')}: only runtime/cuda/ calls CUDA's API"


def no_pass_names_an_architecture(tree, file):
    if file.room == "passes":
        for found, line in file.find(r"\b(sm|compute)_\d\w*", file.text):
            yield line, f"{found}: limits come from the module's target attribute, no pass names an architecture"


def device_headers_are_closed(tree, file):
    """NVRTC gets these as text: nothing outside their folder exists for it."""
    if file.path.endswith(".cuh"):
        for spelled, line in file.includes:
            if tree.resolve(file, spelled) not in tree.files:
                yield line, f"a device header includes {spelled}: they include only one another"


def one_reader_of_the_environment(tree, file):
    if file.path != "runtime/Environment.cpp" and file.room in ROOMS:
        for _, line in file.find(r"\b(secure_)?getenv\s*\(", file.code()):
            yield line, "getenv: environment variables are read in runtime/Environment.cpp"


def exceptions_stay_in_the_frontend(tree, file):
    if file.room in ("runtime", "ir", "passes", "codegen", "check") and file.path.endswith((".h", ".cpp")):
        for _, line in file.find(r"\bthrow\b", file.code()):
            yield line, "throw: below the frontend, errors are values (an exception never crosses an MLIR frame)"


def check_stands_beside_the_frontend(tree, file):
    """check/ sees what it checks; only tools (and tests) see it."""
    for spelled, line in file.includes:
        target = tree.resolve(file, spelled)
        if file.room == "check" and target and room_of(target) not in ("check", "ir", "passes", "codegen", "runtime"):
            yield line, f"check/ includes {spelled}: it sees ir/, passes/, codegen/ and runtime/"
        if file.room not in ("check", "tools") and target and room_of(target) == "check":
            yield line, f"{file.room}/ includes {spelled}: only tools see check/"


def the_runner_needs_only_the_runtime(tree, file):
    if re.match(r"tools/sinter-run\b", file.path):
        for spelled, line in file.includes:
            target = tree.resolve(file, spelled)
            # CompileFile.h declares the one C function that is looked up in the compiler library, by dlsym.
            if target == "frontend/CompileFile.h":
                continue
            if is_mlir(spelled) or target and room_of(target) not in ("runtime", "tools"):
                yield line, f"sinter-run includes {spelled}: it links the runtime alone"


RULES = (runtime_stands_alone, ir_stands_alone, passes_see_ir, codegen_sees_ir_and_program, public_headers_hide_mlir,
         only_runtime_cuda_knows_cuda, no_pass_names_an_architecture, device_headers_are_closed,
         one_reader_of_the_environment, exceptions_stay_in_the_frontend,
         check_stands_beside_the_frontend, the_runner_needs_only_the_runtime)


def include_circles(tree):
    """Headers that include themselves by way of others."""
    done, circles = set(), []

    def visit(path, trail):
        if path in trail:
            circles.append(" -> ".join(trail[trail.index(path):] + [path]))
        elif path not in done:
            file = tree.files[path]
            for spelled, _ in file.includes:
                target = tree.resolve(file, spelled)
                if target in tree.files:
                    visit(target, trail + [path])
            done.add(path)

    for path in tree.files:
        visit(path, [])
    return circles


def violations(root):
    tree = Tree(root)
    found = [f"{path}:{line}: {message}" for path, file in sorted(tree.files.items())
             for rule in RULES for line, message in rule(tree, file)]
    return found + [f"includes go in a circle: {circle}" for circle in include_circles(tree)], len(tree.files)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    found, count = violations(os.path.normpath(root))
    print("\n".join(found) or f"{count} files keep to their rooms")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
