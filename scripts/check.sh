#!/bin/bash
# check.sh [short|build|every|asan|tsan]: without an argument every, asan and tsan. short: the form
# for each change. build: builds what short needs.
# every: the tests that kill a worker or try random schedules, at every instruction and longer.
# asan: every test under ASan+UBSan.
# tsan: the unit tests, and the end-to-end tests of the master's threads, under TSan.
# Then the fuzzers for a minute.
# short: the unit tests and some of the end-to-end tests under ASan+UBSan, and the fuzzers.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ $# -gt 0 ]] ||
  exec scripts/sum.sh "scripts/check.sh every" "scripts/check.sh asan" "scripts/check.sh tsan" \
    "scripts/fuzz.sh short"
if [[ $1 == short ]]; then
  scripts/check.sh build
  # The fuzzers take one core, and at the end of the tests one core has nothing to do.
  flock build/fuzz.lock scripts/fuzz.sh short &> build/fuzz.log &
  # The tests of bytes that clients and upstreams send, and of processes that die.
  readonly some="protocol,http,framings,hostile_clients,hostile_upstreams,deaths,scribbling"
  exec scripts/sum.sh "scripts/check.sh asan tests/e2e/*/test_{$some}.py" \
    "flock build/fuzz.lock cat build/fuzz.log"
fi
if [[ $1 == build ]]; then
  exec make -j"$(nproc)" BUILD=asan all build/asan/unit_tests fuzzers
fi
if [[ $1 == every ]]; then
  make BUILD=norecorder all
  make all build/release/unit_tests
  export RINGMASTER_TRIES=1000000 RINGMASTER_SCHEDULES=200000
  ONLY="worker kill: *,fork server kill: *,sample ring: *,ports: *,interleavings: *,scheduler: *" \
    exec scripts/test.sh build/release
fi
build=$1
shift
# Under a sanitizer the tests take several times as long.
readonly deadline_s=3600
make -j"$(nproc)" BUILD="$build" all "build/$build/unit_tests"

case $build in
  asan)
    export RINGMASTER_SCHEDULES=${RINGMASTER_SCHEDULES:-1000}
    leaks=1
    # A leak check traces the process.
    why=$(/usr/bin/python3 tests/e2e/support/probes.py ptrace) || leaks=0
    [[ $leaks -eq 1 ]] || echo "check: leaks are not looked for: $why" >&2
    export ASAN_OPTIONS=detect_leaks=$leaks:detect_stack_use_after_return=1:strict_string_checks=1
    export LSAN_OPTIONS=suppressions=$PWD/tests/lsan_suppressions.txt:print_suppressions=0
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    exec scripts/test.sh build/asan --deadline-s "$deadline_s" "$@"
    ;;
  tsan)
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
    TSAN_OPTIONS+=:suppressions=$PWD/tests/tsan_suppressions.txt
    # The master's only threads are libcurl's resolver, libuv's pool, where crashes are written, and
    # the one that parses long messages.
    readonly threads=(
      tests/e2e/*/test_{quarantine,long_messages,upstream,hostile_upstreams,reload,shutdown}.py)
    # gcc 12's TSan needs memory at addresses that a kernel with much address randomization may have
    # used: TSan then stops with "unexpected memory mapping".
    fixed=()
    if setarch -R true 2> /dev/null; then
      fixed=(setarch -R)
    else
      echo "check: address randomization cannot be turned off here; TSan may refuse to start" >&2
    fi
    exec "${fixed[@]}" scripts/test.sh build/tsan --deadline-s "$deadline_s" "${threads[@]}"
    ;;
esac
