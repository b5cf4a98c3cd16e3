package relay

import (
	"bufio"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/upstream"
)

// A browser is the parser of URLs that browsers have.
type browser struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

type browserURL struct {
	OK                                   bool
	Protocol, Hostname, Port, Path, Hash string
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	cmd := harness.Node(t, "testdata/npm/urls.cjs")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return &browser{in: in, out: bufio.NewReader(out)}
}

func (b *browser) parse(t testing.TB, text string) (u browserURL) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	line, err := json.Marshal(text)
	if err == nil {
		_, err = b.in.Write(append(line, '\n'))
	}
	if err == nil {
		line, err = b.out.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(line, &u)
	}
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return u
}

// FuzzURL_Browser holds how we read a URL to how a browser does: of what both take,
// the host and the port are the same, and the browser finds the same path and query in
// what we write into the request line as in what was given. So every byte that it
// keeps as it is we keep as well.
func FuzzURL_Browser(f *testing.F) {
	for _, text := range []string{
		"ws://h/a%2Fb|c?d=%zz", "wss://u:p@[2001:db8::1]:8443?x", "http://Bücher.example/ä b?ö=ü", `ws://a\b@c/d`, "ws://a@b@c:1/", "ws://h:80/", "wss://h:443",
		"ws://h/a/../b//c/./d", "ws://h/%2e%2e/x", `ws://h/a\b?c\d`, "ws://h/\"<>`{}^'?\"<>`{}^'", "ws://127.1/", "ws://h./", "ws://a_b/", "WS://H/A", "  ws://h/ ",
		"ws://h?a=b/c?d", "ws://h/?", "ws://h/a;b=c,d@e:f!$&()*+", "https://h/\u00a0\u3000\U0001f600", "ws://h/%", "ws://us%40er:p%2Fw@h:81/", "ws://h:/x", "ws://h:0080/",
	} {
		f.Add(text)
	}
	b := newBrowser(f)
	f.Fuzz(func(t *testing.T, text string) {
		u, err := upstream.ParseURL(text)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		want := b.parse(t, text)
		if !want.OK {
			return // names that no URL may hold, and that are in use
		}
		if want.Hash != "" || (want.Protocol == "wss:" || want.Protocol == "https:") != u.TLS {
			t.Fatalf("%q: we read %+v, a browser %+v", text, u, want)
		}
		wantPort := want.Port
		if wantPort == "" {
			wantPort = map[bool]string{false: "80", true: "443"}[u.TLS]
		}
		if strings.TrimLeft(u.EffectivePort(), "0") != wantPort {
			t.Fatalf("%q: port %s, in a browser %s", text, u.EffectivePort(), wantPort)
		}
		if !sameHost(u.Host, strings.Trim(want.Hostname, "[]")) {
			t.Fatalf("%q: host %s, in a browser %s", text, u.Host, want.Hostname)
		}
		if got := b.parse(t, "ws://h"+u.Path); got.Path != want.Path {
			t.Fatalf("%q: we write %s, which is %s to a browser, and it finds %s", text, u.Path, got.Path, want.Path)
		}
	})
}

// sameHost reports whether two hosts are the same. A number that only a browser takes
// for an address is a name to us, and the guard judges what it leads to.
func sameHost(ours, browsers string) bool {
	a, errA := netip.ParseAddr(ours)
	b, errB := netip.ParseAddr(browsers)
	switch {
	case errA == nil && errB == nil:
		return a == b
	case errB == nil && b.Is4():
		return errA != nil
	}
	return strings.EqualFold(ours, browsers)
}
