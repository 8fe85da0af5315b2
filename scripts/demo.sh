#!/bin/bash
# demo.sh OUT: serves conf/ringmaster.toml, with the feature service as its upstream, until Ctrl-C.
# Leaves no process behind. Exits 0 after Ctrl-C, else with the code of the program that ended.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: demo.sh OUT}

# Shows the programs' log, and an example call once both programs serve.
announce() {
  trap '' INT TERM HUP  # the function ends with the programs that write the log
  local line features=no server=no
  while IFS= read -r line; do
    printf '%s\n' "$line" >&2
    [[ $line != *role=feature_service*event=listening* ]] || features=yes
    [[ $line != *role=master*event=ready* ]] || server=yes
    [[ $features$server == yesyes ]] || continue
    features=said
    cat << END

Serving. Paste one of these into another terminal (the second asks the handler in Python, the third
needs nothing but bash):

  $out/ringmaster call interests.predict '{"user_id": 42}'

  $out/ringmaster call interests.predict_python '{"user_id": 42}'

  { echo '{"jsonrpc":"2.0","id":1,"method":"interests.predict","params":{"user_id":42}}' >&3
    head -n 1 <&3; } 3<>/dev/tcp/127.0.0.1/7070

Ctrl-C ends the demo.

END
  done
}

# Job control gives each program a process group of its own, so that Ctrl-C reaches only this
# script. The script stops the server first, so that the server still has its upstream while it
# finishes.
set -m
server='' stopped=no
stop() {
  stopped=yes
  [[ -z $server ]] || kill -TERM "$server" 2> /dev/null || true
}
trap stop INT TERM HUP

exec 4> >(announce)
announcer=$!
"$out/feature_service" --listen 127.0.0.1:7080 --delay-ms 70 2>&4 4>&- &
features=$!
"$out/ringmaster" serve -c conf/ringmaster.toml 2>&4 4>&- &
server=$!
exec 4>&-

# Waits for a program, also when signals interrupt the wait.
wait_for() {
  local status
  while true; do
    status=0
    wait "$1" 2> /dev/null || status=$?  # hides bash's message: this script prints its own
    kill -0 "$1" 2> /dev/null || return $status
  done
}

[[ $stopped == no ]] || stop  # the signal came before the server started
code=0
wait -n -p ended "$features" "$server" || code=$?  # returns when either ends, or at a signal
[[ $stopped == yes ]] || kill -TERM "$server" 2> /dev/null || true
server_code=0
wait_for "$server" || server_code=$?
kill -TERM "$features" 2> /dev/null || true
wait_for "$features" || true
wait_for "$announcer" || true

if [[ $stopped == yes ]]; then
  exit 0
elif [[ ${ended:-} == "$features" ]]; then
  echo "demo: the feature service ended with exit code $code; the server was stopped" >&2
  exit "$code"
fi
echo "demo: the server ended with exit code $server_code; the feature service was stopped" >&2
exit "$server_code"
