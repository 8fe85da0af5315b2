// go_net_rpc: net/rpc with its JSON codec over TCP: JSON-RPC 1.0, a goroutine for each request.
//
//	go_net_rpc FEATURES_URL
//
// Ringmaster.Echo, Ringmaster.Burn, Ringmaster.FetchBurn. Prints "listening address=HOST:PORT".
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	clockThreadCPUTime = 3
	cpuMsMax           = 600_000
	// Ringmaster's defaults.
	fetchTimeout     = time.Second
	fetchConnections = 256
)

type Ringmaster struct {
	featuresURL string
	client      http.Client
}

type BurnArgs struct {
	UserID json.RawMessage `json:"user_id"`
	CPUMs  *float64        `json:"cpu_ms"`
}

type BurnReply struct {
	CPUMs float64 `json:"cpu_ms"`
}

func (*Ringmaster) Echo(args *json.RawMessage, reply *json.RawMessage) error {
	*reply = *args
	return nil
}

func (*Ringmaster) Burn(args *BurnArgs, reply *BurnReply) error {
	if args.CPUMs == nil || *args.CPUMs < 0 || *args.CPUMs > cpuMsMax {
		return fmt.Errorf("cpu_ms: expected a number from 0 to %d", cpuMsMax)
	}
	useCPU(time.Duration(*args.CPUMs * float64(time.Millisecond)))
	reply.CPUMs = *args.CPUMs
	return nil
}

func (r *Ringmaster) FetchBurn(args *BurnArgs, reply *BurnReply) error {
	if err := r.fetch(args.UserID); err != nil {
		return err
	}
	return r.Burn(args, reply)
}

// Fetches the user's events, and reads them to their end: only then is the connection used again.
func (r *Ringmaster) fetch(userID json.RawMessage) error {
	if userID == nil {
		return fmt.Errorf("user_id: missing")
	}
	body, err := json.Marshal(map[string]json.RawMessage{"user_id": userID})
	if err != nil {
		return err
	}
	response, err := r.client.Post(r.featuresURL, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("upstream: status %d", response.StatusCode)
	}
	return nil
}

func threadCPU() time.Duration {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&now)), 0)
	return time.Duration(now.Nano())
}

// The clock is that of one thread: the goroutine must stay on this thread.
func useCPU(wanted time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for end := threadCPU() + wanted; threadCPU() < end; {
	}
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go_net_rpc FEATURES_URL")
	}
	transport := &http.Transport{
		MaxConnsPerHost: fetchConnections, MaxIdleConnsPerHost: fetchConnections,
	}
	client := http.Client{Transport: transport, Timeout: fetchTimeout}
	if err := rpc.Register(&Ringmaster{featuresURL: os.Args[1], client: client}); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening address=%s", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go jsonrpc.ServeConn(connection)
	}
}
