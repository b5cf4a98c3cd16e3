package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt"
)

// gatewayFlags say which gateway is asked, and as whom.
type gatewayFlags struct {
	Gateway string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"The gateway."`
	Key     string `placeholder:"KEY" help:"API key or token."`
}

const (
	askTimeout    = 15 * time.Second
	healthTimeout = 5 * time.Second
	largestAnswer = 64 << 20
)

// ask sends a request to the gateway and decodes its answer into v. Of an error
// it has the gateway's own words.
func (f *gatewayFlags) ask(ctx context.Context, method, path string, v any) error {
	if err := checkKey(f.Key); err != nil {
		return err
	}
	base, err := gatewayURL(f.Gateway)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, base.String()+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", f.Key)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the key is for this gateway alone
	}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the gateway at %s (--gateway): %s", safetext.Printable(base.Host), reason(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return fmt.Errorf("the gateway's answer broke off: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var told struct{ Detail string }
		_ = json.Unmarshal(body, &told) // not ours, then: the status says enough
		return fmt.Errorf("the gateway answers %s: %s", resp.Status, safetext.Printable(cmp.Or(told.Detail, "no reason given")))
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s answers with something else than farwire does", safetext.Printable(base.Host))
	}
	return nil
}

// checkKey says what is wrong with the key that a command was given. What a header does not
// take, such as the line's end of a file from another system, is in no key.
func checkKey(key string) error {
	switch {
	case key == "":
		return misuse("--key: missing; give a key of the gateway's, or set " + variable("key"))
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return misuse("--key: holds a control character, such as a line's end, which is in no key; give the key without it")
	}
	return nil
}

// gatewayURL reads an address of a gateway, which may be written as one of its
// sockets. It has no path but where the gateway is mounted.
func gatewayURL(s string) (*url.URL, error) {
	u, err := httpURL(s, "http")
	if err == nil {
		u.Path, u.RawQuery, u.Fragment = strings.TrimRight(u.Path, "/"), "", ""
	}
	return u, err
}

// httpURL reads --gateway, with a scheme of HTTP or of WebSocket, as an address of HTTP.
// The errors advise the scheme that is usual for the command.
func httpURL(s, usual string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return nil, misuse("--gateway: not an address; give one such as " + usual + "://" + defaultGatewayAddr)
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return nil, misusef("--gateway: the scheme %s is not supported; give an address that begins with %s:// or %[2]ss://", u.Scheme, usual)
	}
	return u, nil
}

// table prints rows of columns. What others have named cannot command the
// terminal.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = safetext.Printable(cmp.Or(cell, "-"))
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// printJSON prints what the gateway said, indented.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type agents struct {
	gatewayFlags `embed:""`
	JSON         bool `name:"json" help:"Print the answer of GET /network."`
}

// Run prints the agents that the gateway has.
func (a *agents) Run(ctx context.Context) error {
	var answer json.RawMessage
	if err := a.ask(ctx, http.MethodGet, "/network", &answer); err != nil {
		return err
	}
	if a.JSON {
		return printJSON(os.Stdout, answer)
	}
	var said struct {
		Agents []struct {
			ID, Slug, Country, State, Version string

			Sessions int
			ExitIP   string `json:"exit_ip"`
			Gateways []string
			RTT      float64 `json:"rtt_ms"`
		}
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return fmt.Errorf("the gateway's answer cannot be read: %w", err)
	}
	rows := [][]string{{"AGENT", "SLUG", "COUNTRY", "STATE", "SESSIONS", "RTT", "EXIT", "GATEWAYS", "VERSION"}}
	for _, g := range said.Agents {
		rtt := ""
		if g.RTT > 0 {
			rtt = fmt.Sprintf("%.1f ms", g.RTT)
		}
		rows = append(rows, []string{g.ID, g.Slug, g.Country, g.State, fmt.Sprint(g.Sessions), rtt, g.ExitIP, strings.Join(g.Gateways, ","), g.Version})
	}
	return table(os.Stdout, rows)
}

type sessions struct {
	Action string `arg:"" optional:"" help:"Default: list the running sessions. \"end\": end the one with this ID."`
	ID     string `arg:"" optional:"" help:"ID of the session to end."`

	gatewayFlags `embed:""`
	JSON         bool `name:"json" help:"Print the answer of GET /sessions."`
}

// Run prints the caller's running sessions, or ends one. At the admin address of
// a gateway these are everybody's.
func (s *sessions) Run(ctx context.Context) error {
	switch {
	case s.Action == "":
		return s.list(ctx)
	case s.Action != "end":
		return misusef("%q: not an action; write farwire sessions, or farwire sessions end ID", s.Action)
	case s.ID == "":
		return misuse("ID: missing; farwire sessions lists the running sessions, each with its ID")
	}
	var answer json.RawMessage
	if err := s.ask(ctx, http.MethodDelete, "/sessions/"+url.PathEscape(s.ID), &answer); err != nil {
		return err
	}
	if s.JSON {
		return printJSON(os.Stdout, answer)
	}
	_, err := fmt.Println("ended")
	return err
}

func (s *sessions) list(ctx context.Context) error {
	var answer json.RawMessage
	if err := s.ask(ctx, http.MethodGet, "/sessions", &answer); err != nil {
		return err
	}
	if s.JSON {
		return printJSON(os.Stdout, answer)
	}
	var said struct {
		Sessions []struct {
			ID, Kind, Subject, Agent, Target, Remote string
			Since                                    time.Time
			In                                       int64 `json:"bytes_in"`
			Out                                      int64 `json:"bytes_out"`
		}
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return fmt.Errorf("the gateway's answer cannot be read: %w", err)
	}
	rows := [][]string{{"ID", "KIND", "AGENT", "TARGET", "FOR", "IN", "OUT", "CLIENT", "SUBJECT"}}
	for _, r := range said.Sessions {
		rows = append(rows, []string{r.ID, r.Kind, r.Agent, r.Target, time.Since(r.Since).Round(time.Second).String(),
			fmt.Sprint(r.In), fmt.Sprint(r.Out), r.Remote, r.Subject})
	}
	if len(said.Sessions) == 0 || said.Sessions[0].Subject == "" { // the caller's own
		for i, row := range rows {
			rows[i] = row[:len(row)-1]
		}
	}
	return table(os.Stdout, rows)
}

type keygen struct {
	Name string `arg:"" optional:"" default:"key-1" help:"The subject: whose key it is."`
}

// Run prints a new key and, below it, the record that admits it. The key is
// nowhere else.
func (k *keygen) Run() error {
	if k.Name == "" {
		return misuse("NAME: empty; give whose key it is, or leave it out")
	}
	key := rand.Text()
	sum := sha256.Sum256([]byte(key))
	record, err := json.Marshal(struct {
		Name string `json:"name"`
		Hash string `json:"key_sha256"`
	}{k.Name, hex.EncodeToString(sum[:])})
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n%s\n", key, record)
	return err
}

type health struct {
	URL string `arg:"" optional:"" help:"The gateway's base. Default: FARWIRE_LISTEN, on loopback."`
}

// Run asks whether the gateway is ready. On loopback it does not verify a
// certificate, which is for other names.
func (h *health) Run(ctx context.Context) error {
	base := h.URL
	if base == "" {
		var err error
		if base, err = listenedURL(); err != nil {
			return err
		}
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return misuse("URL: not an address; give one such as http://" + defaultGatewayAddr)
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/readyz", nil)
	if err != nil {
		return misuse("URL: not an address; give one such as http://" + defaultGatewayAddr)
	}
	req.Header.Set("User-Agent", llmstxt.DefaultUserAgent)
	addr, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: local}}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the gateway at %s: %s", safetext.Printable(u.Host), reason(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // of a broken answer, what has come
		return fmt.Errorf("not ready: %s %s", resp.Status, safetext.Printable(strings.TrimSpace(string(body))))
	}
	return nil
}

// listenedURL is where a gateway of the same environment listens.
func listenedURL() (string, error) {
	listen := cmp.Or(os.Getenv(variable("listen")), defaultGatewayAddr)
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", misusef("%s: %q is not an address; give one such as %s", variable("listen"), listen, defaultGatewayAddr)
	}
	if port == "0" {
		return "", errors.New("the gateway picks its port (" + variable("listen") + "); give its URL")
	}
	switch addr, err := netip.ParseAddr(host); {
	case host == "":
		host = "127.0.0.1" // a container without a hosts file knows no localhost
	case err == nil && addr.IsUnspecified():
		host = map[bool]string{true: "127.0.0.1", false: "::1"}[addr.Is4()]
	}
	scheme := "http"
	if os.Getenv(variable("tls-cert")) != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}
