#!/usr/bin/env bash
# Proves the CUDA backend in one call of under ten minutes, on a machine with an NVIDIA GPU, nvcc 13, CMake and PyTorch; no Java,
# no network. Builds natively for this GPU, runs every operation against the CPU backend, the tiny checkpoint end to end against
# the reference, compute-sanitizer, then the table of ratios beside PyTorch and transformers. The report is complete up to where
# the run came; the exit status is 0 when every step passed.
#   bench/gpu/run.sh [REPORT.md]
set -uo pipefail
SECONDS=0
budget=${BUDGET:-590}  # seconds in all
root=$(cd "$(dirname "$0")/../.." && pwd -P)
report=${1:-$root/bench/results/gpu-report.md}
build=${BUILD:-/tmp/embed4j-gpu}
# The full-size model takes 9 GB: in memory where there is room, else on disk.
place=${SCRATCH:-/dev/shm}
[ "$(df --output=avail -B1G "$place" 2>/dev/null | tail -n 1)" -ge 12 ] 2>/dev/null || place=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$place/embed4j.XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$(dirname "$report")" "$build"
failed=

say() { printf '%s\n' "$@" | tee -a "$report"; }
# step TITLE SECONDS COMMAND...: its output goes into the report, its failure into the verdict
step() {
  title=$1 limit=$2; shift 2
  start=$SECONDS
  [ "$limit" -le $((budget - SECONDS)) ] || limit=$((budget - SECONDS))
  say "" "## $title" ""
  if [ "$limit" -lt 5 ]; then
    failed="$failed [$title: no time left]"
    say "no time left"
    return
  fi
  timeout -k 5 "$limit" "$@" >"$scratch/out" 2>"$scratch/err"
  code=$?
  if grep -q '^|' "$scratch/out"; then cat "$scratch/out"; else printf '```\n'; tail -n 40 "$scratch/out"; printf '```\n'; fi >>"$report"
  tail -n 15 "$scratch/out"
  if [ "$code" -ne 0 ]; then
    failed="$failed [$title: exit $code]"
    { printf '```\n'; tail -n 60 "$scratch/err"; printf '```\n'; } | tee -a "$report"
  fi
  say "" "exit $code after $((SECONDS - start)) s"
}

: >"$report"
say "# The CUDA backend on a GPU" "" "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%d)"
for tool in nvcc cmake python3 nvidia-smi; do
  command -v "$tool" >/dev/null 2>&1 || { say "missing tool: $tool"; exit 2; }
done
capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
[ -n "$capability" ] || { say "nvidia-smi names no GPU"; exit 2; }
[ "$capability" = 90 ] && architecture=90a-real || architecture=$capability-real
say "" "    $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -n 1)" "    $(nvcc --version | tail -n 2 | head -n 1)"

# cuBLASLt as PyTorch brings it, unless it is named.
if [ -z "${EMBED4J_CUBLASLT_LIBRARY:-}" ]; then
  EMBED4J_CUBLASLT_LIBRARY=$(python3 -c 'import glob, nvidia
paths = [p for d in nvidia.__path__ for p in sorted(glob.glob(d + "/*/lib/libcublasLt.so.1[23]"))]
print(paths[-1] if paths else "")' 2>/dev/null)
fi
if [ -n "$EMBED4J_CUBLASLT_LIBRARY" ]; then export EMBED4J_CUBLASLT_LIBRARY; else unset EMBED4J_CUBLASLT_LIBRARY; fi
export EMBED4J_CUDA_LIBRARY="$build/libembed4j_cuda.so"

# The limits sum to 580 s.
step "Build for sm_$architecture" 130 bash -eo pipefail -c "
  cmake -S '$root/native' -B '$build' -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_ARCHITECTURES=$architecture | grep -E 'CUDA|compiler ident'
  cmake --build '$build' --parallel $(nproc) -t embed4j embed4j_cuda cuda_device_test call_queue_test cuda_backend_test cuda_products_test cuda_attention_bench 2>&1 |
    tail -n 30"
[ -f "$EMBED4J_CUDA_LIBRARY" ] || { say "" "## Verdict" "" "libembed4j_cuda.so was not built"; exit 1; }
step "Every kernel against its plain form" 35 stdbuf -oL "$build/cuda_device_test"
step "Graphs of repeated calls" 15 "$build/call_queue_test"
step "Every operation against the CPU backend" 25 stdbuf -oL "$build/cuda_backend_test"
step "Layers with adapters against the CPU backend" 15 stdbuf -oL "$build/cuda_products_test"
step "The tiny checkpoint end to end" 35 python3 "$root/bench/gpu/parity.py" "$build/libembed4j.so" cuda "$scratch/tiny"
step "The table" 220 python3 "$root/bench/gpu/table.py" "$build/libembed4j.so" "$build/cuda_attention_bench" "$scratch"
if command -v compute-sanitizer >/dev/null 2>&1; then
  step "compute-sanitizer memcheck" 50 compute-sanitizer --tool memcheck --error-exitcode 9 "$build/cuda_device_test" small
  step "compute-sanitizer memcheck, wgmma" 15 compute-sanitizer --tool memcheck --error-exitcode 9 "$build/cuda_device_test" wgmma
  step "compute-sanitizer racecheck" 40 compute-sanitizer --tool racecheck --error-exitcode 9 "$build/cuda_device_test" small
else
  say "" "compute-sanitizer is not installed"
  failed="$failed [compute-sanitizer missing]"
fi

say "" "## Verdict" "" "${failed:-all steps passed}"
[ -z "$failed" ]
