//go:build !linux

package browser

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
)

// Elsewhere than on Linux the pipe alone ends a browser together with this
// process, the memory of tabs is bounded by V8's limit alone, and folders of
// killed processes stay until the system empties its own.

func bind(_ *exec.Cmd, as runAs) error {
	if as == asNobody {
		return errors.New("browsers run as another user on Linux only")
	}
	return nil
}

func scarceSharedMemory() bool { return false }

func signalGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		p.Kill()
	}
}

func reap(int, string) {}

type member struct {
	pid      int
	memory   int64
	renderer bool
}

func members(int) []member { return nil }

func (member) kill() {}

func (member) lower() {}

func lock(*os.File) error { return nil }

func isOurs(fs.FileInfo) bool { return false }
