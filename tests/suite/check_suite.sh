#!/usr/bin/env bash
# check_suite.sh SOURCE BUILD FOLDER [options of prepare]: gpu-suite from end to end, with the emulated device in the
# GPU's place and the peers on the CPU, where they are there; and the cubins of everything that it prepared.
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
# Of the peers only a few: they are rehearsed, not measured. Debian's python3 may have PyTorch where ours has not.
python=python3
/usr/bin/python3 -c 'import torch' 2> /dev/null && python=/usr/bin/python3
for part in ops examples primitives sanitizer kernels models_bf16 models_f32; do
  "$folder/gpu-suite" run "$part" --device cuda-emulated --out "$results" --seconds "${SUITE_SECONDS:-60}" \
    --filter '^(matmul|softmax|linear_regression)' --python "$python"
  test -s "$results/$part.jsonl"
done
test "$(find "$results" -maxdepth 1 -type f | wc -l)" -le 8
grep -q '"losses_compared":3' "$results/examples.jsonl"
grep -q '"error_over_bound"' "$results/ops.jsonl"
for part in kernels models_bf16 models_f32; do # ours is timed; each peer is there, or says why not
  grep '"peer":"sinter"' "$results/$part.jsonl" | grep -q '"median_ms"'
  for peer in torch jax; do grep -q "\"peer\": \"$peer" "$results/$part.jsonl"; done
done
grep -q '"operations"' "$results/kernels.jsonl"
# What the primitives gave is what unit_ptx would replay, had a GPU given it.
sed 1d "$results/primitives.jsonl" > "$results/goldens"
SINTER_GOLDENS="$results/goldens" "$build/bin/tests/unit_ptx" --gtest_filter=Golden.EmulatorDoesWhatTheGpuDid \
  | grep -q 'PASSED.* 1 test'
report="$("$folder/gpu-suite" report "$results")"
grep -q 'A rehearsal' <<< "$report"
grep -q '^| linear_regression_f32 | train_step |' <<< "$report"
status=0
mapfile -t plain < <(find "$folder/ops" -mindepth 1 -maxdepth 1 -not -name '*_sm_90a' | sort)
mapfile -t accelerated < <(find "$folder/ops" -mindepth 1 -maxdepth 1 -name '*_sm_90a' | sort)
"$folder/bin/suite_cubins" "${plain[@]}" || status=$?
if [[ $status == 77 ]]; then
  echo "the suite ran; no cubins without NVRTC"
  exit 77
fi
# What is timed is for the GPU that it is timed on.
"$folder/bin/suite_cubins" "${accelerated[@]}" "$folder/examples" "$folder/models_bf16" "$folder/kernels" --arch=sm_90a || exit 1
exit "$status"
