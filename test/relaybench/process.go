//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// A process is one that we started: this binary in another role, or a peer.
type process struct {
	cmd    *exec.Cmd
	addr   string         // where it listens
	orders io.WriteCloser // nil for a peer
	facts  *json.Decoder
	folder string // of nginx
}

// facts is what a role says of itself when it is asked.
type facts struct {
	Addr       string // said once, at the beginning
	Goroutines int
	Mallocs    uint64 // objects allocated so far
	Agents     int    // attached
	Error      string
}

// startRole runs this binary in another role; args are for the role.
func startRole(role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, append([]string{"as", role}, args...)...)}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.facts = json.NewDecoder(out)
	f, err := p.hear()
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	p.addr = f.Addr
	return p, nil
}

func (p *process) hear() (facts, error) {
	var f facts
	if err := p.facts.Decode(&f); err != nil {
		return f, err
	}
	if f.Error != "" {
		return f, errors.New(f.Error)
	}
	return f, nil
}

// ask gives a role an order, "facts" or "collect", and waits for the answer.
func (p *process) ask(order string) (facts, error) {
	if _, err := fmt.Fprintln(p.orders, order); err != nil {
		return facts{}, err
	}
	return p.hear()
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p.orders != nil {
		p.orders.Close() // a role ends with its orders
		done := make(chan struct{})
		go func() { p.cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			p.cmd.Process.Kill()
			<-done
		}
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

// resident returns the resident memory of a process in bytes.
func (p *process) resident() (int64, error) {
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
	}
	if err := answers.Encode(facts{Addr: r.addr}); err != nil {
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

// startNginx starts one that relays to the target. Its configuration is that of its documentation
// for WebSockets, and its defaults; buffers, when given, are lines more.
func startNginx(target, buffers string) (_ *process, err error) {
	folder, err := os.MkdirTemp("", "relaybench-nginx-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx"
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	// The number of files and connections is no matter of speed.
	config := fmt.Sprintf(`
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen %s backlog=4096;
		location / {
			proxy_pass http://%s;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection "upgrade";
			%s
		}
	}
}
`, addr, target, buffers)
	if err := os.WriteFile(filepath.Join(folder, "nginx.conf"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(binary, "-p", folder, "-c", "nginx.conf", "-e", "stderr"), addr: addr, folder: folder}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.reachable()
}

// reachable waits until the target's echo answers at the process's address, or
// stops the process.
func (p *process) reachable() (err error) {
	for range 100 {
		var l *link
		if l, err = dial(p.addr, "/echo", ""); err == nil {
			l.conn.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return err
}

// startChisel starts a tunnel of the same shape as ours with an agent: a server
// that listens for the load, and a client that dials out to the server and,
// for each connection that comes back, the target. Both log much, to nowhere.
func startChisel(target string) ([]*process, error) {
	binary, err := exec.LookPath("chisel")
	if err != nil {
		return nil, err
	}
	control, err := freeAddr()
	if err != nil {
		return nil, err
	}
	entry, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(control)
	if err != nil {
		return nil, err
	}
	server := &process{cmd: exec.Command(binary, "server", "--host", host, "--port", port, "--reverse"), addr: entry}
	if err := server.cmd.Start(); err != nil {
		return nil, err
	}
	client := &process{cmd: exec.Command(binary, "client", "http://"+control, "R:"+entry+":"+target)}
	if err := client.cmd.Start(); err != nil {
		server.stop()
		return nil, err
	}
	if err := server.reachable(); err != nil {
		client.stop()
		return nil, err
	}
	return []*process{server, client}, nil
}
