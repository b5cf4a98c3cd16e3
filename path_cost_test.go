package farwire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// held returns the bytes of memory in use: heap that is reachable, and stacks.
func held() int64 {
	runtime.GC()
	runtime.GC() // what the first one found in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// A large body costs no more than a small one, either way.
func TestPathForm_LargeBodies_CostConstantMemory(t *testing.T) {
	const size, step = 128 << 20, 16 << 20
	var before, most int64
	measure := func() { most = max(most, held()-before) }
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		before = held()
		for range size / step {
			if n, err := io.CopyN(io.Discard, r.Body, step); err != nil {
				t.Errorf("%d bytes, %v", n, err)
				return
			}
			measure()
		}
		for range size / step {
			io.CopyN(rw, zeros{}, step)
			measure()
		}
	}))
	resp, err := plainClient.Do(w.request("PUT", "/", io.LimitReader(zeros{}, size)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	// The client's, the gateway's and the target's buffers are all of this process.
	if most > 4<<20 {
		t.Errorf("%d bytes are held while %d pass", most, size)
	}
}

// An answer that lets itself be waited for is waited for.
func TestPathForm_LongPoll_MayTakeAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(conn net.Conn) {
			defer conn.Close()
			br := bufio.NewReader(conn)
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			time.Sleep(40 * time.Second)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst")
			time.Sleep(40 * time.Second)
			io.WriteString(conn, " and last")
		})
		ln := newMemoryListener()
		path := *w
		path.ln = ln
		path.serve(w.gw.PathForm())
		conn, err := ln.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		// The client takes its time for its body, as the target does for its answer.
		fmt.Fprintf(conn, "POST /to/key=%s/http/poll.test/ HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\n", testKey)
		time.Sleep(40 * time.Second)
		io.WriteString(conn, "ok")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if took := time.Since(began); err != nil || resp.StatusCode != 200 || string(body) != "first and last" || took < 80*time.Second || took > 160*time.Second {
			t.Errorf("%s %q after %v: %v", resp.Status, body, took, err)
		}
	})
}

// An idle tunnel of an HTTP/1.1 CONNECT costs the gateway at most 12 KB.
func TestForwardProxy_IdleTunnel_CostsLittle(t *testing.T) {
	const few, many = 20, 220
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	targets := make(chan net.Conn, 1)
	accepting.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			targets <- conn
		}
	})
	w := newProxyWorld(t, http.NotFoundHandler())
	t.Cleanup(func() {
		ln.Close()
		accepting.Wait()
	})
	request := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", ln.Addr(), proxyBasic("any", testKey))
	open := func() {
		t.Helper()
		conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(testTimeout))
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if head := readHead(t, conn); !strings.HasPrefix(head, "HTTP/1.1 200") {
			t.Fatal(head)
		}
		if _, err := io.WriteString(conn, "x"); err != nil { // a byte passes, then it is idle
			t.Fatal(err)
		}
		target := <-targets
		t.Cleanup(func() { target.Close() })
		target.SetDeadline(time.Now().Add(testTimeout))
		if _, err := io.ReadFull(target, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for range few {
		open()
	}
	before := held()
	for range many - few {
		open()
	}
	waitUntil(t, "all tunnels run", func() bool { return w.gw.Stats().Kinds[farwire.KindTunnel].Active == many })
	most := int64(12_000)
	if raceEnabled {
		most = 16_000 // the detector's own part in stacks and pools
	}
	if each := (held() - before) / (many - few); each > most {
		t.Errorf("an idle tunnel costs %d bytes", each)
	} else {
		t.Logf("an idle tunnel costs %d bytes, the test's two connections of it included", each)
	}
}
