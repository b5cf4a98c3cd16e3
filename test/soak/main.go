// Soak holds the gateway and its network of agents to what takes too long, or
// needs too much of a machine, for the tests: thousands of sessions whose
// agents are killed, for minutes, many clients that wait, come and go, and an agent on another host, at
// the far end of a long link. It prints the figures of each part and ends with
// status 1 if one is not as promised.
//
//	go run ./test/soak [-parts NAME,...] [-for TIME] [-write FILE]
//
// The part "distant" makes network namespaces and must be run by root, on
// Linux.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/loadtest"
	"github.com/farwire/farwire/test/internal/recrawltest"
)

const roleVariable = "SOAK_ROLE" // says what this program is to be, when not the soak

// A part is one thing to try.
type part struct {
	name string
	does string
	run  func(context.Context, *soak) (figures string, err error)
}

var parts = []part{
	{"faults300", "300 sessions over 4 agents that are killed, for ten minutes", faults300},
	{"faults2000", "the same with 2000 sessions", faults2000},
	{"reattach", "20 agents come back to a gateway that is killed and restarted, ten times", reattach},
	{"idle", "10 000 idle sessions over 20 agents, for ten minutes", idle10000},
	{"drain", "a gateway with 5000 busy sessions is told to stop", drain5000},
	{"silent", "10 000 connections that say nothing, and others that do", silent10000},
	{"churn", "100 000 sessions that come and go in every way", churn100000},
	{"hostile", "a million inputs that mean harm, over all entry points", hostile1000000},
	{"bodies", "a body of 1 GiB each way through the path form and the forward proxy, in constant memory", bodies},
	{"cluster", "500 sessions over 10 gateways and 40 agents, of which one, or NATS or Redis, is killed or frozen every 3 s, for ten minutes", cluster},
	{"recrawl500", "500 sites recrawled by gateways that are killed and stopped, for ten minutes", recrawl500},
	{"distant", "a stream through an agent 80 ms away, beside plain TCP over the same link", distant},
}

// A soak is what the parts share.
type soak struct {
	program  string        // farwire
	lasting  time.Duration // of the parts with faults, and of waiting
	controls []string      // of TCP congestion, for the distant part
}

func main() {
	log.SetFlags(log.Ltime)
	if os.Getenv(roleVariable) == "target" {
		if err := loadtest.ServeTarget(); err != nil {
			log.Fatal(err)
		}
		return
	}
	if run, ok := roles[os.Getenv(roleVariable)]; ok {
		if err := run(os.Args[1:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	if os.Getenv(recrawltest.WorkerVariable) != "" {
		if err := recrawltest.Work(); err != nil {
			log.Fatal(err)
		}
		return
	}
	flag.Usage = usage
	names := flag.String("parts", "", "what to try, separated by commas; empty: everything")
	lasting := flag.Duration("for", 10*time.Minute, "how long each part with faults lasts, and the idle one")
	controls := flag.String("control", "", "TCP congestion controls to try on the long link, separated by commas; empty: the kernel's default")
	write := flag.String("write", "", "Markdown file to write the figures into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s := &soak{lasting: *lasting, controls: strings.FieldsFunc(*controls, func(c rune) bool { return c == ',' })}
	err := s.try(ctx, *names, *write)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "soak tries what takes too long for the tests. Its parts:")
	for _, p := range parts {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", p.name, p.does)
	}
	flag.PrintDefaults()
}

// try builds the program and runs the parts, one after the other.
func (s *soak) try(ctx context.Context, names, write string) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "farwire-soak-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.program = filepath.Join(dir, "farwire")
	if err := harness.Build(ctx, s.program, false); err != nil {
		return err
	}
	var failed error
	for _, p := range chosen {
		log.Printf("%s: %s", p.name, p.does)
		began := time.Now()
		figures, err := p.run(ctx, s)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		report := fmt.Sprintf("%s\n%s, %s\n", strings.TrimSpace(figures), machine(), began.UTC().Format("2006-01-02"))
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
			report += "NOT as promised: " + err.Error() + "\n"
		}
		fmt.Printf("\n%s\n\n%s\n", p.name, report)
		if write != "" {
			if err := record(write, p.name, report); err != nil {
				return err
			}
		}
	}
	return failed
}

func choose(names string) ([]part, error) {
	if names == "" {
		return parts, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, p := range parts {
			if p.name == strings.TrimSpace(name) {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-parts: there is no %q", name)
		}
	}
	return chosen, nil
}

// record puts a part's figures into a Markdown file, between the two comments
// that are there for it.
func record(file, name, figures string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- soak "+name+" -->\n"), []byte("<!-- end -->")
	at := bytes.Index(text, begin)
	if at < 0 {
		return fmt.Errorf("%s has no line %s", file, begin)
	}
	at += len(begin)
	length := bytes.Index(text[at:], end)
	if length < 0 {
		return fmt.Errorf("%s has no %s behind %s", file, end, begin)
	}
	var b bytes.Buffer
	b.Write(text[:at])
	b.WriteString("\n```text\n" + strings.TrimSpace(figures) + "\n```\n\n")
	b.Write(text[at+length:])
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// machine says on what the figures were taken.
func machine() string {
	name := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel += " " + strings.TrimSpace(string(b))
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), name, kernel, runtime.Version())
}
