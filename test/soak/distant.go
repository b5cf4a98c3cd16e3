//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/faulttest"
	"github.com/farwire/farwire/test/soak/link"
)

// The link to the other host.
const (
	roundTrip = 80 * time.Millisecond
	linkRate  = 25e6 // bytes per second
	linkQueue = 16e6 // bytes: enough to drop nothing

	warming   = 5 * time.Second
	measuring = 10 * time.Second
	rounds    = 3
)

// distant has one stream cross an agent on another host, and plain TCP the
// same link, in turns.
func distant(ctx context.Context, s *soak) (string, error) {
	controls := s.controls
	if len(controls) == 0 {
		b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
		if err != nil {
			return "", err
		}
		controls = []string{strings.TrimSpace(string(b))}
	}
	var figures strings.Builder
	var failed error
	for _, control := range controls {
		for _, loss := range []float64{0, 0.01} {
			d := &distance{soak: s, control: control, loss: loss}
			text, err := d.run(ctx)
			figures.WriteString(text)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s, %.0f %% loss: %w", control, 100*loss, err))
			}
		}
	}
	return fmt.Sprintf("a link of %v round trip and %.0f MB/s; each rate over %v after %v to warm up, mean of %d turns:\n",
		roundTrip, linkRate/1e6, measuring, warming, rounds) + figures.String(), failed
}

// A distance is one kind of link.
type distance struct {
	*soak
	control string // of congestion
	loss    float64
	link    *link.Link
	gateway string
	source  string
}

const (
	distantKey    = "the-api-key-of-a-soak-run"
	distantSecret = "the-agent-secret-of-a-soak-run"
)

func (d *distance) run(ctx context.Context) (figures string, err error) {
	d.link, err = link.New(link.Options{Delay: roundTrip / 2, Rate: linkRate, Queue: linkQueue, Loss: d.loss})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.link.Close()) }()
	for _, ns := range []string{d.link.Near, d.link.Far} {
		set := exec.CommandContext(ctx, "ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.tcp_congestion_control="+d.control)
		if out, err := set.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", set, err, out)
		}
	}
	dir, err := os.MkdirTemp("", "farwire-soak-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return "", err
	}

	source, m, err := d.start(ctx, d.link.Far, `source at (\S+)`, []string{roleVariable + "=source"}, self, d.link.FarAddress+":0")
	if err != nil {
		return "", err
	}
	defer source.Kill()
	d.source = m[1]
	gateway, m, err := d.start(ctx, d.link.Near, `listening on http://(\S+)`, nil, d.program, "serve", "--listen", d.link.NearAddress+":0",
		"--data-dir", dir, "--local-agent", "none", "--api-keys", "soak="+distantKey, "--agent-secret", distantSecret)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	d.gateway = m[1]
	agent, _, err := d.start(ctx, d.link.Far, `msg=attached`, nil, d.program, "agent", "--allow-cleartext", "--gateway", "http://"+d.gateway,
		"--secret", distantSecret, "--slug", "far", "--country", "ZZ", "--allow-private")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, agent.Stop()) }()

	var plain, through float64
	for range rounds {
		for _, one := range []struct {
			sum *float64
			via string
		}{{&plain, ""}, {&through, d.gateway}} {
			rate, err := d.measure(ctx, self, one.via)
			if err != nil {
				return "", err
			}
			*one.sum += rate / rounds
		}
	}
	fixed := 256 << 10 / roundTrip.Seconds()
	carried, lost, dropped := d.link.Counts()
	figures = fmt.Sprintf("%-5s %.0f %% loss: plain TCP %5.2f MB/s, through the agent %5.2f MB/s = %3.0f %%, %.1f times a fixed 256 KiB window (%d packets carried, %d lost, %d dropped)\n",
		d.control, 100*d.loss, plain/1e6, through/1e6, 100*through/plain, through/fixed, carried, lost, dropped)
	log.Print(strings.TrimSpace(figures))
	switch {
	case through < 0.8*plain:
		err = errors.New("less than 80 % of plain TCP")
	case d.loss == 0 && through < 5*fixed:
		err = errors.New("less than 5 times a fixed 256 KiB window")
	}
	return figures, err
}

// start runs a program in a namespace and waits until it has written a match.
func (d *distance) start(ctx context.Context, ns, ready string, env []string, program string, args ...string) (*harness.Process, []string, error) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns, program}, args...)...)
	cmd.Env = harness.Environ(env...)
	p, err := harness.Launch(cmd)
	if err != nil {
		return nil, nil, err
	}
	m, err := p.Await(ctx, p.Stderr, regexp.MustCompile(ready))
	if err != nil {
		p.Kill()
		return nil, nil, err
	}
	return p, m, nil
}

// measure returns the bytes per second of one warm stream from the source, be
// it through a gateway or plain.
func (d *distance) measure(ctx context.Context, self, gateway string) (float64, error) {
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", d.link.Near, self, d.source, gateway)
	cmd.Env = append(os.Environ(), roleVariable+"=measure")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("measuring: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

var roles = map[string]func([]string) error{"source": source, "measure": measure}

// source sends without an end to whoever comes: plain bytes, or frames to one
// who asks for a WebSocket.
func source(args []string) error {
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "source at %s\n", ln.Addr())
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go faulttest.Flood(conn)
	}
}

// measure prints the rate at which a source's bytes arrive.
func measure(args []string) error {
	conn, err := open(args[0], args[1])
	if err != nil {
		return err
	}
	defer conn.Close()
	count := func(d time.Duration) (int64, time.Duration, error) {
		began, n := time.Now(), int64(0)
		buf := make([]byte, 256<<10)
		for time.Since(began) < d {
			k, err := conn.Read(buf)
			if n += int64(k); err != nil {
				return 0, 0, err
			}
		}
		return n, time.Since(began), nil
	}
	if _, _, err := count(warming); err != nil {
		return err
	}
	n, took, err := count(measuring)
	if err != nil {
		return err
	}
	fmt.Println(float64(n) / took.Seconds())
	return nil
}

// open connects to a source, through a gateway if there is one.
func open(source, gateway string) (io.ReadCloser, error) {
	if gateway == "" {
		conn, err := net.Dial("tcp", source)
		if err == nil {
			_, err = io.WriteString(conn, "pour\r\n\r\n")
		}
		return conn, err
	}
	return faulttest.Open(context.Background(), gateway, "ws://"+source+"/", distantKey)
}
