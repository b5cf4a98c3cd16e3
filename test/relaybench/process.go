//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/farwire/farwire/test/internal/child"
)

// A process is one that we started: this binary in another role, or a peer.
type process struct {
	cmd    *exec.Cmd
	addr   string         // where it listens
	roots  string         // of a target
	role   *child.Process // nil: a peer
	folder string         // of a peer
}

// facts is what a role says of itself when it is asked.
type facts struct {
	Addr       string // said once, at the beginning
	Roots      string // likewise, of a target
	Goroutines int
	Mallocs    uint64 // objects allocated so far
	Agents     int    // attached
	Error      string
}

// startRole runs this binary in another role; args are for the role.
func startRole(role string, args ...string) (*process, error) {
	var f facts
	started, err := child.Start(&f, append([]string{"as", role}, args...), nil)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	p := &process{cmd: started.Cmd, role: started, addr: f.Addr, roots: f.Roots}
	if f.Error != "" {
		p.stop()
		return nil, fmt.Errorf("start %s: %s", role, f.Error)
	}
	return p, nil
}

// ask gives a role an order, "facts" or "collect", and waits for the answer.
func (p *process) ask(order string) (facts, error) {
	var f facts
	err := p.role.Ask(order, &f)
	return f, err
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p.role != nil {
		p.role.Close()
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
	os.RemoveAll(p.folder)
}

// cpu returns the processor time, of user and system, that all threads of a
// process have used. Every process has a clock for it (clock_getcpuclockid(3)).
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	const schedulerClock = 2
	var ts syscall.Timespec
	clock := ^uintptr(pid)<<3 | schedulerClock
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(uint32(clock)), uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, os.NewSyscallError("clock_gettime", errno)
	}
	return time.Duration(ts.Nano()), nil
}

// residentMemory returns the resident memory of a process in bytes.
func (p *process) residentMemory() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("smaps_rollup has no Rss")
}

// A role serves at addr until its process ends; agents counts those attached.
type role struct {
	addr   string
	agents func() int
	roots  string // of a target: its certificate
}

// play runs this process in a role until its orders end. The last argument
// names a file for a CPU profile, or is empty.
func play(name string, args []string) error {
	start, ok := roles[name]
	if !ok {
		return fmt.Errorf("no role %q", name)
	}
	answers := json.NewEncoder(os.Stdout)
	profile, args := args[len(args)-1], args[:len(args)-1]
	r, err := start(args)
	if err != nil {
		return answers.Encode(facts{Error: err.Error()})
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return answers.Encode(facts{Error: err.Error()})
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return answers.Encode(facts{Error: err.Error()})
		}
		defer pprof.StopCPUProfile()
		defer writeAllocations(strings.TrimSuffix(profile, ".pprof") + ".allocs.pprof")
	}
	if err := answers.Encode(facts{Addr: r.addr, Roots: r.roots}); err != nil {
		return err
	}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if orders.Text() == "collect" {
			debug.FreeOSMemory()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		f := facts{Goroutines: runtime.NumGoroutine(), Mallocs: m.Mallocs}
		if r.agents != nil {
			f.Agents = r.agents()
		}
		if err := answers.Encode(f); err != nil {
			return err
		}
	}
	return orders.Err()
}

// writeAllocations writes which code has allocated how much since the start. It
// returns nothing: who wants the file finds it missing.
func writeAllocations(file string) {
	f, err := os.Create(file)
	if err != nil {
		return
	}
	defer f.Close()
	runtime.GC() // the profile ends with the last collection
	pprof.Lookup("allocs").WriteTo(f, 0)
}

// String names a way in the name of a profile.
func (w way) String() string {
	return [...]string{"message", "path", "connect", "session", "secure"}[w]
}
