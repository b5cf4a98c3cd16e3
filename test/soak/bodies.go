package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/loadtest"
)

// A body of a gigabyte may cost a process this much more memory than one of 64 MiB,
// after which all buffers and windows are as large as they get.
const (
	gigabyte = 1 << 30
	before   = 64 << 20
	mayCost  = 16 << 20
)

// bodies has a gigabyte pass the path form and the forward proxy each way, through an
// agent, and looks at the memory of both processes meanwhile.
func bodies(ctx context.Context, s *soak) (_ string, err error) {
	dir, err := os.MkdirTemp("", "soak-bodies-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	gateway, addr, err := harness.LaunchGateway(ctx, s.program, dir, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	exit, err := harness.LaunchAgent(s.program, addr, "soak", "--allow-private")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, exit.Stop()) }()
	if err := harness.AwaitAttached(ctx, exit); err != nil {
		return "", err
	}
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if size, some := strings.CutPrefix(r.URL.Path, "/down/"); some && err == nil {
			if n, err = strconv.ParseInt(size, 10, 64); err == nil {
				_, err = io.CopyN(w, zeros{}, n)
			}
		} else if err == nil {
			_, err = fmt.Fprint(w, n)
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	defer target.Close()
	proxy := &url.URL{Scheme: "http", Host: addr, User: url.UserPassword("soak", harness.Key)}
	secure := httptest.NewTLSServer(target.Config.Handler)
	defer secure.Close()
	through := secure.Client().Transport.(*http.Transport).Clone()
	through.Proxy = http.ProxyURL(proxy)
	client := &http.Client{Transport: through}
	defer client.CloseIdleConnections()

	processes := map[string]int{"gateway": gateway.Pid(), "agent": exit.Pid()}
	var figures strings.Builder
	for _, way := range []struct{ name, base string }{
		{"path form", "http://" + addr + "/to/key=" + harness.Key + "/http/" + strings.TrimPrefix(target.URL, "http://")},
		{"absolute URL", target.URL}, {"CONNECT", secure.URL},
	} {
		c := client
		if way.name == "path form" {
			c = http.DefaultClient
		}
		for _, up := range []bool{true, false} {
			usual, _, err := peaks(ctx, processes, func() error { return pass(ctx, c, way.base, up, before) })
			if err != nil {
				return figures.String(), err
			}
			most, took, err := peaks(ctx, processes, func() error { return pass(ctx, c, way.base, up, gigabyte) })
			if err != nil {
				return figures.String(), err
			}
			fmt.Fprintf(&figures, "%-12s %-4s 1 GiB in %5.2f s; gateway %d MiB at the most, %d with 64 MiB; agent %d and %d\n", way.name,
				map[bool]string{true: "up", false: "down"}[up], took.Seconds(), most["gateway"]>>20, usual["gateway"]>>20, most["agent"]>>20, usual["agent"]>>20)
			for name := range processes {
				if more := most[name] - usual[name]; more > mayCost {
					return figures.String(), fmt.Errorf("%s, up %v: the %s held %d bytes more than with a smaller body", way.name, up, name, more)
				}
			}
		}
	}
	return figures.String(), nil
}

// pass sends a body or fetches one.
func pass(ctx context.Context, c *http.Client, base string, up bool, size int64) error {
	method, path, body := http.MethodGet, fmt.Sprintf("/down/%d", size), io.Reader(nil)
	if up {
		method, path, body = http.MethodPut, "/up", io.LimitReader(zeros{}, size)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	if up {
		said, err := io.ReadAll(resp.Body)
		if err == nil && string(said) != strconv.FormatInt(size, 10) {
			err = fmt.Errorf("%s of %d bytes arrived", said, size)
		}
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d bytes arrived", n, size)
	}
	return err
}

// peaks returns the most resident memory of each process while do runs, and how long
// it took.
func peaks(ctx context.Context, processes map[string]int, do func() error) (map[string]int64, time.Duration, error) {
	most := make(map[string]int64)
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- do() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for name, pid := range processes {
			_, bytes, err := loadtest.Holds(pid)
			if err != nil {
				return nil, 0, errors.Join(err, <-done)
			}
			most[name] = max(most[name], bytes)
		}
		select {
		case err := <-done:
			return most, time.Since(began), err
		case <-tick.C:
		case <-ctx.Done():
			return nil, 0, errors.Join(context.Cause(ctx), <-done)
		}
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
