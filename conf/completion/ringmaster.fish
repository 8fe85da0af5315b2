# Completion of ringmaster for fish. Written by scripts/options.py.

function __ringmaster_methods
    set -l words (commandline -opc)
    set -l server
    for i in (seq 2 (count $words))
        if contains -- $words[$i] -c --config --to --token-file --ca --cert --key
            set -a server $words[$i] $words[(math $i + 1)]
        else if string match -qr -- '^(--config=.*|--to=.*|--token-file=.*|--ca=.*|--cert=.*|--key=.*)$' $words[$i]
            set -a server $words[$i]
        end
    end
    eval $words[1] discover --timeout-ms 500 $server 2> /dev/null |
    sed -n 's/^      "name": "\(.*\)",$/\1/p'
end

complete -c ringmaster -f
complete -c ringmaster -n __fish_use_subcommand -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n __fish_use_subcommand -l version -d 'Display program version information and exit'
complete -c ringmaster -n __fish_use_subcommand -a serve -d 'serve in the foreground'
complete -c ringmaster -n '__fish_seen_subcommand_from serve' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from serve' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from serve' -l log-format -r -f -a 'logfmt json' -d 'the format of log lines (default logfmt)'
complete -c ringmaster -n '__fish_seen_subcommand_from serve' -l log-file -r -F -d 'append log lines here, not on stderr'
complete -c ringmaster -n '__fish_seen_subcommand_from serve' -l inline -d 'run handlers in one process, without deadlines: for debuggers only'
complete -c ringmaster -n __fish_use_subcommand -a check -d 'name every problem of a configuration, without serving it'
complete -c ringmaster -n '__fish_seen_subcommand_from check' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from check' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from check' -l dump -d 'print the effective configuration'
complete -c ringmaster -n '__fish_seen_subcommand_from check' -l schema -d 'print the JSON Schema of every configuration; takes no -c'
complete -c ringmaster -n __fish_use_subcommand -a reload -d 'have a running server read its file again'
complete -c ringmaster -n '__fish_seen_subcommand_from reload' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from reload' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from reload' -l pid -r -d 'the server'"'"'s master (default: the one that answers at listen.status of -c, else at 127.0.0.1:7071)'
complete -c ringmaster -n '__fish_seen_subcommand_from reload' -l wait -d 'wait for the end of the reload, print its result; needs listen.status'
complete -c ringmaster -n __fish_use_subcommand -a call -d 'send one request and print its result'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l to -r -d 'the server (default: the first listen.rpc of -c, without TLS if there is one, else 127.0.0.1:7070)'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l token-file -r -F -d 'show the first token in it to the server'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l timeout-ms -r -d 'give up after that long (default 30000); 1 to 3600000'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l ca -r -F -d 'tls://: trust these CAs (PEM), not the system'"'"'s'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l cert -r -F -d 'tls://: show this client certificate (PEM)'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l key -r -F -d 'tls://: its key (PEM)'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -l wait -r -d 'keep trying to connect for that long, while the server starts; 0 to 3600'
complete -c ringmaster -n '__fish_seen_subcommand_from call' -a '(__ringmaster_methods)'
complete -c ringmaster -n __fish_use_subcommand -a discover -d 'print what a server offers, as an OpenRPC document'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -l to -r -d 'the server (default: the first listen.rpc of -c, without TLS if there is one, else 127.0.0.1:7070)'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -l token-file -r -F -d 'show the first token in it to the server'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -l timeout-ms -r -d 'give up after that long (default 30000); 1 to 3600000'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -l ca -r -F -d 'tls://: trust these CAs (PEM), not the system'"'"'s'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -l cert -r -F -d 'tls://: show this client certificate (PEM)'
complete -c ringmaster -n '__fish_seen_subcommand_from discover' -l key -r -F -d 'tls://: its key (PEM)'
complete -c ringmaster -n __fish_use_subcommand -a bench -d 'put a load on a JSON-RPC server and measure it'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l to -r -d 'the server (default: the first listen.rpc of -c, without TLS if there is one, else 127.0.0.1:7070)'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l token-file -r -F -d 'show the first token in it to the server'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l rate -r -d 'open loop: send N requests a second'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l arrivals -r -f -a 'poisson constant' -d 'open loop: when requests are sent (default poisson)'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l seed -r -d 'open loop: the seed of the arrivals (default 1)'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l concurrency -r -d 'closed loop, if there is no --rate: requests at once (default 1); 1 to 1000000'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l connections -r -d 'spread the load over N connections (default 1); 1 to 100000'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l http -r -d 'POST to this path, not JSON lines'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l warm-up-s -r -d 'load before the measurement, not counted (default 1)'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l duration-s -r -d 'the length of the measurement (default 10)'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l in-time-ms -r -d 'also count the results that took at most MS'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l drain-s -r -d 'wait at most S for the last answers (default 10)'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -l json -d 'print the report as JSON'
complete -c ringmaster -n '__fish_seen_subcommand_from bench' -a '(__ringmaster_methods)'
complete -c ringmaster -n __fish_use_subcommand -a run -d 'run one job of a handler in this process, without a server'
complete -c ringmaster -n '__fish_seen_subcommand_from run' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from run' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from run' -l input -r -d 'what the step NAME before the handler brings; may be given several times'
complete -c ringmaster -n '__fish_seen_subcommand_from run' -l gdb -d 'run this command in gdb'
complete -c ringmaster -n __fish_use_subcommand -a replay -d 'run a kept job again in this process, without a server'
complete -c ringmaster -n '__fish_seen_subcommand_from replay' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from replay' -s c -l config -r -F -d 'the configuration file'
complete -c ringmaster -n '__fish_seen_subcommand_from replay' -l gdb -d 'run this command in gdb'
complete -c ringmaster -n '__fish_seen_subcommand_from replay' -F
complete -c ringmaster -n __fish_use_subcommand -a dev -d 'serve the functions of a Python file, and reload when it is saved'
complete -c ringmaster -n '__fish_seen_subcommand_from dev' -s h -l help -d 'Print this help message and exit'
complete -c ringmaster -n '__fish_seen_subcommand_from dev' -l listen -r -d 'where clients connect (default 127.0.0.1:7070); port 0: any that is free'
complete -c ringmaster -n '__fish_seen_subcommand_from dev' -l print-config -d 'print a configuration that serves the functions, and do not serve them'
complete -c ringmaster -n '__fish_seen_subcommand_from dev' -F
complete -c ringmaster -n __fish_use_subcommand -a help -d 'print this, or the options of a SUBCOMMAND'
complete -c ringmaster -n '__fish_seen_subcommand_from help' -s h -l help -d 'Print this help message and exit'
