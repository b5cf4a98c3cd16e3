//go:build unix

package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"

	"github.com/farwire/farwire/internal/harness"
)

// allowed is what deploy/docker/chromium.json lets a process call. The file is one list of
// names, all else is refused: whatever another file says, this test does not know.
func allowed(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(repository + "/deploy/docker/chromium.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var profile struct {
		DefaultAction   string
		DefaultErrnoRet int
		Syscalls        []struct {
			Names  []string
			Action string
		}
	}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&profile); err != nil {
		t.Fatal(err)
	}
	if profile.DefaultAction != "SCMP_ACT_ERRNO" || profile.DefaultErrnoRet != int(syscall.EPERM) ||
		len(profile.Syscalls) != 1 || profile.Syscalls[0].Action != "SCMP_ACT_ALLOW" {
		t.Fatalf("the profile is no list of what is allowed: %+v", profile)
	}
	return profile.Syscalls[0].Names
}

// confine has the kernel refuse, to this thread and to what it starts, all but these
// calls. The thread serves nothing but the test and ends with it.
func confine(t *testing.T, names []string) {
	t.Helper()
	runtime.LockOSThread()
	err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls:      []seccomp.SyscallGroup{{Names: names, Action: seccomp.ActionAllow}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// known leaves out what this processor's kernel does not have, as Docker does.
func known(t *testing.T, names []string) []string {
	t.Helper()
	all := make(map[string]bool)
	for _, goarch := range []string{"amd64", "arm64"} {
		info, err := arch.GetInfo(goarch)
		if err != nil {
			t.Fatal(err)
		}
		for name := range info.SyscallNames {
			all[name] = true
		}
	}
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	var here []string
	for _, name := range names {
		if !all[name] {
			t.Errorf("neither amd64 nor arm64 has %q", name)
		}
		if _, ok := info.SyscallNames[name]; ok {
			here = append(here, name)
		}
	}
	return here
}

// The profile has what the sandbox of Chromium is made of, and nothing by which a process
// in a user namespace of its own reaches more of the kernel than one outside.
func TestSeccomp_Profile_AllowsNamespacesAndNothingOfRoots(t *testing.T) {
	names := allowed(t)
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("the names are not in order, or one is there twice")
	}
	known(t, names)
	for _, name := range []string{"clone", "clone3", "unshare", "chroot", "seccomp"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is refused: no sandbox", name)
		}
	}
	for _, name := range strings.Fields(`acct add_key bpf clock_settime delete_module fanotify_init finit_module fsconfig
		fsmount fsopen init_module io_uring_setup ioperm iopl kexec_file_load kexec_load keyctl mount mount_setattr
		move_mount open_by_handle_at open_tree perf_event_open personality pivot_root process_vm_writev ptrace
		quotactl reboot request_key setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 userfaultfd`) {
		if slices.Contains(names, name) {
			t.Errorf("%s is allowed", name)
		}
	}
}

// asUser returns a command of the image's user, where this process may become somebody
// else, in a folder of its own.
func asUser(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("", "farwire-seccomp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own := filepath.Join(dir, "program")
	if err := copyFile(own, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(own, args...)
	cmd.Dir, cmd.Env = dir, harness.Environ("HOME="+dir, "TMPDIR="+dir)
	if os.Geteuid() == 0 {
		user := describe(t).user
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &user}
		if err := os.Chown(dir, int(user.Uid), int(user.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return cmd
}

const shown = "The tide turns twice a day"

// show has a Chromium print a page whose words a script makes, and end.
func show(t *testing.T) *harness.TestProcess {
	t.Helper()
	chromium := harness.Look(t, "chromium-headless-shell")
	cmd := asUser(t, chromium, "--headless", "--disable-gpu", "--disable-breakpad", "--disable-crash-reporter", "--no-first-run",
		"--disable-background-networking", "--disable-dev-shm-usage", "--user-data-dir=profile", "--dump-dom",
		"data:text/html,<title>Tides</title><p id=a><script>a.textContent='The tide turns '+'twice a day'</script>")
	p := harness.Start(t, cmd)
	select {
	case <-p.Done():
	case <-time.After(4 * harness.Timeout): // a browser's start is much work
		t.Fatalf("it does not end: %s", p.Stderr)
	}
	return p
}

// A Chromium shows a page in its sandbox where the kernel allows no more than the profile
// that docs/operating.md gives to Docker.
func TestSeccomp_Profile_ChromiumHasItsSandbox(t *testing.T) {
	confine(t, known(t, allowed(t)))
	p := show(t)
	if status := p.Status(); status != 0 || !strings.Contains(p.Stdout.String(), shown) {
		t.Errorf("status %d, %q", status, p.Stdout)
	}
}

// Without one of the calls that the profile adds there is no sandbox and no page.
func TestSeccomp_WithoutChroot_ChromiumDoesNotStart(t *testing.T) {
	confine(t, known(t, slices.DeleteFunc(allowed(t), func(name string) bool { return name == "chroot" })))
	p := show(t)
	if status := p.Status(); status == 0 || strings.Contains(p.Stdout.String(), shown) || !strings.Contains(p.Stderr.String(), "chroot") {
		t.Errorf("status %d, %q", status, p.Stdout)
	}
}

// The gateway needs no more than that either.
func TestSeccomp_Profile_GatewayServes(t *testing.T) {
	cmd := asUser(t, harness.Farwire(t).Path, "serve", "--listen", "127.0.0.1:0")
	confine(t, known(t, allowed(t)))
	g := harness.StartGateway(t, cmd)
	echo(t, nil, g.WS("/ws"), g.Key)
}
