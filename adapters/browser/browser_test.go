package browser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestNew_BadOptions_NamesTheField(t *testing.T) {
	for name, tt := range map[string]struct {
		o    browser.Options
		want string
	}{
		"no such file":    {browser.Options{Path: filepath.Join(t.TempDir(), "chromium")}, "Options.Path"},
		"negative tabs":   {browser.Options{Tabs: -1}, "Options.Tabs"},
		"negative time":   {browser.Options{Timeout: -1}, "Options.Timeout"},
		"negative size":   {browser.Options{MaxBytes: -1}, "Options.MaxBytes"},
		"not a WebSocket": {browser.Options{Path: browser.None, RemoteURL: "https://user:secret@service.example"}, "Options.RemoteURL"},
		"not a URL":       {browser.Options{Path: browser.None, RemoteURL: "wss://user:secret@[service.example"}, "Options.RemoteURL"},
		"no host":         {browser.Options{Path: browser.None, RemoteURL: "wss:service"}, "Options.RemoteURL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := browser.New(tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want one about %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

// A browser of the test's, which starts none of its own.
func newBrowser(t *testing.T, o browser.Options) *browser.Browser {
	t.Helper()
	if o.Path == "" {
		o.Path = browser.None
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	b, err := browser.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func detail(err error) string {
	var d interface{ Detail() string }
	if errors.As(err, &d) {
		return d.Detail()
	}
	return ""
}

// exit resolves every name to an address that anyone may have, and dials
// nothing.
var exit = agent.Exit{
	ID: "test",
	DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("nothing is dialled here")}
	},
	Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "intranet.test" {
			return nil, &agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("10.0.0.1")}
		}
		return []netip.Addr{netip.MustParseAddr("203.0.113.7")}, nil
	},
}

func TestRender_BrowserMissing_ReturnsErrNoBrowser(t *testing.T) {
	none := newBrowser(t, browser.Options{})
	onlyRemote := newBrowser(t, browser.Options{RemoteURL: "ws://127.0.0.1:1"})
	for name, b := range map[string]*browser.Browser{"at all": none, "that may be used": onlyRemote} {
		if _, err := b.Render(context.Background(), farwire.RenderPage{URL: "https://site.test/", Exit: exit}); !errors.Is(err, farwire.ErrNoBrowser) || detail(err) != "no browser" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRender_NotAnHTTPAddress_IsRefused(t *testing.T) {
	service := newService(t, dies)
	b := newBrowser(t, browser.Options{RemoteURL: service.url})
	for _, address := range []string{
		"file:///etc/passwd", "chrome://version", "about:blank", "data:text/html,hello", "javascript:alert(1)",
		"view-source:http://site.test/", "devtools://devtools/bundled/inspector.html", "ftp://site.test/", "http://", "", "http://%zz/",
	} {
		if _, err := b.Render(context.Background(), farwire.RenderPage{URL: address, Exit: exit, Remote: true}); detail(err) != "not an http or https URL" {
			t.Errorf("%q: %v", address, err)
		}
	}
	if n := service.connections(); n != 0 {
		t.Errorf("the service was asked %d times", n)
	}
}

func TestRender_BrowserClosed_Fails(t *testing.T) {
	b := newBrowser(t, browser.Options{RemoteURL: "ws://127.0.0.1:1"})
	b.Close()
	if _, err := b.Render(context.Background(), farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true}); detail(err) != "the browser is closed" {
		t.Errorf("got %v", err)
	}
}

// A service is a browser service of the test's, and how it fails.
type service struct {
	url string

	mu   sync.Mutex
	seen []string // the Authorization headers of its connections
}

func (s *service) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// What becomes of a connection.
var (
	dies  = func(c *websocket.Conn) { c.CloseNow() }
	hangs = func(c *websocket.Conn) {
		io.Copy(io.Discard, websocket.NetConn(context.Background(), c, websocket.MessageText))
	}
	babbles = func(c *websocket.Conn) {
		c.Write(context.Background(), websocket.MessageText, []byte(`{"id":1,"result":`))
		io.Copy(io.Discard, websocket.NetConn(context.Background(), c, websocket.MessageText))
	}
	fails = func(c *websocket.Conn) {
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				return
			}
			c.Write(context.Background(), websocket.MessageText, []byte(`{"id":1,"error":{"code":-32000,"message":"no credit left"}}`))
		}
	}
)

func newService(t *testing.T, talk func(*websocket.Conn)) *service {
	t.Helper()
	s := new(service)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wg.Add(1)
		defer wg.Done()
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Get("Authorization"))
		s.mu.Unlock()
		if talk == nil {
			http.Error(w, "no credit left", http.StatusPaymentRequired)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer context.AfterFunc(ctx, func() { c.CloseNow() })()
		defer c.CloseNow()
		talk(c)
	}))
	s.url = "ws://user:secret@" + strings.TrimPrefix(srv.URL, "http://")
	t.Cleanup(func() {
		cancel()
		srv.Close()
		wg.Wait()
	})
	return s
}

// TestService_Fails_IsAskedOnce has a service that cannot be used in each way, once:
// it is asked for the first page and not for the second.
func TestService_Fails_IsAskedOnce(t *testing.T) {
	for name, talk := range map[string]func(*websocket.Conn){
		"accepts and dies": dies, "refuses": nil, "hangs": hangs, "babbles": babbles, "fails": fails,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newService(t, talk)
			var said strings.Builder
			b := newBrowser(t, browser.Options{RemoteURL: service.url, Timeout: 3 * time.Second, Logger: slog.New(slog.NewTextHandler(&said, nil))})
			for range 2 {
				began := time.Now()
				_, err := b.Render(context.Background(), farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true})
				if detail(err) != "the browser service does not answer" {
					t.Fatalf("got %v", err)
				}
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("it took %v", took)
				}
			}
			if n := service.connections(); n != 1 {
				t.Errorf("the service was asked %d times", n)
			}
			if n := strings.Count(said.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings, want one:\n%s", n, &said)
			}
			if strings.Contains(said.String(), "secret") {
				t.Errorf("the password is shown:\n%s", &said)
			}
			if s := b.Stats(); s.Failed != 2 || s.Rendered != 0 || s.Active != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("is not there", func(t *testing.T) {
		var said strings.Builder
		b := newBrowser(t, browser.Options{RemoteURL: "ws://user:secret@" + harness.FreeAddr(t), Logger: slog.New(slog.NewTextHandler(&said, nil))})
		_, err := b.Render(context.Background(), farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true})
		if detail(err) != "the browser service does not answer" || strings.Contains(err.Error()+said.String(), "secret") {
			t.Errorf("got %v\n%s", err, &said)
		}
	})
}

// A service that does not show one page is asked for the next: no page may take
// it away from the others.
func TestService_RefusesAPage_IsAskedForTheNext(t *testing.T) {
	service := newService(t, func(c *websocket.Conn) {
		for {
			var m struct {
				ID     int64  `json:"id"`
				Method string `json:"method"`
			}
			if err := wsjson.Read(context.Background(), c, &m); err != nil {
				return
			}
			answer := `"result":{"browserContextId":"C","targetId":"T","sessionId":"S"}`
			if m.Method == "Page.navigate" {
				answer = `"error":{"code":-32000,"message":"this site is on a list"}`
			}
			c.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"id":%d,%s}`, m.ID, answer))
		}
	})
	var said strings.Builder
	b := newBrowser(t, browser.Options{RemoteURL: service.url, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	for range 2 {
		_, err := b.Render(context.Background(), farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true})
		if detail(err) != "the browser service refuses the page" {
			t.Errorf("got %v", err)
		}
	}
	if n := service.connections(); n != 2 {
		t.Errorf("the service was asked %d times, want 2", n)
	}
	if strings.Contains(said.String(), "level=WARN") {
		t.Errorf("a page is no operator's business:\n%s", &said)
	}
}

// The service would fetch a page from inside of its own network.
func TestService_PrivatePage_IsNotAsked(t *testing.T) {
	service := newService(t, dies)
	b := newBrowser(t, browser.Options{RemoteURL: service.url})
	_, err := b.Render(context.Background(), farwire.RenderPage{URL: "http://intranet.test/", Exit: exit, Remote: true})
	if detail(err) != "the page's address is not allowed or not known" {
		t.Errorf("got %v", err)
	}
	deaf := exit
	deaf.Resolve = nil
	if _, err := b.Render(context.Background(), farwire.RenderPage{URL: "http://site.test/", Exit: deaf, Remote: true}); err == nil {
		t.Error("an exit that cannot check addresses is no reason to ask")
	}
	direct, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "10.1.2.3", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]", "2130706433"} {
		if _, err := b.Render(context.Background(), farwire.RenderPage{URL: "http://" + host + "/", Exit: direct, Remote: true}); err == nil {
			t.Errorf("%s was shown", host)
		}
	}
	if n := service.connections(); n != 0 {
		t.Errorf("the service was asked %d times", n)
	}
}

// Whoever waits for a tab may leave.
func TestRender_ContextEndsInQueue_Returns(t *testing.T) {
	service := newService(t, hangs)
	b := newBrowser(t, browser.Options{RemoteURL: service.url, Tabs: 1, Timeout: time.Minute})
	first, leave := context.WithCancel(context.Background())
	defer leave()
	done := make(chan error, 1)
	go func() {
		_, err := b.Render(first, farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true})
		done <- err
	}()
	for b.Stats().Active == 0 || service.connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	second, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.Render(second, farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := b.Stats(); s.Waiting != 0 || s.Active != 0 {
		t.Errorf("%+v", s)
	}
}

// Close ends what is under way.
func TestClose_PageUnderWay_EndsIt(t *testing.T) {
	service := newService(t, hangs)
	b := newBrowser(t, browser.Options{RemoteURL: service.url, Timeout: time.Minute})
	done := make(chan error, 1)
	go func() {
		_, err := b.Render(context.Background(), farwire.RenderPage{URL: "https://site.test/", Exit: exit, Remote: true})
		done <- err
	}()
	for service.connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	b.Close()
	if err := <-done; detail(err) != "the browser is closed" {
		t.Errorf("got %v", err)
	}
}
