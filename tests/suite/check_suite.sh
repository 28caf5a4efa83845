#!/usr/bin/env bash
# check_suite.sh SOURCE BUILD FOLDER [options of prepare]: gpu-suite from end to end, with the emulated device in the
# GPU's place, and the cubins of everything that it prepared.
set -euo pipefail
source="$1" build="$2" folder="$3"
shift 3
"$source/tools/gpu-suite" prepare "$folder" --build "$build" --tiny "$@"
for tool in "$folder"/bin/*; do
  if LD_LIBRARY_PATH="$folder/lib" ldd "$tool" | grep -E 'LLVM|MLIR|SinterCompiler'; then
    echo "$tool needs the compiler"
    exit 1
  fi
done
results="$folder.results"
rm -rf "$results"
for part in ops examples benchmark; do
  "$folder/gpu-suite" run "$part" --device cuda-emulated --out "$results"
  test -s "$results/$part.jsonl"
done
test "$(find "$results" -name '*.jsonl' | wc -l)" -le 8
grep -q '"losses_compared":3' "$results/examples.jsonl"
grep -q '"error_over_bound"' "$results/ops.jsonl"
status=0
"$folder/bin/suite_cubins" "$folder/ops" "$folder/examples" "$folder/benchmark" || status=$?
if [[ $status == 77 ]]; then
  echo "the suite ran; no cubins without NVRTC"
  exit 77
fi
exit "$status"
