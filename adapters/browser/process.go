package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// A process is a Chromium with all of its helpers.
//
// It ends in whatever way this process does. Its commands come over a pipe
// (--remote-debugging-pipe), and it exits when the pipe closes, which the
// kernel sees to when this process is killed; no port is open for anybody else
// to give commands to. On Linux the kernel is asked to kill it as well.
// Its helpers exit when they lose it; those that hang are killed, also when
// they have left its process group. Its files are below one folder, which holds a lock of this
// process's; a folder whose lock is free is of a process that was killed, and
// removed when a browser is next started.
type process struct {
	cmd    *exec.Cmd
	wire   *wire
	agent  string // the User-Agent that pages send
	dir    *folder
	output *tail
	done   chan struct{} // closed when the process has ended and nothing is left
}

// startTimeout is how long a browser may take to answer. On a machine with much to do
// it has taken half a minute.
const startTimeout = time.Minute

// outputTimeout is how long the output of a browser that has ended is read, if something
// that outlived it keeps it open.
const outputTimeout = time.Second

// A runAs is the user as which a browser runs.
type runAs int

const (
	asSelf     runAs = iota // with its sandbox
	asNobody                // of a process that is root: as another user, with its sandbox
	unconfined              // as root, without its sandbox
)

// errRoot is why a browser that was merely found does not start.
var errRoot = errors.New("this process is root, and the browser does not start as another user with its sandbox;" +
	" run as another user, or name the browser (FARWIRE_BROWSER) to have it run as root without its sandbox")

// start runs a browser whose requests go to a proxy, and waits until it
// answers. Where this process is root the browser runs as another user; as root,
// without its sandbox, only when it was named and cannot run otherwise.
func start(ctx context.Context, path, proxy string, named bool) (*process, error) {
	if os.Geteuid() != 0 {
		return launch(ctx, path, proxy, asSelf)
	}
	p, err := launch(ctx, path, proxy, asNobody)
	switch {
	case err == nil || ctx.Err() != nil:
		return p, err
	case named:
		return launch(ctx, path, proxy, unconfined)
	}
	return nil, fmt.Errorf("%w: %w", errRoot, err)
}

func launch(ctx context.Context, path, proxy string, as runAs) (*process, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it did not answer in time"))
	defer cancel()
	dir, err := newFolder(as)
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir, output: new(tail), done: make(chan struct{})}
	if err := p.run(path, proxy, as); err != nil {
		dir.remove()
		return nil, err
	}
	version, err := call(ctx, session{wire: p.wire}, browser.GetVersion, cdp.Empty{})
	if err != nil {
		p.end()
		return nil, fmt.Errorf("%s does not start: %w\n%s", path, err, p.output)
	}
	p.agent = strings.Replace(version.UserAgent, "HeadlessChrome", "Chrome", 1) + " farwire/1 (+https://github.com/farwire/farwire)"
	return p, nil
}

// run starts the browser. From then on a goroutine waits for its end, whatever the reason.
func (p *process) run(path, proxy string, as runAs) error {
	pipes, err := openPipes()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(path, flags(p.dir.home, proxy, as)...)
	p.cmd.ExtraFiles = []*os.File{pipes.commands.r, pipes.answers.w} // 3 and 4, as Chromium wants
	p.cmd.Stdout, p.cmd.Stderr = pipes.output.w, pipes.output.w
	p.cmd.Env = environment(p.dir.home)
	if err := bind(p.cmd, as); err != nil {
		pipes.close()
		return err
	}
	output := pipes.output.r
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.Copy(p.output, output) // until it is closed
	}()
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started the browser for
		// the end of this process (prctl(2), PR_SET_PDEATHSIG): it must live on.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		p.cmd.Wait() // how it ended does not matter any more
		p.wire.close()
		reap(p.cmd.Process.Pid, p.dir.home)
		p.dir.remove()

		// Why it ended may still be in the pipe.
		if output.SetReadDeadline(time.Now().Add(outputTimeout)) != nil {
			output.Close()
		}
		<-copied
		output.Close()
	}()
	// The wire must be there when the process ends, and closed if it does not
	// begin.
	p.wire = newWire(chromedp.NewPipeConn(&bounded{ReadCloser: pipes.answers.r}, pipes.commands.w))
	err = <-started
	pipes.closeTheirs()
	if err != nil {
		p.wire.close()
		output.Close()
		<-copied
	}
	return err
}

// pipes are those between this process and a browser.
type pipes struct {
	commands, answers pipe // of the wire
	output            pipe // standard output and error
}

type pipe struct{ r, w *os.File }

func openPipes() (*pipes, error) {
	all := new(pipes)
	for _, p := range []*pipe{&all.commands, &all.answers, &all.output} {
		var err error
		if p.r, p.w, err = os.Pipe(); err != nil {
			all.close()
			return nil, err
		}
	}
	return all, nil
}

func (p *pipes) close() {
	p.closeTheirs()
	for _, f := range []*os.File{p.commands.w, p.answers.r, p.output.r} {
		f.Close() // of a pipe that was not opened: an error
	}
}

// closeTheirs closes the browser's ends, of which it has copies once it runs.
func (p *pipes) closeTheirs() {
	for _, f := range []*os.File{p.commands.r, p.answers.w, p.output.w} {
		f.Close() // likewise
	}
}

// end kills the browser and waits until nothing of it is left. What a killed
// browser fails to save is nothing that anybody wants.
func (p *process) end() {
	signalGroup(p.cmd.Process.Pid)
	<-p.done
}

func flags(dir, proxy string, as runAs) []string {
	f := []string{
		"--headless",
		"--remote-debugging-pipe",
		"--user-data-dir=" + dir,
		"--no-first-run",
		"--no-default-browser-check",

		// All requests go through the proxy, those to loopback, too, and no name
		// is looked up here.
		"--proxy-server=http://" + proxy,
		"--proxy-bypass-list=<-loopback>",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--disable-quic",
		"--webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--force-webrtc-ip-handling-policy=disable_non_proxied_udp",

		// Nothing that the browser wants for itself.
		"--disable-background-networking",
		"--disable-breakpad",
		"--disable-client-side-phishing-detection",
		"--disable-component-extensions-with-background-pages",
		"--disable-component-update",
		"--disable-crash-reporter",
		"--disable-default-apps",
		"--disable-domain-reliability",
		"--disable-extensions",
		"--disable-field-trial-config",
		"--disable-sync",
		"--metrics-recording-only",
		"--no-pings",
		"--password-store=basic",
		"--use-mock-keychain",
		"--disable-features=" + strings.Join([]string{
			"AutofillServerCommunication",
			"BackForwardCache",
			"CertificateTransparencyComponentUpdater",
			"DialMediaRouteProvider",
			"DnsOverHttps",
			"HttpsFirstBalancedModeAutoEnable",
			"HttpsUpgrades",
			"InterestFeedContentSuggestions",
			"LensOverlay",
			"MediaRouter",
			"NetworkTimeServiceQuerying",
			"OptimizationHints",
			"Prerender2",
			"PrivateNetworkAccessSendPreflights",
			"Translate",
		}, ","),

		// Nothing that bothers a person who is not there.
		"--block-new-web-contents",
		"--deny-permission-prompts",
		"--disable-notifications",
		"--disable-search-engine-choice-screen",
		"--hide-scrollbars",
		"--mute-audio",

		// A tab works as if it were looked at, within bounds.
		"--disable-background-timer-throttling",
		"--disable-backgrounding-occluded-windows",
		"--disable-renderer-backgrounding",
		"--disable-gpu",
		fmt.Sprintf("--js-flags=--max-old-space-size=%d", tabMemory*3/4>>20),
	}
	if as == unconfined {
		// Chromium refuses to run as root with its sandbox.
		f = append(f, "--no-sandbox")
	}
	if scarceSharedMemory() {
		f = append(f, "--disable-dev-shm-usage")
	}
	return append(f, "about:blank")
}

// environment is what the browser sees of this process's: none of its secrets.
func environment(dir string) []string {
	env := []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + filepath.Join(dir, "cache"),
		"DBUS_SESSION_BUS_ADDRESS=disabled:"}
	// Chromium makes a socket in there, whose path may have 107 bytes.
	if len(dir) < 60 {
		env = append(env, "TMPDIR="+dir)
	}
	for _, name := range []string{"PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// A tail keeps the end of a browser's output, for the case that it fails.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.text, nil))
}
