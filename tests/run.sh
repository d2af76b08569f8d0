#!/usr/bin/env bash
# Installs what the tests need, builds and runs all of them.
#
#   tests/run.sh                   the stages named in `stages`
#   tests/run.sh tidy unit         these stages only (unit = asan and tsan)
#   tests/run.sh e2e proxy         the end-to-end tests whose path contains "proxy"
#
# FUZZ_SECONDS (60): how long each fuzz target runs, two side by side.
# Every stage runs even when one before it failed. The last line counts the tests; the exit status
# is 0 only when none failed.
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit
stages="tidy asan tsan fuzz release e2e systemd"
logs=build/test-logs
jobs=${JOBS:-2}
# Compiler results are shared between checkouts of the repository.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
export ASAN_OPTIONS=detect_stack_use_after_return=0:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1

passed=0
failed=0
summary=()

say() { printf '\n=== %s ===\n' "$*"; }

# Adds to the totals: count PASSED FAILED.
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
}

# Runs one check that counts as one test: check NAME COMMAND...
check() {
  local name=$1
  shift
  if "$@"; then
    count 1 0
  else
    count 0 1
    printf 'FAILED: %s\n  alone: tests/run.sh %s, or: %s\n' "$name" "$stage" "$*"
    return 1
  fi
}

# Prints the files that clang-format would change.
format_is_clean() {
  local unclean
  unclean=$(git ls-files -co --exclude-standard -- '*.cpp' '*.hpp' ':!build*' |
    xargs -r clang-format-14 --dry-run 2>&1 | sed -n 's/^\([^ :]*\):[0-9]*:.*/\1/p' | sort -u)
  [ -z "$unclean" ] || { printf 'repair: clang-format-14 -i %s\n' $unclean; return 1; }
}

stage_tidy() {
  local status=0
  check "rules of tidy.py" python3 tests/tidy.py --self-test || status=1
  check "style" python3 tests/tidy.py || status=1
  check "clang-format" format_is_clean || status=1
  return $status
}

# build PRESET: configures and builds; counts as a test only when it fails.
build() {
  cmake --preset "$1" >"$logs/$1-configure.log" 2>&1 && cmake --build --preset "$1" -- -j"$jobs" \
    >"$logs/$1-build.log" 2>&1 && return
  count 0 1
  tail -n 60 "$logs/$1-configure.log"
  grep -E -A 12 'FAILED:|error:' "$logs/$1-build.log" | head -n 120
  printf 'FAILED: the %s build\n  alone: cmake --preset %s && cmake --build --preset %s\n' \
    "$1" "$1" "$1"
  return 1
}

# The unit and simulation tests of one sanitizer preset.
stage_unit() {
  build "$1" || return 1
  local status=0
  ctest --test-dir "build/$1" --output-on-failure --timeout 600 --no-tests=error -j"$jobs" ||
    status=1
  local log=build/$1/Testing/Temporary/LastTest.log
  local totals
  totals=$(awk -F'|' '/^\[doctest\] test cases:/ { ok += $2; bad += $3 }
                      END { printf "%d %d", ok, bad }' "$log")
  # shellcheck disable=SC2086
  count $totals
  [ $status = 0 ] && return
  # A program that a sanitizer ended has no totals: it is one failure.
  case $totals in *" 0") count 0 1 ;; esac
  awk '/^Command: / { command = $2 }
       /^TEST CASE: / { sub(/^TEST CASE: +/, ""); gsub(/,/, "?")
                        printf "  alone: %s -tc=\"%s\"\n", command, $0 }
       /^Test Failed/ { printf "FAILED: %s\n", command }' "$log"
  return 1
}
stage_asan() { stage_unit asan; }
stage_tsan() { stage_unit tsan; }

stage_fuzz() {
  build fuzz || return 1
  local totals
  tests/fuzz/run.sh | tee "$logs/fuzz.log"
  local status=${PIPESTATUS[0]}
  totals=$(awk '/^ok / { ok++ } /^FAILED/ { bad++ } END { printf "%d %d", ok, bad }' \
    "$logs/fuzz.log")
  # shellcheck disable=SC2086
  count $totals
  return "$status"
}

stage_release() { build release && check "version" build/release/portero version; }

# laravel-echo and playwright-core want Node.js 20.19; Debian 12 has 18.
provide_node() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
           process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' && return
  local package
  package=node-linux-$(node -p process.arch)
  [ -x "build/node/node_modules/$package/bin/node" ] ||
    npm install --prefix build/node --no-save --no-package-lock --silent "$package@20.19.5"
  export PATH="$root/build/node/node_modules/$package/bin:$PATH"
}

# npm ci only when the lock file is newer than what is installed.
provide_node_modules() {
  local folder=$1
  [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] && return
  (cd "$folder" && npm ci --silent)
}

stage_e2e() {
  if ! provide_node || ! provide_node_modules tests/e2e; then
    count 0 1
    return 1
  fi
  local status=0 file name log totals started
  for file in tests/e2e/*.test.mjs tests/e2e/*/*.test.mjs; do
    [[ -e $file && $file == *"$filter"* ]] || continue
    name=${file#tests/e2e/}
    log=$logs/e2e-$(basename "$file" .test.mjs).log
    started=$SECONDS
    if timeout -k 10 300 node --test --test-reporter=tap "$file" >"$log" 2>&1; then
      printf 'ok %s (%d s)\n' "$name" $((SECONDS - started))
    else
      status=1
      sed 's/^/  | /' "$log" | tail -n 150
      printf 'FAILED %s (%d s)\n' "$name" $((SECONDS - started))
      printf '  alone: tests/run.sh e2e %s\n' "$name"
      grep -q '^# fail [1-9]' "$log" || count 0 1
    fi
    totals=$(awk '/^# pass / { ok = $3 } /^# (fail|cancelled) / { bad += $3 }
                  END { printf "%d %d", ok, bad }' "$log")
    # shellcheck disable=SC2086
    count $totals
  done
  return $status
}

# The unit as it would run, with the binary that was built here.
stage_systemd() {
  local status=0 unit=$logs/portero.service
  sed "s|/usr/bin/portero|$root/build/release/portero|" packaging/portero.service >"$unit"
  check "systemd unit" systemd-analyze verify --man=no "$unit" || status=1
  check "systemd sandbox" systemd-analyze security --offline=true --threshold=20 --no-pager \
    "$unit" >"$logs/systemd-security.log" || { status=1; tail -n 5 "$logs/systemd-security.log"; }
  return $status
}

run_stage() {
  local started=$SECONDS result=passed
  say "$1"
  "stage_$1" || result=FAILED
  summary+=("$(printf '%-8s %-6s %5d s' "$1" $result $((SECONDS - started)))")
  printf -- '--- %s: %s\n' "$1" "$result"
}

wanted=()
filter=
for word in "$@"; do
  case $word in
    unit) wanted+=(asan tsan) ;;
    tidy | asan | tsan | fuzz | release | e2e | systemd) wanted+=("$word") ;;
    *)
      [ "${wanted[*]}" = e2e ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
      filter=$word
      ;;
  esac
done
# shellcheck disable=SC2206
[ ${#wanted[@]} = 0 ] && wanted=($stages)

mkdir -p "$logs"
packaging/deps.sh test || { printf 'packaging/deps.sh test failed\n0 passed, 1 failed\n'; exit 1; }
for stage in "${wanted[@]}"; do run_stage "$stage"; done

say summary
printf '%s\n' "${summary[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
