#!/usr/bin/env bash
# Runs every fuzz target of build/fuzz for FUZZ_SECONDS (60), two at a time, from the inputs in
# tests/fuzz/corpus/TARGET. New inputs stay in build/fuzz/corpus; those that taught something are
# added to tests/fuzz/corpus by hand (build/fuzz/tests/TARGET -merge=1 tests/fuzz/corpus/TARGET
# build/fuzz/corpus/TARGET).
#
#   tests/fuzz/run.sh              all targets
#   tests/fuzz/run.sh h1_codec     those whose name contains the word
#
# Prints "ok TARGET" or "FAILED TARGET" with the input that broke it and how to run it alone.
set -euo pipefail

cd "$(dirname "$0")/../.."
targets=build/fuzz/tests

fuzz_one() {
  local name=$1 work=build/fuzz/corpus/$1 log=build/fuzz/$1.log
  mkdir -p "$work" build/fuzz/artifacts "tests/fuzz/corpus/$name"
  if "$targets/$name" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/artifacts/$name-" \
    "$work" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    printf 'ok %s (%s runs)\n' "$name" "$(awk '/number_of_executed_units/ { print $2 }' "$log")"
    return
  fi
  tail -n 60 "$log"
  printf 'FAILED %s\n  alone: %s\n' "$name" \
    "$targets/$name $(grep -o 'build/fuzz/artifacts/[^ ]*' "$log" | tail -n 1)"
  return 1
}
export -f fuzz_one
export targets

names=$(find "$targets" -maxdepth 1 -name '*_fuzz' -type f -printf '%f\n' | grep -F "${1:-}" | sort)
if [ -z "$names" ]; then
  echo "FAILED: no fuzz target; build them with: cmake --preset fuzz && cmake --build --preset fuzz"
  exit 1
fi
echo "$names" | xargs -P 2 -I {} bash -c 'fuzz_one {}'
