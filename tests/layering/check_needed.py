#!/usr/bin/env python3
"""What libSinterRuntime needs at run time: libc, libstdc++ and zlib, nothing else.

  check_needed.py LIBRARY
"""
import re
import subprocess
import sys

# libpthread, libdl, librt and libm are glibc's; libgcc_s comes with libstdc++.
ALLOWED = re.compile(r"(libc|libm|libpthread|libdl|librt|libstdc\+\+|libgcc_s|libz)\.so\.\d+$|ld-linux.*\.so\.\d+$|linux-vdso\.so\.1$")

listed = subprocess.run(["ldd", sys.argv[1]], check=True, capture_output=True, text=True).stdout
needed = sorted({line.split()[0].rsplit("/", 1)[-1] for line in listed.splitlines() if line.strip()})
surplus = [name for name in needed if not ALLOWED.match(name)]
print("needs:", ", ".join(needed))
if surplus or "not found" in listed:
    print("the runtime may not need:", ", ".join(surplus) or "what is not found")
    sys.exit(1)
