package upgrade_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/upgrade"
)

// A loop is a faulty wrapper, which unwraps to itself.
type loop struct{ http.ResponseWriter }

func (l loop) Unwrap() http.ResponseWriter { return l }

// A nilUnwrap is a faulty wrapper, which unwraps to nothing.
type nilUnwrap struct{ http.ResponseWriter }

func (nilUnwrap) Unwrap() http.ResponseWriter { return nil }

func TestCheck_FaultyUnwrap_EndsAndNamesIt(t *testing.T) {
	for name, w := range map[string]http.ResponseWriter{
		"upgrade_test.loop": loop{}, "upgrade_test.nilUnwrap": nilUnwrap{}, "*httptest.ResponseRecorder": httptest.NewRecorder(),
	} {
		err := upgrade.Check(w)
		var hidden *upgrade.HiddenError
		if !errors.As(err, &hidden) || hidden.Middleware != name || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := upgrade.Switch(w, "test"); !errors.As(err, &hidden) {
			t.Errorf("%s: Switch: %v", name, err)
		}
	}
}

// A canHijack hands a connection over itself.
type canHijack struct{}

func (canHijack) Header() http.Header         { return http.Header{} }
func (canHijack) Write(b []byte) (int, error) { return len(b), nil }
func (canHijack) WriteHeader(int)             {}
func (canHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("asked")
}

// Wrappers that hand a connection over themselves, whatever else they hold.
type (
	noStruct map[string]bool
	deeper   struct{ *holder } // whose ResponseWriter is promoted, through nothing
	holder   struct{ http.ResponseWriter }
)

func (noStruct) Header() http.Header                          { return http.Header{} }
func (noStruct) Write(b []byte) (int, error)                  { return len(b), nil }
func (noStruct) WriteHeader(int)                              {}
func (noStruct) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errors.New("asked") }
func (deeper) Header() http.Header                            { return http.Header{} }
func (deeper) Write(b []byte) (int, error)                    { return len(b), nil }
func (deeper) WriteHeader(int)                                {}
func (deeper) Hijack() (net.Conn, *bufio.ReadWriter, error)   { return nil, nil, errors.New("asked") }

// ownField has a field of the name that it does not embed.
type ownField struct {
	canHijack
	ResponseWriter http.ResponseWriter
}

// A wrapper of any kind that hands the connection over itself is believed: only a
// ResponseWriter that it embeds is looked into.
func TestCheck_WrapperOfAnotherShape_IsBelieved(t *testing.T) {
	for name, w := range map[string]http.ResponseWriter{
		"no struct": noStruct{}, "a field of that name": ownField{ResponseWriter: httptest.NewRecorder()},
		"promoted from nothing": deeper{}, "nothing below": canHijack{},
	} {
		if err := upgrade.Check(w); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	hidden := struct {
		http.Hijacker
		http.ResponseWriter
	}{canHijack{}, httptest.NewRecorder()}
	if err := upgrade.Check(hidden); err == nil {
		t.Error("a wrapper whose embedded ResponseWriter has no Hijack is believed")
	}
}

// What the client sent in one packet with its request is not lost.
func TestSwitch_BytesBehindTheRequest_ComeFirst(t *testing.T) {
	type result struct {
		conn  net.Conn
		early []byte
		err   error
	}
	taken := make(chan result, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, early, err := upgrade.Switch(w, "test")
		taken <- result{conn, early, err}
	}))
	defer srv.Close()
	client, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(30 * time.Second))
	const before, after = "said before the answer", ", and after"
	fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"+before)
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "test" {
		t.Fatalf("%v, %v", resp, err)
	}
	got := <-taken
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.conn.Close()
	fmt.Fprint(client, after)
	rest := make([]byte, len(before+after)-len(got.early))
	got.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(got.conn, rest); err != nil || string(got.early)+string(rest) != before+after {
		t.Errorf("got %q and %q, %v", got.early, rest, err)
	}
}
