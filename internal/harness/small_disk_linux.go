package harness

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A SmallDisk is a folder with a file system of its own, which a test can fill.
type SmallDisk struct {
	T   testing.TB
	Dir string
}

// inMounts is set in the process that a test runs in once more, to have mounts of its own.
const inMounts = "HARNESS_IN_MOUNTS"

// OnSmallDisk runs a test on a disk of that size, as tmpfs has it ("64k"). Who may not mount
// one may do so in a namespace of users: the test's binary is run there for this test alone,
// and its failure is that of t.
func OnSmallDisk(t *testing.T, size string, test func(SmallDisk)) {
	t.Helper()
	d := SmallDisk{t, t.TempDir()}
	err := syscall.Mount("tmpfs", d.Dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, syscall.EPERM) && os.Getenv(inMounts) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
		cmd.Env = append(os.Environ(), inMounts+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("in a namespace of users: %v\n%s", err, out)
		}
		return
	}
	if err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	test(d)
}

// filler is the file that fills a disk.
const filler = "filler"

// Fill leaves no room on the disk.
func (d SmallDisk) Fill() {
	d.T.Helper()
	if err := os.WriteFile(filepath.Join(d.Dir, filler), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		d.T.Fatalf("1 MiB on the disk: %v", err)
	}
}

// Free makes room again.
func (d SmallDisk) Free() {
	d.T.Helper()
	if err := os.Remove(filepath.Join(d.Dir, filler)); err != nil {
		d.T.Fatal(err)
	}
}
