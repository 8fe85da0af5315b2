#!/bin/bash
# fuzz.sh long|short [FUZZER]: runs every fuzzer of tests/fuzz, or one, with its number of inputs.
# Without FUZZER the last line is "N passed, N failed, N skipped".
#
# short: always the same inputs, for `make check`. long: other inputs each time, starting from those
# that build/fuzz/corpus keeps. An input that fails is kept in build/fuzz/findings:
# build/asan/NAME_fuzz FILE runs it again. Correct the fault, and add the file to the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

# name, inputs in thousands (long, short), dictionary: fast fuzzers get more inputs; an input of tls
# is a whole connection. The long form has fifteen million inputs in all; the short one takes less
# than a minute on two cores.
readonly kFuzzers="
json_rpc     700 4 json
framing     1000 5 http
http        1000 5 http
json        1500 8 json
features    3400 15 json
schema       700 4 schema
control     2200 8
result_ring 1600 8
master_port  600 4
run_stage    300 1
config       100 2 toml
tls          100 1 tls
proxy_header 300 5
templates   1000 2 template
shared_fetches 200 1
"

length=${1:-none}
[[ $length == long || $length == short ]] ||
  { echo "fuzz: expected long or short, found $length" >&2 && exit 64; }
if [[ $# -eq 1 ]]; then
  make -j"$(nproc)" BUILD=asan fuzzers
  mapfile -t commands < <(awk -v f="scripts/fuzz.sh $length" 'NF { print f, $1 }' <<< "$kFuzzers")
  exec scripts/sum.sh "${commands[@]}"
fi

name=$2
read -r long short dictionary < <(awk -v name="$name" '$1 == name { print $2, $3, $4 }' \
  <<< "$kFuzzers") || { echo "fuzz: unknown fuzzer $name" >&2 && exit 64; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
found=build/fuzz/corpus/$name findings=build/fuzz/findings
[[ $length == long ]] || found=$work/found
mkdir -p "$found" "$findings"

options=(-print_final_stats=1 -artifact_prefix="$findings/$name-" -max_len=2048 -timeout=60)
[[ -z $dictionary ]] || options+=(-dict="tests/fuzz/$dictionary.dict")
# setarch -R fixes addresses, where the container allows it: libFuzzer puts values that the program
# compares into its inputs, and addresses are among these values.
fixed=()
if [[ $length == long ]]; then
  options+=(-runs="${long}000")
else
  options+=(-runs="${short}000" -seed=1)
  ! setarch -R true 2> /dev/null || fixed=(setarch -R)
fi

start=$SECONDS
"${fixed[@]}" "build/asan/${name}_fuzz" "${options[@]}" "$found" "tests/fuzz/corpus/$name" \
  &> "$work/log" ||
  { grep -v '^#\|NEW_FUNC' "$work/log" && exit 1; }
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
covered=$(sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$work/log")
echo "$name: $runs inputs in $((SECONDS - start)) s, $covered edges covered, none failed"
