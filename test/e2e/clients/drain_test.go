package clients

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// A gated handler holds some requests back until it is told.
type gated struct {
	inner   http.Handler
	holds   func(*http.Request) bool
	arrived chan string   // the path of each that is held
	open    chan struct{} // closed: those whose path is not /for-ever go on
}

func newGated(inner http.Handler, holds func(*http.Request) bool) *gated {
	return &gated{inner, holds, make(chan string, 10), make(chan struct{})}
}

func (h *gated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.holds(r) {
		io.WriteString(w, "") // nothing yet
		h.arrived <- r.URL.Path
		if r.URL.Path == "/for-ever" {
			<-r.Context().Done()
			return
		}
		select {
		case <-h.open:
		case <-r.Context().Done():
			return
		}
	}
	h.inner.ServeHTTP(w, r)
}

// SIGTERM comes while curl and git have tunnels and requests through the proxy: they
// come to their end while the drain waits, new ones are refused with 503, and what does
// not end is cut when the drain's time is over.
func TestProxy_Drain_RunningOnesGoOnUntilTheTimeout(t *testing.T) {
	t.Parallel()
	repository := newRepository(t)
	h := newGated(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/served.git/") {
			repository.ServeHTTP(w, r)
			return
		}
		fmt.Fprintf(w, "%s came", r.URL.Path)
	}), func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/slow-") || r.URL.Path == "/for-ever" || strings.HasSuffix(r.URL.Path, "/git-upload-pack")
	})
	w := newProxyWorld(t, h, "--drain-timeout", "20s")
	curl := func(args ...string) *harness.TestProcess {
		return w.start(exec.Command("curl", append([]string{"-sS", "-w", " %{http_code} %{http_connect}", "--max-time", "100"}, args...)...))
	}
	proxy, user := "http://"+w.gateway.Addr, "any:"+w.gateway.Key
	ending := map[string]*harness.TestProcess{
		"/slow-tunnel came 200 200": curl("-x", proxy, "-U", user, w.https+"/slow-tunnel"),
		"/slow-http came 200 000":   curl("-x", proxy, "-U", user, w.http+"/slow-http"),
		"/slow-socks came 200 000":  curl("-x", "socks5h://"+w.socks, "-U", user, w.https+"/slow-socks"),
	}
	ending[""] = w.start(environment(repository.clone(w.https), w.proxy))
	cut := []*harness.TestProcess{
		curl("-x", proxy, "-U", user, w.https+"/for-ever"), curl("-x", "socks5h://"+w.socks, "-U", user, w.https+"/for-ever"),
	}
	unanswered := curl("-o", "/dev/null", "-x", proxy, "-U", user, w.http+"/for-ever")
	for range len(ending) + len(cut) + 1 {
		<-h.arrived
	}
	w.gateway.Signal(syscall.SIGTERM)
	w.gateway.Await(w.gateway.Stderr, `draining; `)

	var refused sync.WaitGroup
	for _, c := range []struct {
		p      *harness.TestProcess
		status int
		says   string
	}{
		{curl("-x", proxy, "-U", user, w.https+"/new"), 56, " 000 503"},
		{curl("-o", "/dev/null", "-x", proxy, "-U", user, w.http+"/new"), 0, " 503 000"},
		{curl("-x", "socks5h://"+w.socks, "-U", user, w.https+"/new"), 97, " 000 000"},
	} {
		refused.Go(func() {
			if status := c.p.Status(); status != c.status || c.p.Stdout.String() != c.says {
				t.Errorf("a new one: status %d, want %d; it says %q, want %q; %s", status, c.status, c.p.Stdout, c.says, c.p.Stderr)
			}
		})
	}
	refused.Wait()
	close(h.open)
	for says, p := range ending {
		if status := p.Status(); status != 0 || p.Stdout.String() != says {
			t.Errorf("one that ran: status %d, it says %q, want %q; %s", status, p.Stdout, says, p.Stderr)
		}
	}
	select {
	case <-w.gateway.Done():
		t.Error("the drain did not wait for those that had not ended")
	default:
	}
	if status := w.gateway.Status(); status != 1 {
		t.Errorf("the gateway's status is %d after a drain that cut sessions", status)
	}
	for _, p := range cut {
		if status := p.Status(); status == 0 {
			t.Errorf("one that was cut looks whole: %q", p.Stdout)
		}
	}
	// It is told, if the process lives for as long as that takes.
	if status := unanswered.Status(); status == 0 && unanswered.Stdout.String() != " 503 000" {
		t.Errorf("a request without an answer: status %d, it says %q", status, unanswered.Stdout)
	}
}
