#!/bin/bash
# curl.sh TRANSPORT ADDRESS SOCKET FOLDER: see matrix.py. --json sends the body as application/json.
set -euo pipefail
url=http://$2 socket=$3 folder=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ask() {
  curl --silent --show-error --max-time 20 "$@"
}

request() {
  printf '{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' "$@"
}

result() {
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}' "$@"
}

check() {
  local name=$1 wanted=$2 found=$3
  if [[ $found == "$wanted" ]]; then
    echo "$name ok"
  else
    echo "$name failed: expected ${wanted:0:200}, found ${found:0:200}"
  fi
}

check call "$(result 1 '["hello", 5]')" \
  "$(ask --json '{"jsonrpc":"2.0","id":1,"method":"hello"}' "$url")"

check positional "$(result 2 '[1,"two",null]')" \
  "$(ask --json "$(request 2 echo '[1,"two",null]')" "$url")"

check named "$(result 3 '{"one":1,"two":[true]}')" \
  "$(ask --json "$(request 3 echo '{"one":1,"two":[true]}')" "$url")"

unknown='"error":{"code":-32601,"message":"there is no method unknown",'
error=$(ask --write-out ' %{http_code}' --json "$(request 4 unknown '[]')" "$url")
check error "{\"jsonrpc\":\"2.0\",\"id\":4,$unknown 200" "${error%%\"data\"*} ${error##* }"

note=$(printf '{"jsonrpc":"2.0","method":"hold","params":{"gate":"%s"}}' "$folder/open")
check notification ' 200' "$(ask --write-out ' %{http_code}' --json "$note" "$url")"

batch="[$(request 5 burn '[20]'),$(request 6 echo '[6]'),$note]"
check batch "[$(result 5 '{"cpu_ms":20}'),$(result 6 '[6]')]" "$(ask --json "$batch" "$url")"

params=[\"$(head -c 1MiB /dev/zero | tr '\0' x)\"]
request 7 echo "$params" > "$work/large"
check large "$(result 7 "$params")" "$(ask --json "@$work/large" "$url")"

params='["Grüße, 世界, 😀 \u2028 \"\\\n\u0001"]'
check text "$(result 8 "$params")" "$(ask --json "$(request 8 echo "$params")" "$url")"

for id in {1..100}; do
  request "$id" echo "[$id]" > "$work/body$id"
  [[ $id == 1 ]] || echo next
  printf '%s = "%s"\n' url "$url" json "@$work/body$id" output "$work/$id" max-time 20
  result "$id" "[$id]" >> "$work/wanted"
done > "$work/config"
ask --parallel --parallel-immediate --parallel-max 100 --config "$work/config"
check concurrent "$(cat "$work/wanted")" "$(cat "$work"/{1..100} | tr -d '\n')"

check unix "$(result 9 '[9]')" \
  "$(ask --unix-socket "$socket" --json "$(request 9 echo '[9]')" http://localhost)"
