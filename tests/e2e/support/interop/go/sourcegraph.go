// sourcegraph TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. TRANSPORT: plain or vscode, the
// library's names for its codecs. The checks share a connection, unless the code says otherwise.
package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sourcegraph/jsonrpc2"
)

var background, _ = context.WithTimeout(context.Background(), 20*time.Second)

// The server sends no requests.
type noHandler struct{}

func (noHandler) Handle(context.Context, *jsonrpc2.Conn, *jsonrpc2.Request) {}

func connect(network, where string) *jsonrpc2.Conn {
	codecs := map[string]jsonrpc2.ObjectCodec{
		"plain": jsonrpc2.PlainObjectCodec{}, "vscode": jsonrpc2.VSCodeObjectCodec{},
	}
	connection, err := net.Dial(network, where)
	if err != nil {
		panic(err)
	}
	stream := jsonrpc2.NewBufferedStream(connection, codecs[transport])
	return jsonrpc2.NewConn(background, stream, noHandler{})
}

// Returns an error unless the method returns `wanted`.
func ask(conn *jsonrpc2.Conn, method string, params, wanted interface{}) error {
	var found interface{}
	if err := conn.Call(background, method, params, &found); err != nil {
		return err
	}
	return expect(wanted, found)
}

func main() {
	conn := connect("tcp", address)
	echo := func(params interface{}) error { return ask(conn, "echo", params, params) }
	run([]check{
		{"call", func() error { return ask(conn, "hello", nil, array{"hello", 5}) }},
		{"positional", func() error { return echo(array{1, "two", nil}) }},
		{"named", func() error { return echo(object{"one": 1, "two": array{true}}) }},
		{"error", func() error {
			err := conn.Call(background, "unknown", array{1}, nil)
			if failure, is := err.(*jsonrpc2.Error); is {
				return expect(array{unknownCode, unknownMessage}, array{failure.Code, failure.Message})
			}
			return fmt.Errorf("expected a *jsonrpc2.Error, found %T: %v", err, err)
		}},
		{"notification", func() error {
			if err := conn.Notify(background, "hold", marked); err != nil {
				return err
			}
			return echo(array{"after"})
		}},
		{"large", func() error { return echo(array{large}) }},
		{"text", func() error { return echo(array{text}) }},
		{"concurrent", func() error {
			return askConcurrently(func(number int) error {
				used := conn
				if transport == "plain" { // this codec loses answers that arrive together
					used = connect("tcp", address)
				}
				return ask(used, "echo", array{number}, array{number})
			})
		}},
		{"unix", func() error {
			return ask(connect("unix", socket), "hello", nil, array{"hello", 5})
		}},
	})
}
