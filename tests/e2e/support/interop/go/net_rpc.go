// net_rpc TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. The standard library's client: JSON-RPC
// 1.0; params are an array of one value; a struct gives them names. One connection for all checks.
package main

import (
	"fmt"
	"net/rpc"
	"net/rpc/jsonrpc"
)

// Returns an error unless the method returns `wanted`.
func ask(client *rpc.Client, method string, param, wanted interface{}) error {
	var found interface{}
	if err := client.Call(method, param, &found); err != nil {
		return err
	}
	return expect(wanted, found)
}

func main() {
	client, err := jsonrpc.Dial("tcp", address)
	if err != nil {
		panic(err)
	}
	echo := func(param interface{}) error { return ask(client, "echo", param, array{param}) }
	run([]check{
		{"call", func() error { return ask(client, "hello", nil, array{"hello", 5}) }},
		{"positional", func() error { return echo("one") }},
		{"named", func() error {
			named := struct{ One, Two int }{1, 2}
			return ask(client, "echo", named, object{"One": 1, "Two": 2})
		}},
		{"error", func() error {
			err := client.Call("unknown", 1, nil)
			if failure, is := err.(rpc.ServerError); is {
				return expect(unknownMessage, string(failure))
			}
			return fmt.Errorf("expected an rpc.ServerError, found %T: %v", err, err)
		}},
		{"large", func() error { return echo(large) }},
		{"text", func() error { return echo(text) }},
		{"concurrent", func() error {
			return askConcurrently(func(number int) error { return echo(number) })
		}},
		{"unix", func() error {
			local, err := jsonrpc.Dial("unix", socket)
			if err != nil {
				return err
			}
			return ask(local, "hello", nil, array{"hello", 5})
		}},
	})
}
