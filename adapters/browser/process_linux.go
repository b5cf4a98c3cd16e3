package browser

import (
	"bytes"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// bind makes the browser lead a process group and die with this process.
func bind(cmd *exec.Cmd, as runAs) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if as != asNobody {
		return nil
	}
	uid, gid, err := nobody()
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

// scarceSharedMemory reports whether /dev/shm is as small as it is in
// containers; Chromium crashes when it is full.
func scarceSharedMemory() bool {
	var s syscall.Statfs_t
	return syscall.Statfs("/dev/shm", &s) != nil || int64(s.Bavail)*int64(s.Bsize) < 1<<30
}

// signalGroup kills a process group.
func signalGroup(group int) {
	syscall.Kill(-group, syscall.SIGKILL)
}

// reap kills what is left of a browser whose first process has ended, and waits
// until it is gone: its group, and the crash handlers, which are in groups of
// their own and known by their environment. Where orphans fall to this process,
// as they do in a container, it reaps them.
func reap(group int, dir string) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		syscall.Kill(-group, syscall.SIGKILL)
		left := len(members(group)) > 0
		for {
			if pid, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		for pid := range processes() {
			env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
			if err == nil && pid != os.Getpid() && bytes.Contains(env, []byte("HOME="+dir+"\x00")) {
				syscall.Kill(pid, syscall.SIGKILL)
				syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // if it is ours by now
				left = true
			}
		}
		if !left {
			return
		}
	}
}

// processes yields the ids of all there are.
func processes() iter.Seq[int] {
	return func(yield func(int) bool) {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return
		}
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && !yield(pid) {
				return
			}
		}
	}
}

// A member is a process of a group.
type member struct {
	pid      int
	memory   int64 // bytes resident that are no file's
	renderer bool  // it shows pages
}

// members returns the processes of a group, without those that only wait to be
// reaped.
func members(group int) []member {
	var found []member
	for pid := range processes() {
		proc := "/proc/" + strconv.Itoa(pid)
		stat, err := os.ReadFile(proc + "/stat")
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent group …, and a name can hold anything.
		after := stat[bytes.LastIndexByte(stat, ')')+1:]
		fields := bytes.Fields(after)
		if len(fields) < 3 || string(fields[2]) != strconv.Itoa(group) || string(fields[0]) == "Z" {
			continue
		}
		m := member{pid: pid}
		if status, err := os.ReadFile(proc + "/status"); err == nil {
			m.memory = kilobytes(status, "RssAnon:") + kilobytes(status, "RssShmem:")
		}
		if line, err := os.ReadFile(proc + "/cmdline"); err == nil {
			m.renderer = bytes.Contains(line, []byte("--type=renderer"))
		}
		found = append(found, m)
	}
	return found
}

// kilobytes returns a value of proc_pid_status(5) in bytes.
func kilobytes(status []byte, field string) int64 {
	_, rest, found := bytes.Cut(status, []byte("\n"+field))
	if f := bytes.Fields(rest); found && len(f) > 0 {
		if n, err := strconv.ParseInt(string(f[0]), 10, 64); err == nil {
			return n << 10
		}
	}
	return 0
}

// kill ends one process of a group.
func (m member) kill() { syscall.Kill(m.pid, syscall.SIGKILL) }

// lower lets a process run when others need not.
func (m member) lower() { syscall.Setpriority(syscall.PRIO_PROCESS, m.pid, 10) }

func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func isOurs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
