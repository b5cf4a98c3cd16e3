package farwire_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// However a crawl ends, and however its URL is written, no password and no query of the URL
// is in the log.
func TestCrawl_SecretsInTheURL_AreNotLogged(t *testing.T) {
	const secret = "S3CRET-value"
	w := newWorld(t, func(o *farwire.Options) { o.Crawl.Timeout = 30 * time.Second })
	site := newSite(t, map[string]string{"/": page("Home", "A page of its own words, and nothing else.")})
	host := strings.TrimPrefix(site.URL, "http://")
	urls := []string{}
	for _, h := range []string{host, "a..b", "127.1", "[::1", "bad host", "%zz"} {
		urls = append(urls, "http://user:"+secret+"@"+h+"/", "http://"+secret+"@"+h+"/", "http://"+h+"/?q="+secret,
			"http://"+h+"/#"+secret, "http://user:a "+secret+"@"+h+"/?x=1", "http://user:a/"+secret+"@"+h+"/", "http://user:a?"+secret+"@"+h+"/", "HTTP://u:"+secret+"@"+h)
	}
	for _, u := range urls {
		p := w.open("/ws/crawl", "X-API-Key: "+testKey)
		message, err := json.Marshal(map[string]any{"url": u, "maxPages": 1})
		if err != nil {
			t.Fatal(err)
		}
		p.text(string(message))
		for {
			f := p.next()
			if f.op == opClose {
				break
			}
		}
		p.conn.Close()
	}
	if err := w.gw.Shutdown(t.Context()); err != nil { // sessions are in the log when they have ended
		t.Fatal(err)
	}
	if n := w.log.Count(`msg="session ended"`); n < len(urls) {
		t.Errorf("%d sessions of %d are in the log", n, len(urls))
	}
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, secret) {
			t.Error(line)
		}
	}
}

// canaries are secrets that a client sends, by where each stands.
var canaries = strings.Fields("header-canary cookie-canary query-canary user-canary password-canary proxy-canary " +
	"wrong-key-canary-0123 option-key-canary-0123 hook-canary certificate-canary")

// secretRequests are requests to a host and port with secrets wherever each kind of
// session takes some, valid ones and others.
func secretRequests(host, refused string) (all []string) {
	basic := func(user, password string) string {
		return "Proxy-Authorization: " + proxyBasic(user, password) + "\r\n"
	}
	secret := "Authorization: Bearer header-canary\r\nCookie: fw_a=cookie-canary; b=cookie-canary\r\nX-Secret: header-canary\r\n"
	query := "?q=query-canary&token=query-canary"
	get := func(line, fields string) { all = append(all, "GET "+line+" HTTP/1.1\r\nHost: gw\r\n"+fields) }
	post := func(path, fields, body string) {
		all = append(all, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", path, len(body), fields, body))
	}
	key := "X-Api-Key: " + testKey + "\r\n"
	for _, scheme := range []string{"http", "https"} {
		get("/to/key="+testKey+"/"+scheme+"/"+host+"/"+query, secret)
		get("/to/key=wrong-key-canary-0123/"+scheme+"/"+host+"/"+query, secret)
		get(scheme+"://user-canary:password-canary@"+host+"/"+query, basic("geo=ZZ", testKey))
		get(scheme+"://"+host+"/"+query, secret+basic("geo=ZZ", testKey))
		get(scheme+"://"+host+"/"+query, secret+basic("any", "wrong-key-canary-0123"))
		get("/ws?url="+escape("ws"+scheme[4:]+"://user-canary:password-canary@"+host+"/"+query)+"&header=A:header-canary&cookie=a%3Dcookie-canary&api_key="+testKey, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
	}
	for _, options := range []string{"option-key-canary-0123", "key=option-key-canary-0123;geo=", "key=option-key-canary-0123;geo=Nowhere", "key=option-key-canary-0123;x=y",
		"geo=DE;option-key-canary-0123", "key=option-key-canary-0123;key=option-key-canary-0123", "key=%zzoption-key-canary-0123", "Key=option-key-canary-0123", "api_key=option-key-canary-0123"} {
		get("/to/"+options+"/http/"+host+"/", "")
		get("http://"+host+"/", basic(options, "wrong-key-canary-0123"))
		get("http://"+host+"/", basic("any", options))
		all = append(all, "CONNECT "+host+" HTTP/1.1\r\nHost: gw\r\n"+basic(options, testKey))
	}
	for _, h := range []string{"user-canary:password-canary@" + host, "user-canary@" + host, "user-canary:password-canary@", "[user-canary@" + host} {
		get("/to/-/http/"+h+"/"+query, key)
		get("/to/-/http/"+strings.ReplaceAll(h, "@", "%40")+"/"+query, key)
		all = append(all, "CONNECT "+h+" HTTP/1.1\r\nHost: gw\r\n"+basic("any", testKey))
	}
	for _, path := range []string{"/usage", "/network", "/sessions", "/sites", "/files/a", "/healthz"} {
		get(path+"?api_key=wrong-key-canary-0123", "")
		get(path, "Authorization: Bearer wrong-key-canary-0123\r\n")
	}
	post("/auth/token", "X-Api-Key: wrong-key-canary-0123\r\n", `{}`)
	post("/auth/token", key, `{"apiKey":"wrong-key-canary-0123"}`)
	for _, base := range []string{"http://user-canary:password-canary@a.test/?q=query-canary", "http://[user-canary:password-canary@a.test/", "user-canary:password-canary@a.test", "http://user-canary:pass word-canary@a.test/"} {
		post("/hooks/site-changed", "", hookBody(base, "hook-canary"))
	}
	for _, more := range []string{``, `,"ssl":true`, `,"ssl":true,"insecure":true`, `,"virtual_host":7`, `,"queue":"q","queue_prefix":"q"`,
		`,"ssl":true,"cert":"certificate-canary","cert_key":"certificate-canary"`, `,"bindings":[{"exchange":"e","arguments":{"x":"header-canary","y":7.5}}]`, `,"password":"password-canary"`} {
		h, port, _ := strings.Cut(host, ":")
		post("/amqp", key, fmt.Sprintf(`{"host":%q,"port":%s,"username":"user-canary","password":"password-canary","exchange":"e"%s}`, h, port, more))
		post("/amqp", "", fmt.Sprintf(`{"apiKey":"wrong-key-canary-0123","host":%q,"port":%s,"username":"user-canary","password":"password-canary","exchange":"e"%s}`, h, port, more))
		post("/amqp", key, fmt.Sprintf(`{"host":"user-canary:password-canary@%s","username":"user-canary","password":"password-canary","exchange":"e"%s}`, host, more))
	}
	return all
}

// Of no kind of session is anything that a client keeps secret in the log or in an answer,
// however the target answers: also when it sends back what it was sent, as servers of other
// protocols do.
func TestSecrets_EverySurface_AreLeftOut(t *testing.T) {
	refused := harness.FreeAddr(t)
	answers := map[string]func(head string) string{
		"ends":            func(string) string { return "" },
		"repeats status":  func(head string) string { return "HTTP/1.1 2x0 " + head + "\r\n\r\n" },
		"repeats line":    func(head string) string { return "-ERR unknown command " + head + "\r\n\r\n" },
		"repeats bare":    func(head string) string { return head + "\r\n\r\n" },
		"repeats version": func(head string) string { return "HTTP/1.1" + head + "\r\n\r\n" },
		"repeats header":  func(head string) string { return "HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n" },
		"repeats name":    func(head string) string { return "HTTP/1.1 200 OK\r\n" + head + ": a\r\n\r\n" },
		"repeats length":  func(head string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + head + "\r\n\r\n" },
		"repeats coding":  func(head string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + head + "\r\n\r\n" },
		"repeats location": func(head string) string {
			return "HTTP/1.1 307 OK\r\nContent-Length: 0\r\nLocation: " + head + "\r\n\r\n"
		},
		"repeats upgrade": func(head string) string {
			return "HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: " + head + "\r\n\r\n"
		},
		"repeats accept": func(head string) string {
			return "HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + head + "\r\n\r\n"
		},
		"leads on": func(string) string {
			return "HTTP/1.1 307 x\r\nLocation: ws://user-canary:password-canary@" + refused + "/?q=query-canary\r\nContent-Length: 0\r\n\r\n"
		},
	}
	targets := map[string]string{"refuses": refused}
	for name, answer := range answers {
		targets[name] = harness.Conns(t, func(c net.Conn) {
			b := make([]byte, 4<<10)
			if n, err := c.Read(b); err == nil {
				io.WriteString(c, answer(strings.NewReplacer("\r", " ", "\n", " ").Replace(string(b[:n]))))
			}
		}).Addr().String()
	}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *farwire.Options) {
				o.Sites, o.AllowInsecure = &memorySites{}, true
			})
			mux, pathForm := http.NewServeMux(), w.gw.PathForm()
			for pattern, h := range map[string]http.Handler{"/ws": w.gw.Relay(), "/amqp": w.gw.AMQP(), "/auth/token": w.gw.Token(), "/hooks/site-changed": w.gw.SiteChanged(),
				"/usage": w.gw.Usage(), "/network": w.gw.Network(), "/sessions": w.gw.SessionsHandler(), "/sites": w.gw.SitesHandler(), "/healthz": w.gw.Health()} {
				mux.Handle(pattern, h)
			}
			all := w.also(w.gw.ForwardProxy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if farwire.IsPathForm(r) {
					pathForm.ServeHTTP(rw, r)
					return
				}
				mux.ServeHTTP(rw, r)
			})))
			for _, request := range secretRequests(target, refused) {
				conn, err := all.dialIn()
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(testTimeout))
				if !strings.Contains(request, "\r\n\r\n") {
					request += "Connection: close\r\n\r\n"
				}
				io.WriteString(conn, request)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if strings.HasPrefix(request, "CONNECT ") && resp != nil && resp.StatusCode == 200 {
					conn.Close() // the target waits for bytes
				}
				if err != nil {
					t.Fatalf("%s: %v", request, err)
				}
				var head strings.Builder
				resp.Header.Write(&head)
				body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
				conn.Close()
				if resp.Header.Get("X-Farwire-From") == "target" {
					continue // the words are its own
				}
				for _, c := range append(canaries, testKey) {
					if strings.Contains(resp.Status+head.String()+string(body), c) {
						t.Errorf("%s is in the answer to\n%s:\n%s\n%s%s", c, request, resp.Status, head.String(), body)
					}
				}
			}
			for _, message := range []string{
				`"url":"ws://` + target + `/?q=query-canary","follow_redirects":3`,
				`"url":"ws://` + refused + `/?q=query-canary","proxy":"http://user-canary:proxy-canary@` + target + `"`,
				`"url":"ws://` + refused + `/?q=query-canary","proxy":"socks5://user-canary:proxy-canary@` + target + `"`,
			} {
				p := w.open("/ws")
				p.text(`{"apiKey":"` + testKey + `","headers":{"A":"header-canary"},"cookies":{"a":"cookie-canary"},` + message + `}`)
				if r := p.refusal(); strings.Contains(r.text, "canary") {
					t.Errorf("%s: %+v", message, r)
				}
			}
			w.crawled(testKey, `{"url":"http://user-canary:password-canary@`+target+`/?q=query-canary","headers":{"A":"header-canary"},"cookies":{"a":"cookie-canary"},"maxPages":1}`)
			if err := w.gw.Shutdown(t.Context()); err != nil { // sessions are in the log when they have ended
				t.Fatal(err)
			}
			if n := w.log.Count(`msg="session ended"`); n < 10 {
				t.Errorf("%d sessions are in the log", n)
			}
			for line := range strings.Lines(w.log.String()) {
				for _, c := range append(canaries, testKey) {
					if strings.Contains(line, c) {
						t.Errorf("%s is in the log: %s", c, line)
					}
				}
			}
		})
	}
}
