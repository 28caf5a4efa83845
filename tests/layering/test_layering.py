#!/usr/bin/env python3
"""Plants one violation of each rule in a tree of its own and expects exactly that one to be found."""
import os
import tempfile
import unittest

import check_layering

CLEAN = {
    "runtime/Status.h": "#include <string>\n",
    "runtime/Program.h": '#include "sinter/runtime/Status.h"\n',
    "runtime/Environment.cpp": 'const char *read(const char *n) { return getenv(n); }\n',
    "runtime/cuda/CudaApi.h": "int cuMemAlloc_v2(void **, long);\n",
    "runtime/cuda/CudaDevice.cpp": '#include "CudaApi.h"\nvoid f() { cuStreamSynchronize(0); }\n',
    "ir/Sinter.h": '#include "mlir/IR/Dialect.h"\n#include "sinter/ir/Ops.h.inc"\n',
    "passes/Fuse.cpp": '#include "sinter/ir/Sinter.h"\n#include "mlir/Pass/Pass.h"\n// exceptions: none thrown\n',
    "codegen/Lower.cpp": '#include "sinter/ir/Sinter.h"\n#include "sinter/runtime/Program.h"\n',
    "codegen/cuda/device/types.cuh": "#pragma once\n",
    "codegen/cuda/device/reduce.cuh": '#include "sinter/types.cuh"\n',
    "frontend/Tensor.h": '#include "sinter/runtime/Status.h"\n',
    "frontend/detail/Builder.h": '#include "sinter/ir/Sinter.h"\n',
    "frontend/Tensor.cpp": '#include "sinter/frontend/detail/Builder.h"\nvoid f() { throw 1; }\n',
    "frontend/sinter.h": '#include "sinter/frontend/Tensor.h"\n',
    "tools/sinter-run.cpp": '#include "sinter/runtime/Program.h"\n',
}


def found_in(changes):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**CLEAN, **changes}.items():
            path = os.path.join(root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
        return check_layering.violations(root)[0]


class Layering(unittest.TestCase):
    def expect(self, path, text, *messages):
        found = found_in({path: text})
        self.assertEqual(len(found), len(messages), found)
        for line, message in zip(found, messages):
            self.assertIn(message, line)

    def test_clean_tree(self):
        self.assertEqual(found_in({}), [])

    def test_runtime(self):
        self.expect("runtime/A.h", '#include "llvm/ADT/StringRef.h"\n', "runtime/A.h:1: runtime/ includes llvm/ADT")
        self.expect("runtime/A.h", '\n#include <sinter/ir/Sinter.h>\n', "runtime/A.h:2: runtime/ includes sinter/ir")
        self.expect("runtime/A.h", '#include "../ir/Sinter.h"\n', "runtime/ includes ../ir/Sinter.h")

    def test_ir(self):
        self.expect("ir/A.cpp", '#include "sinter/runtime/Status.h"\n', "ir/ includes sinter/runtime")
        self.expect("ir/A.td", 'include "sinter/passes/Passes.td"\n', "ir/ includes sinter/passes")

    def test_passes(self):
        for room in ("codegen/Lower.h", "runtime/Status.h", "frontend/Tensor.h"):
            self.expect("passes/A.cpp", f'#include "sinter/{room}"\n', f"passes/ includes sinter/{room}")

    def test_codegen(self):
        for room in ("passes/Passes.h", "runtime/Device.h", "frontend/Tensor.h"):
            self.expect("codegen/A.cpp", f'#include "sinter/{room}"\n', f"codegen/ includes sinter/{room}")

    def test_public_headers(self):
        self.expect("frontend/A.h", '#include "mlir/IR/Value.h"\n', "a public header reaches mlir/IR/Value.h")
        self.expect("frontend/nn/A.h", '#include "sinter/frontend/detail/B.h"\n')
        # By way of another header: both are named.
        found = found_in({"frontend/nn/A.h": '#include "sinter/frontend/detail/Builder.h"\n'})
        self.assertTrue(any("detail/Builder.h -> sinter/ir/Sinter.h" in line for line in found), found)

    def test_cuda(self):
        self.expect("codegen/A.cpp", "#include <cuda.h>\n", "only runtime/cuda/ knows")
        self.expect("runtime/A.cpp", "void f() { cuMemAlloc_v2(0, 1); }\n", "only runtime/cuda/ calls")
        self.expect("codegen/A.cpp", "void f() { nvrtcCompileProgram(0); }\n", "only runtime/cuda/ calls")
        self.expect("codegen/A.cpp", '// cuMemAlloc_v2(0)\nauto s = "cuMemAlloc_v2(0)";\n')

    def test_architecture(self):
        self.expect("passes/A.cpp", 'auto s = "sm_90a";\n', "passes/A.cpp:1: sm_90a")

    def test_device_headers(self):
        self.expect("codegen/cuda/device/a.cuh", "#include <cuda_fp16.h>\n", "device header includes cuda_fp16.h")

    def test_environment(self):
        self.expect("passes/A.cpp", 'auto s = std::getenv("X");\n', "passes/A.cpp:1: getenv")

    def test_exceptions(self):
        self.expect("codegen/A.cpp", "void f() {\n  throw 1;\n}\n", "codegen/A.cpp:2: throw")

    def test_check(self):
        self.expect("check/A.cpp", '#include "sinter/frontend/Tensor.h"\n', "check/ includes sinter/frontend")
        self.expect("check/A.cpp", "void f() {\n  throw 1;\n}\n", "check/A.cpp:2: throw")
        self.expect("frontend/A.cpp", '#include "sinter/check/A.h"\n', "only tools see check/")
        self.expect("tools/sinter-check.cpp", '#include "sinter/check/A.h"\n')

    def test_runner(self):
        self.expect("tools/sinter-run.cpp", '#include "sinter/frontend/Tensor.h"\n', "sinter-run includes")

    def test_circle(self):
        found = found_in({"ir/A.h": '#include "sinter/ir/B.h"\n', "ir/B.h": '#include "sinter/ir/A.h"\n'})
        self.assertEqual(len(found), 1, found)
        self.assertIn("ir/A.h -> ir/B.h -> ir/A.h", found[0])


if __name__ == "__main__":
    unittest.main()
