# shellcheck shell=bash
# What the scripts here share. Sourced, never run.

SINTER_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export SINTER_ROOT

say() { printf '==> %s\n' "$*"; }
warn() { printf '==> %s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# How many things to do at once: SINTER_JOBS, else the cores, but no more than memory allows (a file
# over MLIR's headers takes about 1.5 GB to compile).
jobs_count() {
  local cores memory
  if [[ -n "${SINTER_JOBS:-}" ]]; then
    echo "$SINTER_JOBS"
    return
  fi
  cores="$(nproc 2>/dev/null || echo 2)"
  memory="$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null || echo "$cores")"
  ((memory < 1)) && memory=1
  echo "$((cores < memory ? cores : memory))"
}

# build PRESET [TARGET...]: configures and builds, everything when no target is named.
build() {
  local preset="$1"
  shift
  local targets=()
  (($#)) && targets=(--target "$@")
  say "configuring (preset $preset)"
  local output
  output="$(cd "$SINTER_ROOT" && cmake --preset "$preset" 2>&1)" || {
    printf '%s\n' "$output" >&2
    die "configuring failed; tools/install-deps installs what a build needs"
  }
  say "building ${*:-everything} (preset $preset, $(jobs_count) at a time)"
  (cd "$SINTER_ROOT" && cmake --build --preset "$preset" --parallel "$(jobs_count)" "${targets[@]}")
}
