package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/safetext"
)

const (
	defaultGatewayAddr = "127.0.0.1:8080"

	// The gateway answers a connect message within 20 seconds.
	answerTimeout = 30 * time.Second
	// How long a target may be silent after our close frame.
	closeTimeout = 10 * time.Second
)

type relay struct {
	URL         string `arg:"" name:"url" help:"Target, ws:// or wss:// (http:// and https:// stand for them). Each agent answers ws://echo.farwire.alt itself, an echo."`
	Gateway     string `default:"ws://127.0.0.1:8080" placeholder:"URL" help:"The gateway."`
	Key         string `placeholder:"KEY" help:"API key or token."`
	Geo         string `placeholder:"CC,..." help:"Countries to leave through."`
	Agent       string `placeholder:"SLUG,..." help:"Agents to leave through."`
	Session     string `placeholder:"NAME" help:"Sticky session: relays with the same name leave through the same agent."`
	Header      lines  `placeholder:"'NAME: VALUE'" help:"A header for the target. May be given more than once; the variable has one a line."`
	Cookie      lines  `placeholder:"NAME=VALUE" help:"A cookie for the target. May be given more than once; the variable has one a line."`
	Subprotocol list   `placeholder:"NAME,..." help:"Subprotocols to offer."`
	Proxy       string `placeholder:"URL" help:"A proxy between the agent and the target: http://, https://, socks5:// or host:port."`
	Insecure    bool   `help:"Do not verify the target's certificate, where the gateway allows that."`
	Binary      bool   `help:"Send each line as a binary frame."`
}

// Run relays until either side closes. The status is 0 after code 1000 alone.
func (r *relay) Run(ctx context.Context) error {
	endpoint, err := r.endpoint()
	if err != nil {
		return err
	}
	message, err := r.message()
	if err != nil {
		return err
	}
	s, err := dialSocket(ctx, endpoint)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := r.connect(s, message); err != nil {
		return err
	}
	// Nothing can interrupt a read of standard input; this one ends with the
	// process.
	go r.sendLines(ctx, s)
	c, err := receive(s, os.Stdout)
	if err != nil {
		return err
	}
	return c.report()
}

// endpoint checks the flags and returns the address of the gateway's relay.
func (r *relay) endpoint() (*url.URL, error) {
	scheme, rest, _ := strings.Cut(strings.ToLower(strings.TrimSpace(r.URL)), "://")
	// http and https stand for ws and wss, here as at the gateway.
	if !slices.Contains([]string{"ws", "wss", "http", "https"}, scheme) || rest == "" {
		return nil, misuse("URL: not a WebSocket address; give one such as wss://example.com/path")
	}
	if err := checkKey(r.Key); err != nil {
		return nil, err
	}
	u, err := httpURL(r.Gateway, "ws")
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u, nil
}

// message is the connect message.
func (r *relay) message() ([]byte, error) {
	headers, err := pairs("--header", ":", "'Name: value'", r.Header)
	if err != nil {
		return nil, err
	}
	cookies, err := pairs("--cookie", "=", "name=value", r.Cookie)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Key          string            `json:"apiKey"`
		URL          string            `json:"url"`
		Geo          string            `json:"geo,omitempty"`
		Agent        string            `json:"agent,omitempty"`
		Session      string            `json:"session,omitempty"`
		Headers      map[string]string `json:"headers,omitempty"`
		Cookies      map[string]string `json:"cookies,omitempty"`
		Subprotocols []string          `json:"subprotocols,omitempty"`
		Proxy        string            `json:"proxy,omitempty"`
		Insecure     bool              `json:"insecure,omitempty"`
	}{r.Key, r.URL, r.Geo, r.Agent, r.Session, headers, cookies, r.Subprotocol, r.Proxy, r.Insecure})
}

// pairs reads flags of a name and a value each.
func pairs(flag, separator, form string, list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, item := range list {
		name, value, ok := strings.Cut(item, separator)
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch _, twice := out[name]; {
		case !ok || name == "":
			return nil, misusef("%s: %q has no name; write it as %s", flag, item, form)
		case twice:
			return nil, misusef("%s: %s is given twice; join its values in one", flag, name)
		}
		out[name] = value
	}
	return out, nil
}

// connect says what to relay and waits for the gateway's answer.
func (r *relay) connect(s *socket, message []byte) error {
	if err := s.send(opText, message); err != nil {
		return fmt.Errorf("the gateway closed the connection: %w", err)
	}
	late := time.AfterFunc(answerTimeout, func() { s.Close() })
	defer late.Stop()
	var first bytes.Buffer
	closed, err := s.message(&first)
	switch {
	case err != nil:
		return fmt.Errorf("no answer from the gateway: %w", err)
	case closed != nil:
		return closed.report()
	}
	var answer struct {
		Type    string   `json:"type"`
		Message string   `json:"message"`
		Node    string   `json:"node_id"`
		Ignored []string `json:"ignored"`
		refusal
	}
	if err := json.Unmarshal(first.Bytes(), &answer); err != nil {
		return errors.New("the server is not a farwire gateway: its first message is not JSON")
	}
	switch answer.Type {
	case "connected":
		fmt.Fprintf(os.Stderr, "connected through %s\n", safetext.Printable(answer.Node))
		if len(answer.Ignored) > 0 {
			fmt.Fprintf(os.Stderr, "left out, as they belong to the handshake: %s\n", escaped(strings.Join(answer.Ignored, ", ")))
		}
		return nil
	case "error":
		fmt.Fprintf(os.Stderr, "error: %s\n", safetext.Printable(answer.Message))
		answer.refusal.print(os.Stderr)
		if closed, err = s.message(io.Discard); err != nil || closed == nil {
			return errSilent
		}
		closed.report()
		return errSilent // whatever the code: nothing was relayed
	}
	return fmt.Errorf("the server is not a farwire gateway: its first message is of type %q", answer.Type)
}

// A refusal is what the target answered instead of opening the socket.
type refusal struct {
	Status  int            `json:"status"`
	Headers map[string]any `json:"headers"`
	Body    string         `json:"body"`
}

func (a refusal) print(w io.Writer) {
	if a.Headers == nil {
		return
	}
	fmt.Fprintf(w, "target: %s\n", strings.TrimSpace(fmt.Sprint(a.Status, " ", http.StatusText(a.Status))))
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		values, ok := a.Headers[name].([]any)
		if !ok {
			values = []any{a.Headers[name]}
		}
		for _, v := range values {
			fmt.Fprintf(w, "target: %s: %s\n", escaped(name), escaped(fmt.Sprint(v)))
		}
	}
	for line := range strings.Lines(a.Body) {
		fmt.Fprintf(w, "target: %s\n", escaped(strings.TrimRight(line, "\r\n")))
	}
}

// escaped escapes what could command the terminal: the text is the target's.
func escaped(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// sendLines sends standard input, and a close frame at its end or when ctx ends.
func (r *relay) sendLines(ctx context.Context, s *socket) {
	stop := context.AfterFunc(ctx, func() { s.sendClose(1000) })
	defer stop()
	kind := byte(opText)
	if r.Binary {
		kind = opBinary
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 || err == nil {
			if kind == opText && !utf8.Valid(line) {
				fmt.Fprintln(os.Stderr, "error: a line is not UTF-8; --binary sends lines as they are")
				s.sendClose(1007)
				return
			}
			if s.send(kind, line) != nil {
				return // receive finds out why
			}
		}
		if err != nil {
			s.sendClose(1000)
			return
		}
	}
}

// receive writes each message and a newline, until the close frame.
func receive(s *socket, w io.Writer) (*closing, error) {
	out := bufio.NewWriter(w)
	for {
		closed, err := s.message(out)
		if err == nil && closed == nil {
			out.WriteByte('\n') // an error comes out at the flush
		}
		if err := out.Flush(); err != nil {
			s.sendClose(1001)
			return nil, fmt.Errorf("standard output: %w", err)
		}
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, "closed: 1006, the connection was lost without a close frame")
			return nil, errSilent
		case closed != nil:
			return closed, nil
		}
	}
}

// report prints a close frame; it returns an error unless the code is 1000.
func (c *closing) report() error {
	switch {
	case c.reason != "":
		// The reason is the target's: quoted, it cannot command the terminal.
		fmt.Fprintf(os.Stderr, "closed: %d %q\n", c.code, c.reason)
	case c.code == 1005:
		fmt.Fprintln(os.Stderr, "closed: 1005, the close frame had no code")
	default:
		fmt.Fprintf(os.Stderr, "closed: %d\n", c.code)
	}
	if c.code != 1000 {
		return errSilent
	}
	return nil
}
