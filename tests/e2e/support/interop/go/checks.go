// Shared by the programs in Go: the values that they send, and run(), which runs the checks.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	text           = "Grüße, 世界, 😀, \u2028 \"\\\n\x01"
	concurrent     = 100
	unknownCode    = -32601
	unknownMessage = "there is no method unknown"
)

var (
	large     = strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	transport = os.Args[1]
	address   = os.Args[2]
	socket    = os.Args[3]
	// Params for `hold`, which notes that it was called and returns at once.
	marked = object{"gate": filepath.Join(os.Args[4], "open")}
)

type object map[string]interface{}
type array []interface{}

type check struct {
	name string
	run  func() error
}

// Runs the checks one after the other and prints the result of each.
func run(checks []check) {
	for _, check := range checks {
		if err := check.run(); err != nil {
			why := fmt.Sprintf("%T: %v", err, err)
			fmt.Println(check.name, "failed:", strings.ReplaceAll(why, "\n", " "))
		} else {
			fmt.Println(check.name, "ok")
		}
	}
}

// Compares as JSON, since JSON is what client and server exchange.
func expect(wanted, found interface{}) error {
	want, _ := json.Marshal(wanted)
	have, _ := json.Marshal(found)
	if string(want) != string(have) {
		return fmt.Errorf("expected %.200s, found %.200s", want, have)
	}
	return nil
}

// Calls ask() with 0, 1, 2 ... at once. Returns one failure, if there is any.
func askConcurrently(ask func(number int) error) error {
	answers := make(chan error, concurrent)
	for number := 0; number < concurrent; number++ {
		go func(number int) { answers <- ask(number) }(number)
	}
	var failure error
	for number := 0; number < concurrent; number++ {
		if err := <-answers; err != nil {
			failure = err
		}
	}
	return failure
}
