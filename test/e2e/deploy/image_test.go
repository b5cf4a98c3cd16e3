//go:build unix

package deploy

import (
	"debug/elf"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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
	health     []string
	labels     map[string]string
}

const repository = "../../.."

var (
	instruction = regexp.MustCompile(`(?m)^([A-Z]+) (.*)$`)
	execForm    = regexp.MustCompile(`"([^"]*)"`)
	label       = regexp.MustCompile(`([a-z.]+)="([^"]*)"`)
)

// stages are the instructions of the Dockerfile, by the name of their stage; that
// of the image is the last one's, which has none. Before the first stage are the ARGs.
func stages(t *testing.T) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	all, name := make(map[string][][]string), "before"
	for _, m := range instruction.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\\\n", ""), -1) {
		if m[1] == "FROM" {
			_, name, _ = strings.Cut(m[2], " AS ")
		}
		all[name] = append(all[name], m[1:])
	}
	return all
}

// describe reads the last stage. An instruction that it does not know fails the test.
func describe(t *testing.T) *image {
	t.Helper()
	img := &image{labels: map[string]string{}}
	for _, m := range stages(t)[""] {
		switch m[0] {
		case "FROM":
			if m[1] != "${VARIANT}" {
				t.Errorf("the image begins with %s", m[1])
			}
		case "ARG", "RUN", "COPY", "VOLUME":
		case "USER":
			uid, gid, _ := strings.Cut(m[1], ":")
			img.user = syscall.Credential{Uid: number(t, uid), Gid: number(t, gid), NoSetGroups: os.Geteuid() != 0}
		case "ENV":
			img.env = append(img.env, strings.Fields(m[1])...)
		case "EXPOSE":
			img.expose = m[1]
		case "ENTRYPOINT":
			img.entrypoint = words(m[1])
		case "CMD":
			img.command = words(m[1])
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(m[1], " CMD ")
			img.health = words(command)
		case "LABEL":
			for _, l := range label.FindAllStringSubmatch(m[1], -1) {
				img.labels[l[1]] = l[2]
			}
		default:
			t.Fatalf("the test does not know %s", m)
		}
	}
	if len(img.entrypoint) != 1 {
		t.Fatalf("the entry point is %q", img.entrypoint)
	}
	img.program = img.entrypoint[0]
	return img
}

// makeImage makes the image in a folder, in the variant that it has by default.
func makeImage(t *testing.T) *image {
	t.Helper()
	img := describe(t)
	bare := stages(t)["bare"]
	if from := bare[0][1]; from != "scratch AS bare" {
		t.Errorf("the image begins with %s, not with nothing", from)
	}
	img.root = t.TempDir()
	stage := t.TempDir() // where the first stage puts what it makes
	build(t, stages(t)["build"], stage)
	for _, m := range append(bare, stages(t)[""]...) {
		switch m[0] {
		case "COPY":
			img.copy(t, stage, strings.Fields(m[1]))
		case "VOLUME":
			if _, err := os.Stat(filepath.Join(img.root, m[1])); err != nil {
				t.Errorf("the volume: %v", err)
			}
		case "RUN":
			t.Fatalf("on nothing nothing can be run: %s", m)
		}
	}
	return img
}

// build follows the first stage, for this machine, with stage in the place of the
// root. What it copies before the modules are fetched has to be all that go needs to
// know them by.
func build(t *testing.T, instructions [][]string, stage string) {
	t.Helper()
	modules := t.TempDir()
	env := append(harness.Environ("GOFLAGS="), "RELEASE=v0.0.0-test", "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH)
	for _, m := range instructions {
		words := strings.Fields(m[1])
		switch {
		case m[0] == "FROM" || m[0] == "WORKDIR":
		case m[0] == "ARG":
			if strings.Contains(m[1], "=") {
				env = append([]string{m[1]}, env...)
			}
		case m[0] == "ENV":
			env = append(env, words...)
		case m[0] == "COPY" && m[1] == ". .":
			modules = ""
		case m[0] == "COPY":
			for _, from := range words[:len(words)-1] {
				to := filepath.Join(modules, words[len(words)-1], filepath.Base(from))
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := copyFile(to, filepath.Join(repository, from), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		case m[0] == "RUN" && modules != "":
			if m[1] != "cd cmd && go mod download" {
				t.Fatalf("the test does not know %s", m)
			}
			runShell(t, modules, env, "cd cmd && go list -m all >/dev/null")
		case m[0] == "RUN":
			line := m[1]
			for strings.HasPrefix(line, "--mount=") {
				_, line, _ = strings.Cut(line, " ")
			}
			runShell(t, repository, env, strings.NewReplacer("-o /", "-o "+stage+"/", "mkdir /", "mkdir "+stage+"/").Replace(line))
		default:
			t.Fatalf("the test does not know %s", m)
		}
	}
}

func runShell(t *testing.T, dir string, env []string, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-eu", "-c", line)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
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
func TestImage_Program_NeedsNothingOfTheMachine(t *testing.T) {
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

	img.judge(t)
	serve := img.run(append(img.command, "--listen", "127.0.0.1:0")...)
	g := harness.StartGateway(t, serve)
	img.checkHealth(t, g)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: harness.Timeout}
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
	if status := harness.Start(t, img.healthcheck(g.Addr)).Status(); status != 1 {
		t.Errorf("with no gateway the health check ends with status %d", status)
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

// judge looks at what an image says of itself.
func (img *image) judge(t *testing.T) {
	t.Helper()
	// No address: both families.
	if !strings.HasPrefix(strings.Join(img.env, "\n"), "FARWIRE_LISTEN=:"+img.expose+"\n") {
		t.Errorf("%q is exposed and listened at is %q", img.expose, img.env)
	}
	for name, want := range map[string]string{"title": "farwire", "licenses": "Apache-2.0", "source": "https://github.com/farwire/farwire", "version": "$RELEASE", "revision": "$COMMIT"} {
		if got := img.labels["org.opencontainers.image."+name]; got != want {
			t.Errorf("the label %s is %q, want %q", name, got, want)
		}
	}
	if len(img.health) != 2 || img.health[0] != img.program || img.health[1] != "health" {
		t.Errorf("the health check is %q", img.health)
	}
}

// healthcheck is the image's, of a gateway that listens there.
func (img *image) healthcheck(addr string) *exec.Cmd {
	cmd := img.run(img.health[1:]...)
	cmd.Env = append(cmd.Env, "FARWIRE_LISTEN=:"+portOf(addr))
	return cmd
}

func (img *image) checkHealth(t *testing.T, g *harness.Gateway) {
	t.Helper()
	p := harness.Start(t, img.healthcheck(g.Addr))
	if status := p.Status(); status != 0 {
		t.Errorf("the health check ends with status %d: %s", status, p.Stderr)
	}
}

// The image with a Chromium is the same but for what it stands on.
func TestImage_WithChromium_IsTheSameButForItsBase(t *testing.T) {
	img := describe(t)
	if strings.Join(img.command, " ") != "serve" || img.user.Uid != 65532 {
		t.Errorf("it runs %q as %d", img.command, img.user.Uid)
	}
	var installs string
	for _, m := range stages(t)["chromium"][1:] {
		if m[0] != "RUN" {
			t.Errorf("beside what it installs stands %s", m)
		}
		installs += m[1]
	}
	for _, wanted := range []string{"--no-install-recommends", " chromium-headless-shell ", " ca-certificates "} {
		if !strings.Contains(installs, wanted) {
			t.Errorf("it runs %q, without %q", installs, wanted)
		}
	}
	for _, arg := range stages(t)["before"] {
		name, value, _ := strings.Cut(arg[1], "=")
		if arg[0] != "ARG" || name != "BASE" && name != "CHROMIUM_BASE" && (name != "VARIANT" || value != "bare") {
			t.Errorf("before the first stage stands %s", arg)
		}
	}
	for name, from := range map[string]string{"build": "--platform=$BUILDPLATFORM ${BASE} AS build", "chromium": "${CHROMIUM_BASE} AS chromium"} {
		if got := stages(t)[name][0][1]; got != from {
			t.Errorf("%s begins with %q", name, got)
		}
	}
}
