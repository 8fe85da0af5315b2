# Completion of ringmaster for bash. Written by scripts/options.py.

_ringmaster_words() {
  COMPREPLY=($(compgen -W "$1" -- "$word"))
}

_ringmaster_files() {
  compopt -o filenames
  COMPREPLY=($(compgen -f -- "$word"))
}

_ringmaster() {
  # Not COMP_WORDS: they are split at the colons of addresses, too.
  local words server=() options="" word before i given=0
  read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=("")
  word=${words[-1]} before=${words[-2]}
  COMPREPLY=()
  if [[ ${#words[@]} -le 2 ]]; then
    _ringmaster_words "serve check reload call discover bench run replay top trace dev plan help -h --help --version"
    return
  fi
  [[ $word != --*=* ]] || { before=${word%%=*} word=${word#*=}; }
  case $before in
    -c|--config|--log-file|--token-file|--ca|--cert|--key|-o|--output) _ringmaster_files && return ;;
    --log-format) _ringmaster_words "logfmt json" && return ;;
    --arrivals) _ringmaster_words "poisson constant" && return ;;
    --pid|--to|--timeout-ms|--wait|--rate|--seed|--concurrency|--connections|--http|--warm-up-s|--duration-s|--in-time-ms|--drain-s|--input|--count|--listen|--rps|--cpu-ms|--cpu-cv|--io-ms|--p99-ms|--from|--seconds|--cores-per-node|--workers|--nodes|--load|--io-add-ms|--at-once|--payload-bytes) return ;;
  esac
  case ${words[1]} in
    serve) options="-h --help -c --config --log-format --log-file --inline" ;;
    check) options="-h --help -c --config --dump --schema" ;;
    reload) options="-h --help -c --config --pid --wait" ;;
    call) options="-h --help -c --config --to --token-file --timeout-ms --ca --cert --key --wait" ;;
    discover) options="-h --help -c --config --to --token-file --timeout-ms --ca --cert --key" ;;
    bench) options="-h --help -c --config --to --token-file --rate --arrivals --seed --concurrency --connections --http --warm-up-s --duration-s --in-time-ms --drain-s --json" ;;
    run) options="-h --help -c --config --input --gdb" ;;
    replay) options="-h --help -c --config --gdb" ;;
    top) options="-h --help -c --config --to --count" ;;
    trace) options="-h --help -c --config --to -o --output --kept" ;;
    dev) options="-h --help --listen --print-config" ;;
    plan) options="-h --help --rps --cpu-ms --cpu-cv --io-ms --p99-ms --from --seconds --cores-per-node --workers --nodes --load --io-add-ms --at-once --timeout-ms --payload-bytes --simulate --seed --json" ;;
    help) options="-h --help" ;;
  esac
  for ((i = 2; i < ${#words[@]} - 1; i++)); do
    case ${words[i]} in
      -c|--config|--to|--token-file|--ca|--cert|--key) server+=("${words[i]}" "${words[i + 1]/#\~/$HOME}") && ((++i)) ;;
      --config=*|--to=*|--token-file=*|--ca=*|--cert=*|--key=*) server+=("${words[i]}") ;;
      --log-format|--log-file|--pid|--timeout-ms|--wait|--rate|--arrivals|--seed|--concurrency|--connections|--http|--warm-up-s|--duration-s|--in-time-ms|--drain-s|--input|--count|-o|--output|--listen|--rps|--cpu-ms|--cpu-cv|--io-ms|--p99-ms|--from|--seconds|--cores-per-node|--workers|--nodes|--load|--io-add-ms|--at-once|--payload-bytes) ((++i)) ;;
      -*) ;;
      *) given=1 ;;
    esac
  done
  if [[ $word == -* ]]; then
    _ringmaster_words "$options"
  elif [[ $given -eq 0 && ${words[1]} == @(call|bench) ]]; then
    _ringmaster_words "$("${words[0]/#\~/$HOME}" discover --timeout-ms 500 "${server[@]}" 2> /dev/null |
    sed -n 's/^      "name": "\(.*\)",$/\1/p')"
  elif [[ ${words[1]} == @(replay|dev) ]]; then
    _ringmaster_files
  fi
}

complete -F _ringmaster ringmaster
