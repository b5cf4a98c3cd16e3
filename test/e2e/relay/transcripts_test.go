package relay

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

var update = flag.Bool("update", false, "write the transcripts as they are now")

// TestRelay_Transcripts_StayTheSame replays what clients of the specification say and wants the
// answers of the files in testdata/transcripts. In them
//
//	$ FLAGS        is added to the flags of the gateway
//	! PATH         is asked for first, with the key
//	> TEXT         is sent as a text message
//	< TEXT         is the next message that comes
//	<close CODE REASON
//	# TEXT         is for the reader
//
// and the specification's own names stand for what a test can reach.
func TestRelay_Transcripts_StayTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel() // one of them waits for ten seconds
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(golden))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(golden) {
				t.Errorf("%s reads\n%s, want\n%s", file, got, golden)
			}
		})
	}
}

// waits finds what differs from run to run.
var waits = regexp.MustCompile(`"retry_after":[0-9.]+`)

// replay follows a transcript and returns it with what really came.
func replay(t *testing.T, golden string) string {
	t.Helper()
	flags := []string{"--allow-private", "--local-agent", "de1:DE"}
	for line := range strings.Lines(golden) {
		if rest, ok := strings.CutPrefix(line, "$ "); ok {
			flags = append(flags, strings.Fields(rest)...)
		}
	}
	g := harness.Serve(t, flags...)
	stands := strings.NewReplacer(
		"YOUR_API_KEY", g.Key,
		"wss://target.example.com/stream", specifiedTarget(t),
		"socks5://user:pass@host:1080", socksProxy(t, "user", "pass"),
		"ws://refused.example.com", "ws://"+harness.FreeAddr(t),
	)
	c := dial(t, g.WS("/ws"), nil)
	ctx := patient(t)
	var out strings.Builder
	for line := range strings.Lines(golden) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "! "):
			spend(t, g.HTTP(line[2:]), g.Key)
		case strings.HasPrefix(line, "> "):
			if err := c.Write(ctx, websocket.MessageText, []byte(stands.Replace(line[2:]))); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		case strings.HasPrefix(line, "<close"), strings.HasPrefix(line, "< "):
			_, message, err := c.Read(ctx)
			var closed websocket.CloseError
			switch {
			case err == nil:
				line = "< " + waits.ReplaceAllString(string(message), `"retry_after":SECONDS`)
			case errors.As(err, &closed):
				line = strings.TrimSpace(fmt.Sprintf("<close %d %s", closed.Code, closed.Reason))
			default:
				t.Fatalf("%s: %v", line, err)
			}
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// spend makes a request that counts against the key's rate.
func spend(t *testing.T, url, key string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: %s", url, resp.Status)
	}
}

// specifiedTarget is the target of the specification's connect message: it
// wants that message's header and cookie where there are any, says hello, and
// sends back what it is sent.
func specifiedTarget(t *testing.T) string {
	t.Helper()
	return target(t, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "" && got != "Bearer token" {
			t.Errorf("the target was sent Authorization %q", got)
		}
		if got := r.Header.Get("Cookie"); got != "" && got != "session=abc123" {
			t.Errorf("the target was sent Cookie %q", got)
		}
		for name := range r.Header {
			switch name {
			case "Authorization", "Cookie", "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol":
			default:
				t.Errorf("the target was sent %s, which nobody asked for", name)
			}
		}
		hello := fmt.Sprintf("authorization %t, cookie %t", r.Header.Get("Authorization") != "", r.Header.Get("Cookie") != "")
		if err := c.Write(ctx, websocket.MessageText, []byte(hello)); err != nil {
			t.Error(err)
			return
		}
		kind, message, err := c.Read(ctx)
		if err != nil {
			return // the session was about the handshake
		}
		if string(message) == "close, please" {
			c.Close(4000, "as you like")
			return
		}
		if err := c.Write(ctx, kind, message); err != nil {
			t.Error(err)
		}
		c.Read(ctx) // until the client leaves
	})
}

// proxy serves connections with a function that does a handshake and returns
// where to connect to, or "".
func proxy(t *testing.T, handshake func(net.Conn) string) (addr string) {
	t.Helper()
	return harness.Conns(t, func(c net.Conn) {
		to := handshake(c)
		if to == "" {
			return
		}
		up, err := net.DialTimeout("tcp", to, 5*time.Second)
		if err != nil {
			return
		}
		defer up.Close()
		go func() {
			io.Copy(up, c)
			up.Close()
		}()
		io.Copy(c, up)
	}).Addr().String()
}

// socksProxy is a SOCKS5 proxy (RFC 1928) that wants a password (RFC 1929).
func socksProxy(t *testing.T, user, password string) string {
	t.Helper()
	addr := proxy(t, func(c net.Conn) string {
		read := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(c, b); err != nil {
				return make([]byte, n)
			}
			return b
		}
		read(int(read(2)[1])) // version and methods
		c.Write([]byte{5, 2})
		gotUser := string(read(int(read(2)[1])))
		gotPassword := string(read(int(read(1)[0])))
		if gotUser != user || gotPassword != password {
			c.Write([]byte{1, 1})
			return ""
		}
		c.Write([]byte{1, 0})
		var host string
		switch head := read(4); head[3] {
		case 1:
			host = net.IP(read(4)).String()
		case 3:
			host = string(read(int(read(1)[0])))
		}
		port := read(2)
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		return net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1])))
	})
	return (&url.URL{Scheme: "socks5", User: url.UserPassword(user, password), Host: addr}).String()
}

// httpProxy is a CONNECT proxy (RFC 9110, section 9.3.6) that wants a password.
func httpProxy(t *testing.T, user, password string) string {
	t.Helper()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	addr := proxy(t, func(c net.Conn) string {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil || req.Method != http.MethodConnect {
			return ""
		}
		if req.Header.Get("Proxy-Authorization") != want {
			io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return ""
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		return req.Host
	})
	return (&url.URL{Scheme: "http", User: url.UserPassword(user, password), Host: addr}).String()
}
