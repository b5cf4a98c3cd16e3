package egress

import "bytes"

// A headWatch reads along the head of an answer of HTTP/1.1 for its end, for its Connection
// fields, and for whether its body comes in chunks. Package net/http takes all of them out when one of them says "close", and with
// them the names of further fields that belong to the connection alone (RFC 9110,
// section 7.6.1). The zero value waits for a head; it keeps no more than those
// fields and a line that is incomplete.
type headWatch struct {
	line    []byte   // incomplete
	fields  []string // values of Connection so far
	status  bool     // the first line has come
	interim bool     // the status is 1xx: another head follows
	inside  bool     // the line before was of a Connection field
	chunked bool
	done    bool
}

// take reads what came next, and returns what is behind the head.
func (h *headWatch) take(b []byte) []byte {
	for !h.done {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			h.line = append(h.line, b...)
			return nil
		}
		if len(h.line) > 0 {
			line = append(h.line, line...)
		}
		h.read(bytes.TrimSuffix(line, []byte("\r")))
		h.line, b = h.line[:0], rest
	}
	h.line = nil
	return b
}

// read reads one line, without its end.
func (h *headWatch) read(line []byte) {
	switch {
	case !h.status:
		_, code, _ := bytes.Cut(line, []byte(" "))
		h.status, h.interim = true, len(code) > 0 && code[0] == '1' && !bytes.HasPrefix(code, []byte("101"))
	case len(line) == 0 && h.interim:
		*h = headWatch{line: h.line}
	case len(line) == 0:
		h.done = true
	case line[0] == ' ' || line[0] == '\t': // goes on with the line before (section 5.2 of RFC 9112)
		if h.inside {
			h.fields[len(h.fields)-1] += string(line)
		}
	default:
		name, value, _ := bytes.Cut(line, []byte(":"))
		if h.inside = bytes.EqualFold(name, []byte("Connection")); h.inside {
			h.fields = append(h.fields, string(bytes.Trim(value, " \t")))
		}
		if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			h.chunked = true // net/http takes no other one
		}
	}
}
