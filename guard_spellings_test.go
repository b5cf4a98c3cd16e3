package farwire_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// guardSpellings are ways to write addresses that nobody may reach.
var guardSpellings = []string{"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254",
	"0x7f.1", "0X7F.1", "0x7f000001", "0x7f.0x0.0x0.0x1", "2130706433", "017700000001", "0177.0.0.1", "0177.1", "00177.0.0.01", "127.0.0.0x1",
	"1２7.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ",
	"[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:127.0.0.1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]",
	"[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[fe80::5efe:127.0.0.1]",
	"0", "0.0.0.0", "00", "[::]", "[::ffff:0.0.0.0]",
	"169.254.169.254", "0xa9fea9fe", "2852039166", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "169.254.170.2", "[fd00:ec2::254]", "168.63.129.16",
	"10.0.0.1", "012.0.0.1", "192.168.0.1", "172.16.0.1", "172.31.255.254", "100.64.0.1", "192.0.0.192", "198.18.0.1",
	"[fe80::1]", "[fc00::1]", "[fec0::1]", "224.0.0.1", "[ff02::1]", "240.0.0.1", "255.255.255.255"}

func TestGuard_PathFormAndRedirects_HoldForEverySpelling(t *testing.T) {
	if len(guardSpellings) < 60 {
		t.Errorf("%d spellings", len(guardSpellings))
	}
	canary := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the guard let %s through", r.Host) })
	location := make(chan string, 1)
	open, guarded := direct(t, agent.DirectOptions{AllowPrivate: true}), direct(t, agent.DirectOptions{})
	redirecting := newTCPTarget(t, func(c *net.TCPConn) {
		readHead(t, c)
		c.Write([]byte("HTTP/1.1 302 Found\r\nLocation: " + <-location + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	})
	exit := guarded
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "redirecting.test:80" {
			return open.DialContext(ctx, network, redirecting)
		}
		return guarded.DialContext(ctx, network, addr)
	}
	w := newPathWorld(t, canary, func(o *farwire.Options) { o.Agents = exit })
	relays := newWorld(t, func(o *farwire.Options) { o.Agents = exit })
	_, port, err := net.SplitHostPort(w.host())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range guardSpellings {
		for _, scheme := range []string{"http", "https", "ws"} {
			req := w.request("GET", "/", nil)
			req.URL.Opaque = "/to/key=" + testKey + "/" + scheme + "/" + (&url.URL{Host: host}).Host + ":" + port + "/"
			if resp, body := w.fetch(req); resp.StatusCode < 400 || resp.Header.Get("X-Farwire-From") != "gateway" {
				t.Errorf("%s %s: %d %s", scheme, host, resp.StatusCode, body)
			}
		}
		location <- "http://" + host + ":" + port + "/"
		p := relays.open("/ws")
		p.ask("ws://redirecting.test/", `"follow_redirects":3`)
		var answer struct{ Type, Code string }
		if f := p.next(); json.Unmarshal(f.payload, &answer) != nil || answer.Type != "error" {
			t.Errorf("a redirect to %s: %s", host, f)
		}
	}
	if strings.Contains(w.log.String()+relays.log.String(), "panic") {
		t.Errorf("%s%s", w.log, relays.log)
	}
}
