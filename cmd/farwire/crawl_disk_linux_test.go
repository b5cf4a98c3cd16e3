package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// What is there stays whole when the new file finds no room, and nothing stays of one that is
// new. With room the file is replaced, with its mode, its owner and the link to it as they were.
func TestCrawl_DiskFull_LeavesTheOldFile(t *testing.T) {
	harness.OnSmallDisk(t, "64k", func(disk harness.SmallDisk) { crawlToFullDisk(t, disk) })
}

func crawlToFullDisk(t *testing.T, disk harness.SmallDisk) {
	site, _ := newSite(t, 5)
	dir := disk.Dir
	file, link := filepath.Join(dir, "llms.txt"), filepath.Join(dir, "link.txt")
	const old = "# The file of yesterday\n"
	if err := errors.Join(os.WriteFile(file, []byte(old), 0o640), os.Chmod(file, 0o640), os.Symlink("llms.txt", link)); err != nil {
		t.Fatal(err)
	}
	uid, gid := 1234, 1235
	if err := os.Chown(file, uid, gid); errors.Is(err, syscall.EINVAL) { // a namespace with one user
		uid, gid = os.Getuid(), os.Getgid()
	} else if err != nil {
		t.Fatal(err)
	}
	disk.Fill()
	crawl := func(name string, want int) {
		t.Helper()
		p := harness.Start(t, program(t, "crawl", site, "--allow-private", "-o", name))
		if status := p.Status(); status != want || want != statusOK && !strings.Contains(p.Stderr.String(), "no space left on device") {
			t.Errorf("-o %s: status %d: %s", name, status, p.Stderr)
		}
	}
	names := func() (all []string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}
	before := strings.Join(names(), " ")
	for _, name := range []string{file, link, filepath.Join(dir, "new.txt")} {
		crawl(name, statusFailed)
		if b, err := os.ReadFile(file); err != nil || string(b) != old {
			t.Errorf("-o %s left %q, %v", name, b, err)
		}
	}
	if after := strings.Join(names(), " "); after != before {
		t.Errorf("left are %s, there were %s", after, before)
	}
	disk.Free()
	crawl(link, statusOK)
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "# Home of Pages") || info.Mode() != 0o640 || int(owner.Uid) != uid || int(owner.Gid) != gid {
		t.Errorf("with room: mode %v, owner %d:%d, %q, %v", info.Mode(), owner.Uid, owner.Gid, b, err)
	}
	if to, err := os.Readlink(link); err != nil || to != "llms.txt" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

// A file to which the program's output goes is written to as it is: it holds what others have
// written, and they go on.
func TestCrawl_FileIsStandardOutput_IsNotReplaced(t *testing.T) {
	site, _ := newSite(t, 2)
	for _, flag := range []string{"-o", "--report"} {
		for _, c := range []struct {
			name string
			give func(*exec.Cmd, *os.File)
		}{
			{"/dev/stdout", func(cmd *exec.Cmd, f *os.File) { cmd.Stdout = f }},
			{"/dev/stderr", func(cmd *exec.Cmd, f *os.File) { cmd.Stderr = f }},
			{"", func(cmd *exec.Cmd, f *os.File) { cmd.Stdout = f }}, // the file's own name
		} {
			f, err := os.Create(filepath.Join(t.TempDir(), "log.txt"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			name := c.name
			if name == "" {
				name = f.Name()
			}
			io.WriteString(f, "before\n")
			cmd := program(t, "crawl", site, "--allow-private", flag, name)
			c.give(cmd, f)
			if err := cmd.Run(); err != nil {
				t.Errorf("%s %s: %v", flag, name, err)
			}
			io.WriteString(f, "after\n")
			b, err := os.ReadFile(f.Name())
			if s := string(b); err != nil || !strings.HasPrefix(s, "before\n") || !strings.Contains(s, "Home of Pages") || !strings.HasSuffix(s, "\nafter\n") {
				t.Errorf("%s %s: the file holds %q, %v", flag, name, b, err)
			}
		}
	}
}

// A file that is removed while the crawl runs is there again afterwards.
func TestCrawl_FileRemovedMeanwhile_IsWritten(t *testing.T) {
	site, hung := newSite(t, 3, "hang")
	file := filepath.Join(t.TempDir(), "llms.txt")
	if err := os.WriteFile(file, []byte("# The file of yesterday\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, program(t, "crawl", site, "--allow-private", "-o", file))
	<-hung
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.Await(p.Stderr, `page 4/50`)
	p.Signal(os.Interrupt)
	if status := p.Status(); status != statusPartial {
		t.Errorf("status %d, want %d: %s", status, statusPartial, p.Stderr)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "# Home of Pages") {
		t.Errorf("the file holds %q, %v", b, err)
	}
}

// A crawl that is killed leaves no empty file, which a later step could take for its outcome,
// and what was there before as it was.
func TestCrawl_Killed_LeavesNoEmptyFile(t *testing.T) {
	site, hung := newSite(t, 3, "hang")
	dir := t.TempDir()
	old, link := filepath.Join(dir, "old.txt"), filepath.Join(dir, "link.txt")
	if err := errors.Join(os.WriteFile(old, []byte("# Old\n"), 0o600), os.Symlink("target.txt", link)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-o", filepath.Join(dir, "new.txt")}, {"-o", filepath.Join(dir, "site") + "/"}, {"-o", link},
		{"-o", old, "--report", filepath.Join(dir, "report.html")},
	} {
		p := harness.Start(t, program(t, append([]string{"crawl", site, "--allow-private"}, args...)...))
		<-hung
		p.Kill()
	}
	for _, name := range []string{"new.txt", "site/llms.txt", "target.txt", "report.html"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there, %v", name, err)
		}
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "# Old\n" {
		t.Errorf("the old file holds %q, %v", b, err)
	}
	if to, err := os.Readlink(link); err != nil || to != "target.txt" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

// A new file gets the mode that the user's mask leaves, through a link that leads nowhere too.
func TestCrawl_NewFile_HasTheUsersMode(t *testing.T) {
	site, _ := newSite(t, 1)
	dir := t.TempDir()
	link := filepath.Join(dir, "link.txt")
	if err := os.Symlink("target.txt", link); err != nil {
		t.Fatal(err)
	}
	for mask, want := range map[string]fs.FileMode{"077": 0o600, "022": 0o644, "002": 0o664} {
		for name, file := range map[string]string{filepath.Join(dir, mask): filepath.Join(dir, mask), link: filepath.Join(dir, "target.txt")} {
			os.Remove(file)
			cmd := program(t, "crawl", site, "--allow-private", "-o", name)
			cmd.Args = append([]string{"sh", "-c", `umask ` + mask + ` && exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
			cmd.Path = harness.Look(t, "sh")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			info, err := os.Lstat(file)
			if err != nil || info.Mode() != want || info.Size() == 0 {
				t.Errorf("under the mask %s %s has %v, %v, want the mode %v", mask, file, info, err, want)
			}
		}
	}
}
