# lit's view of tests/: how a RUN line finds sinter-opt, FileCheck and the build's files.
import os
import shutil

import lit.formats

config.name = "sinter"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = config.sinter_test_source_dir
config.test_exec_root = config.sinter_test_binary_dir

# Sinter's tools first, then LLVM's (FileCheck, not, count, split-file, llvm-readelf).
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.sinter_binary_dir, "bin"), config.llvm_tools_dir, os.environ.get("PATH", "")]
)
for name in ("SINTER_CACHE_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH", "SINTER_CXX",
             "SINTER_NVRTC_LIB"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
# A failed match shows its input instead of a bare line number.
config.environment["FILECHECK_OPTS"] = "--dump-input-filter=all"

config.substitutions.append(("%sinter_src", config.sinter_source_dir))
config.substitutions.append(("%sinter_build", config.sinter_binary_dir))
config.substitutions.append(("%sinter_plugins", os.path.join(config.sinter_binary_dir, "lib")))
config.substitutions.append(("%shlibext", config.shared_library_suffix))

if config.sinter_sanitize:
    config.available_features.add("sanitizer")
if shutil.which("nvidia-smi"):
    config.available_features.add("cuda-gpu")
if os.path.exists(os.path.join(config.sinter_binary_dir, "bin", "sinter-emit")):
    config.available_features.add("sinter-emit")
