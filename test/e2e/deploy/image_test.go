package deploy

import (
	"debug/elf"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// An image is what the Dockerfile makes, in a folder.
type image struct {
	root       string
	program    string // within root
	command    []string
	env        []string
	user       syscall.Credential
	expose     string
	entrypoint []string
}

const repository = "../../.."

var (
	instruction = regexp.MustCompile(`(?m)^([A-Z]+) (.*)$`)
	execForm    = regexp.MustCompile(`"([^"]*)"`)
)

// makeImage follows the instructions of the Dockerfile. One that it does not
// know fails the test.
func makeImage(t *testing.T) *image {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	build, last, ok := strings.Cut(strings.ReplaceAll(string(text), "\\\n", ""), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the image does not begin with nothing")
	}
	img := &image{root: t.TempDir()}
	args := []string{}
	stage := t.TempDir() // where the first stage puts what it makes
	for _, m := range instruction.FindAllStringSubmatch(build, -1) {
		switch m[1] {
		case "FROM", "WORKDIR", "COPY":
		case "ARG":
			args = append(args, m[2])
		case "RUN":
			line := strings.NewReplacer("-o /", "-o "+stage+"/", "mkdir /", "mkdir "+stage+"/").Replace(m[2])
			cmd := exec.Command("sh", "-eu", "-c", line)
			cmd.Dir, cmd.Env = repository, append(harness.Environ(), append(args, "RELEASE=v0.0.0-test")...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		default:
			t.Fatalf("the test does not know %s", m[0])
		}
	}
	for _, m := range instruction.FindAllStringSubmatch(last, -1) {
		switch m[1] {
		case "COPY":
			img.copy(t, stage, strings.Fields(m[2]))
		case "USER":
			uid, gid, _ := strings.Cut(m[2], ":")
			img.user = syscall.Credential{Uid: number(t, uid), Gid: number(t, gid), NoSetGroups: os.Geteuid() != 0}
		case "ENV":
			img.env = append(img.env, strings.Fields(m[2])...)
		case "EXPOSE":
			img.expose = m[2]
		case "ENTRYPOINT":
			img.entrypoint = words(m[2])
		case "CMD":
			img.command = words(m[2])
		case "VOLUME":
			if _, err := os.Stat(filepath.Join(img.root, m[2])); err != nil {
				t.Errorf("the volume: %v", err)
			}
		default:
			t.Fatalf("the test does not know %s", m[0])
		}
	}
	if len(img.entrypoint) != 1 {
		t.Fatalf("the entry point is %q", img.entrypoint)
	}
	img.program = img.entrypoint[0]
	return img
}

func words(exec string) (list []string) {
	for _, m := range execForm.FindAllStringSubmatch(exec, -1) {
		list = append(list, m[1])
	}
	return list
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		t.Fatalf("%q is not the number of somebody who is not root", s)
	}
	return uint32(n)
}

// copy follows COPY --from=build [--chown=UID:GID] FROM TO. What is not made by
// the first stage is there in every Debian.
func (img *image) copy(t *testing.T, stage string, words []string) {
	t.Helper()
	owner := -1
	for len(words) > 2 {
		switch name, value, _ := strings.Cut(words[0], "="); {
		case name == "--from" && value == "build":
		case name == "--chown":
			uid, _, _ := strings.Cut(value, ":")
			owner = int(number(t, uid))
		default:
			t.Fatalf("the test does not know COPY %q", words)
		}
		words = words[1:]
	}
	from, to := filepath.Join(stage, words[0]), filepath.Join(img.root, words[1])
	if _, err := os.Stat(from); err != nil {
		from = words[0]
	}
	if strings.HasSuffix(words[1], "/") {
		to = filepath.Join(to, filepath.Base(words[0]))
	}
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		err = os.Mkdir(to, 0o755)
	} else {
		err = copyFile(to, from, info.Mode().Perm())
	}
	if err == nil && owner >= 0 && os.Geteuid() == 0 {
		err = os.Chown(to, owner, owner)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(to, from string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// run returns a command that runs in the image. Only root may change the root:
// anybody else runs the program where it lies, with the image's data folder.
func (img *image) run(args ...string) *exec.Cmd {
	env := append([]string{}, img.env...)
	if os.Geteuid() != 0 {
		for i, v := range env {
			env[i] = strings.Replace(v, "=/", "="+img.root+"/", 1)
		}
		return &exec.Cmd{Path: filepath.Join(img.root, img.program), Args: append([]string{img.program}, args...), Env: env, Dir: img.root}
	}
	return &exec.Cmd{Path: img.program, Args: append([]string{img.program}, args...), Env: env, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Chroot: img.root, Credential: &img.user}}
}

// The image's program needs nothing of the machine: no loader, no library, no
// /proc, no /tmp, no root.
func TestImage(t *testing.T) {
	img := makeImage(t)

	program, err := elf.Open(filepath.Join(img.root, img.program))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has %v", p.Type)
		}
	}
	if program.Section(".debug_info") != nil || program.Section(".symtab") != nil {
		t.Error("the program is not stripped")
	}
	if info, err := os.Stat(filepath.Join(img.root, img.program)); err != nil || info.Size() > 64<<20 {
		t.Errorf("the program has %d MB, %v", info.Size()>>20, err)
	} else {
		t.Logf("the program has %.1f MB", float64(info.Size())/1e6)
	}

	out, err := img.run("version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "farwire v0.0.0-test, commit unknown, go1.") {
		t.Fatalf("version: %v, %q", err, out)
	}

	if !strings.HasPrefix(strings.Join(img.env, "\n"), "FARWIRE_LISTEN=0.0.0.0:"+img.expose+"\n") {
		t.Errorf("%q is exposed and listened at is %q", img.expose, img.env)
	}
	serve := img.run(append(img.command, "--listen", "127.0.0.1:0")...)
	g := harness.StartGateway(t, serve)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: harness.Patience}
	resp, err := client.Get(g.HTTP("/healthz"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != `{"ok":true}` {
		t.Errorf("healthz: %s %s %v", resp.Status, body, err)
	}
	echo(t, nil, g.WS("/ws"), g.Key)
	g.Stop()
	// Sites are remembered in the volume, by whoever the image runs as.
	info, err := os.Stat(filepath.Join(img.root, "data", "sites.db"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; os.Geteuid() == 0 && owner != img.user.Uid {
		t.Errorf("the database belongs to %d, want %d", owner, img.user.Uid)
	}
	if os.Geteuid() == 0 {
		left, err := os.ReadDir(img.root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range left {
			if n := e.Name(); n != "data" && n != "etc" && n != "farwire" {
				t.Errorf("the program has made /%s", n)
			}
		}
	}
}
