package upstream

import (
	"bufio"
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// Of the answers that accept an upgrade nearly all are the same few lines in one packet.
// Those are read here, for half of what net/http takes; whatever is written otherwise
// is left to net/http, so that nothing is accepted that it refuses, or read in another
// way than it does.

// switched reads the head of a 101 that has come whole. It takes nothing, and returns
// nil, where the head is anything but plain.
func switched(br *bufio.Reader) http.Header {
	if _, err := br.Peek(1); err != nil {
		return nil // net/http says it in its words
	}
	b, err := br.Peek(br.Buffered())
	if err != nil {
		return nil
	}
	h, size := parseSwitch(b)
	if h == nil {
		return nil
	}
	if _, err := br.Discard(size); err != nil {
		return nil
	}
	return h
}

// parseSwitch returns the fields of a plain 101 at the beginning of b, and where it ends.
func parseSwitch(b []byte) (h http.Header, size int) {
	const accepted = "HTTP/1.1 101 "
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 || !bytes.HasPrefix(b, []byte(accepted)) {
		return nil, 0
	}
	status, rest, _ := strings.Cut(string(b[:end]), "\r\n")
	if !plain(status) {
		return nil, 0
	}
	n := strings.Count(rest, "\r\n") + 1
	h = make(http.Header, n)
	values := make([]string, n) // of all fields, one behind the other
	for line := range strings.SplitSeq(rest, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if name = canonical(name); !ok || name == "" || !plain(value) {
			return nil, 0
		}
		value = textproto.TrimString(value)
		if name == "Connection" && !strings.EqualFold(value, "upgrade") {
			return nil, 0
		}
		if already := h[name]; already != nil {
			h[name] = append(already, value)
			continue
		}
		values[0] = value
		h[name], values = values[:1:1], values[1:]
	}
	return h, end + 4
}

// plain reports whether each byte is printable.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}

// canonical is a field's name as net/http writes it; empty where that knows a meaning of
// it in an answer, or when it is not made of letters, digits and hyphens.
func canonical(name string) string {
	for i := range len(name) {
		if c := name[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return ""
		}
	}
	for _, known := range []string{acceptField, protocolField, extensionsField} { // without a copy
		if strings.EqualFold(name, known) {
			return known
		}
	}
	switch name = textproto.CanonicalMIMEHeaderKey(name); name {
	case "Content-Length", "Pragma", "Trailer", "Transfer-Encoding":
		return ""
	}
	return name
}

// The handshake's fields (RFC 6455, section 11.3) as net/http writes them.
const (
	acceptField     = "Sec-Websocket-Accept"
	protocolField   = "Sec-Websocket-Protocol"
	extensionsField = "Sec-Websocket-Extensions"
)
