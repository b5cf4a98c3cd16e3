package relay

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// Every secret of this run begins with this word. It may go to the target or
// the proxy that it is meant for and nowhere else.
const canary = "canary-"

const (
	canaryKey      = canary + "key-0123456789"
	canaryPassword = canary + "password"
)

// recorder collects what the gateway says to its clients.
type recorder struct {
	t    *testing.T
	said []string
}

func (e *recorder) receive(what string) { e.said = append(e.said, what) }

// messages sends a first message and listens until the close frame, or until
// the session runs; then it closes it.
func (e *recorder) messages(g *harness.Gateway, first string) {
	e.t.Helper()
	ctx := patient(e.t)
	c := dial(e.t, g.WS("/ws"), nil)
	if err := c.Write(ctx, websocket.MessageText, []byte(first)); err != nil {
		e.t.Fatal(err)
	}
	for {
		_, message, err := c.Read(ctx)
		var closed websocket.CloseError
		switch {
		case err == nil && strings.Contains(string(message), `"connected"`):
			e.receive(string(message))
			c.Close(websocket.StatusNormalClosure, "")
			return
		case err == nil:
			e.receive(string(message))
		case errors.As(err, &closed):
			e.receive(closed.Reason)
			return
		default:
			e.t.Fatalf("after %.60q: %v", first, err)
		}
	}
}

// ask is messages for a connect message.
func (e *recorder) ask(g *harness.Gateway, a ask) {
	e.t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		e.t.Fatal(err)
	}
	e.messages(g, string(b))
}

// direct uses the direct form.
func (e *recorder) direct(g *harness.Gateway, header http.Header, query url.Values) {
	e.t.Helper()
	c, resp, err := websocket.Dial(patient(e.t), g.WS("/ws")+"?"+query.Encode(), &websocket.DialOptions{HTTPHeader: header})
	if err == nil {
		e.receive(fmt.Sprint(resp.Header))
		c.Close(websocket.StatusNormalClosure, "")
		return
	}
	if resp == nil {
		e.t.Fatalf("direct form: %v", err)
	}
	e.answer(resp)
}

func (e *recorder) answer(resp *http.Response) {
	e.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	e.receive(fmt.Sprint(resp.Status, resp.Header, string(body)))
}

// A whole run with secrets in every place that takes one, in requests that
// succeed and in requests that fail in every way.
func TestSecrets_EveryRequest_AreNotPrinted(t *testing.T) {
	environment := []string{
		"FARWIRE_API_KEYS=alice=" + canaryKey, "FARWIRE_TOKEN_SECRET=" + canary + strings.Repeat("s", 32),
		"FARWIRE_AGENT_SECRET=" + canary + "agent-secret", "FARWIRE_LOG_LEVEL=debug",
	}
	start := func(flags ...string) *harness.Gateway {
		cmd := harness.Farwire(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--rate", "100000"}, flags...)...)
		cmd.Env = append(cmd.Env, environment...)
		return harness.StartGateway(t, cmd)
	}
	open, guarded := start("--allow-private"), start()
	e := &recorder{t: t}

	to := target(t, harness.Echo)
	rude := startRude(t)
	plain := strings.Replace(to, "ws:", "wss:", 1)
	nowhere := "ws://" + harness.FreeAddr(t) + "/"
	userinfo := strings.Replace(to, "ws://", "ws://user:"+canaryPassword+"@", 1)
	socks, connectProxy := socksProxy(t, "user", canaryPassword), httpProxy(t, "user", canaryPassword)
	wrong := func(proxy string) string { return strings.Replace(proxy, canaryPassword, canary+"wrong", 1) }
	away := func(scheme string) string { return scheme + "://user:" + canaryPassword + "@" + harness.FreeAddr(t) }
	header := map[string]string{"Authorization": "Bearer " + canary + "header", "X-Secret": canary + "header"}
	cookies := map[string]string{"session": canary + "cookie"}

	for _, g := range []*harness.Gateway{open, guarded} {
		for _, address := range []string{to, to + "?token=" + canary + "query", userinfo, rude, plain, nowhere + "?token=" + canary + "query",
			"ws://user:" + canaryPassword + "@[::1/", "http://user:" + canaryPassword + "@127.0.0.1/", to + "#" + canary + "fragment",
			"ws://name.invalid/" + canary + "path", "ws://127.0.0.1:0/" + canary + "path"} {
			for _, via := range []string{"", socks, connectProxy, wrong(socks), wrong(connectProxy), away("socks5"), away("http"),
				"https://user:" + canaryPassword + "@127.0.0.1", "http://user:" + canaryPassword + "@[::1", connectProxy + "/?" + canary + "query"} {
				e.ask(g, ask{"apiKey": canaryKey, "url": address, "proxy": via, "headers": header, "cookies": cookies})
			}
			e.direct(g, http.Header{"Authorization": {"Bearer " + canary + "header"}, "Cookie": {"a=" + canary + "cookie"}},
				url.Values{"url": {address}, "api_key": {canaryKey}, "proxy": {socks}, "header": {"X-Secret: " + canary + "header"},
					"password": {canary + "query"}})
		}
		for _, bad := range []ask{
			{"apiKey": canary + "wrong-key-0123456789", "url": to},
			{"apiKey": []string{canaryKey}, "url": to},
			{"apiKey": canaryKey, "url": []string{canary + "url"}},
			{"apiKey": canaryKey, "url": to, "headers": map[string]string{"X-Secret": canary + "header\r\nInjected: yes"}},
			{"apiKey": canaryKey, "url": to, "headers": map[string]string{"Proxy-Authorization": canary + "header"}},
			{"apiKey": canaryKey, "url": to, "headers": map[string]any{"X-Secret": []string{canary + "header"}}},
			{"apiKey": canaryKey, "url": to, "headers": canary + "header"},
			{"apiKey": canaryKey, "url": to, "cookies": map[string]string{"session": canary + "cookie;\x01"}},
			{"apiKey": canaryKey, "url": to, "cookies": canary + "cookie"},
			{"apiKey": canaryKey, "url": to, "proxy": []string{canaryPassword}},
			{"apiKey": canaryKey, "url": to, "agent": "nobody"},
			{"apiKey": canaryKey, "url": to, "idle_timeout": canary + "timeout"},
		} {
			e.ask(g, bad)
		}
		for _, garbage := range []string{
			canaryKey, `{"apiKey": "` + canaryKey, `{"apiKey": "` + canaryKey + `", "apiKey": "` + canaryKey + `"}`,
			`["` + canaryKey + `"]`, `{"apiKey": "` + canaryKey + `", "url": "` + strings.Repeat(canary, 10_000) + `"}`,
		} {
			e.messages(g, garbage)
		}
		for _, query := range []url.Values{
			{"url": {to}, "api_key": {canary + "wrong-key-0123456789"}},
			{"url": {to}, "token": {canary + "wrong-key-0123456789"}},
			{"url": {userinfo, to}, "api_key": {canaryKey}},
			{"url": {to}, "api_key": {canaryKey}, "header": {"X-Secret " + canary + "header"}},
			{"url": {to}, "api_key": {canaryKey}, "header": {"X-Secret: " + canary + "header\r\n"}},
			{"url": {to}, "api_key": {canaryKey}, "idle_timeout": {canary + "timeout"}},
			{"url": {to}, "api_key": {canaryKey}, "proxy": {canaryPassword}},
		} {
			e.direct(g, nil, query)
		}
		for _, path := range []string{"/", "/ws", "/usage", "/network", "/auth/token", "/amqp", "/nonsense/" + canary, "/agents/attach"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				for _, key := range []string{canaryKey, canary + "wrong-key-0123456789", ""} {
					req, err := http.NewRequest(method, g.HTTP(path)+"?api_key="+key, strings.NewReader(`{"apiKey": "`+key+`", "password": "`+canaryPassword+`"}`))
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Authorization", "Bearer "+key)
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					e.answer(resp)
				}
			}
		}
		broken := rawDial(t, g.Addr, "/ws")
		broken.send(t, []byte{0xff, 0x81, 0, 0, 0, 0, 'x'})
		if _, reason := broken.next(t); reason != nil {
			e.receive(string(reason))
		}
	}
	for _, flags := range [][]string{{"--key", canary + "wrong-key-0123456789"}, {"--key", canaryKey, "--agent", "nobody"}} {
		cmd := harness.Farwire(t, append([]string{"relay", to, "--gateway", open.WS("")}, flags...)...)
		p := harness.Start(t, cmd)
		p.Status()
		e.receive(p.Stdout.String() + p.Stderr.String())
	}

	open.Stop()
	guarded.Stop()
	for _, g := range []*harness.Gateway{open, guarded} {
		e.receive(g.Stdout.String())
		for line := range strings.Lines(g.Stderr.String()) {
			e.receive(line)
		}
	}
	if n := len(e.said); n < 300 {
		t.Errorf("only %d things were said: this run is not whole", n)
	}
	secrets := []string{
		canary,
		base64.StdEncoding.EncodeToString([]byte("user:" + canaryPassword)),
		base64.StdEncoding.EncodeToString([]byte("user:" + canary + "wrong")),
	}
	for _, said := range e.said {
		// What the target itself answered is for its caller, who sent it.
		if strings.Contains(said, `"code":"target_refused"`) || strings.Contains(said, "X-Farwire-From:[target]") {
			continue
		}
		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(said), strings.ToLower(secret)) {
				t.Errorf("a secret was said: %.500s", said)
			}
		}
	}
	if !strings.Contains(open.Stderr.String(), "session ended") || !strings.Contains(open.Stderr.String(), "level=DEBUG") {
		t.Error("the log has no sessions or no details: this run shows nothing")
	}
}

// startRude is a target that answers an upgrade with the secrets it was sent.
func startRude(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", r.Header.Get("X-Secret"))
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, r.Header)
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/"
}
