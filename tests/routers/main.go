// The same program in Go, with the talk's structure (004:214-241) and what it lacks: a goroutine for each router, which owns its
// state; unbuffered channels from end to end; a map that only the dispatcher touches; queries that come in by the same channels.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

type message struct {
	router uint64
	event  uint64
	// If there is one, the message is a query.
	reply chan uint64
}

func router(input chan message, ended *sync.WaitGroup) {
	defer ended.Done()
	var count uint64
	for m := range input {
		if m.reply != nil {
			m.reply <- count
		} else {
			count += m.event
		}
	}
}

func dispatch(input chan message, ended *sync.WaitGroup) {
	defer ended.Done()
	routers := make(map[uint64]chan message)
	for m := range input {
		r, exists := routers[m.router]
		if !exists {
			if m.reply != nil {
				close(m.reply)
				continue
			}
			r = make(chan message)
			routers[m.router] = r
			ended.Add(1)
			go router(r, ended)
		}
		r <- m
	}
	for _, r := range routers {
		close(r)
	}
}

func query(input chan message, id uint64) (uint64, bool) {
	reply := make(chan uint64, 1)
	input <- message{router: id, reply: reply}
	state, known := <-reply
	return state, known
}

const more, connections = 5, 8

// Bytes in memory, by the kernel's own count.
func resident() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	check(err)
	pages, err := strconv.ParseUint(strings.Fields(string(statm))[1], 10, 64)
	check(err)
	return pages * 4096
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func micros(count uint64, work func()) float64 {
	start := time.Now()
	work()
	return float64(time.Since(start).Nanoseconds()) / 1000 / float64(count)
}

func source(input chan message, count, rounds uint64) {
	for round := uint64(0); round < rounds; round++ {
		for id := uint64(0); id < count; id++ {
			input <- message{router: id, event: 1}
		}
	}
}

func allHave(input chan message, count, events uint64) {
	for id := uint64(0); id < count; id++ {
		if state, known := query(input, id); !known || state != events {
			panic("a router has not heard of all")
		}
	}
}

func answer(input chan message, w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(strings.TrimPrefix(r.URL.Path, "/routers/"), 10, 64)
	if err == nil {
		if state, known := query(input, id); known {
			w.Header()["Date"] = nil
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, "%d\n", state)
			return
		}
	}
	http.Error(w, "nothing is known of that router", http.StatusNotFound)
}

func askFor(addr string, first, count, state uint64) {
	conn, err := net.Dial("tcp", addr)
	check(err)
	defer conn.Close()
	reader := bufio.NewReader(conn)
	body := []byte(fmt.Sprintf("%d\n", state))
	for id := first; id < count; id += connections {
		_, err := fmt.Fprintf(conn, "GET /routers/%d HTTP/1.1\r\nHost: here\r\n\r\n", id)
		check(err)
		line, err := reader.ReadSlice('\n')
		check(err)
		if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 OK")) {
			panic(string(line))
		}
		for len(line) > 2 {
			line, err = reader.ReadSlice('\n')
			check(err)
		}
		line, err = reader.ReadSlice('\n')
		check(err)
		if !bytes.Equal(line, body) {
			panic(string(line))
		}
	}
}

func main() {
	count := uint64(200_000)
	if len(os.Args) > 1 {
		var err error
		count, err = strconv.ParseUint(os.Args[1], 10, 64)
		check(err)
	}
	runtime.GOMAXPROCS(2)
	input := make(chan message)
	var ended sync.WaitGroup
	ended.Add(1)
	go dispatch(input, &ended)
	before := resident()
	creating := micros(count, func() { source(input, count, 1) })
	allHave(input, count, 1)
	time.Sleep(100 * time.Millisecond)
	memory := (resident() - before) / count
	event := micros(count*more, func() { source(input, count, more) })
	allHave(input, count, 1+more)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(input, w, r) })}
	go server.Serve(listener)
	ask := micros(count, func() {
		var clients sync.WaitGroup
		for first := uint64(0); first < connections; first++ {
			clients.Add(1)
			go func(first uint64) {
				defer clients.Done()
				askFor(listener.Addr().String(), first, count, 1+more)
			}(first)
		}
		clients.Wait()
	})
	check(server.Shutdown(context.Background()))
	stopping := micros(count, func() {
		close(input)
		ended.Wait()
	})
	fmt.Printf("%d %.2f %.2f %.2f %.2f\n", memory, creating, event, ask, stopping)
}
