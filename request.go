package farwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/farwire/farwire/internal/fault"
)

// fields is a request's JSON object. Names are matched as they are written, a
// name that comes twice is refused at any depth, and null is the same as
// absent. Names that nobody asks for are ignored.
//
// The first field that has the wrong form is kept in err, so that a caller
// reads all its fields and then looks once.
type fields struct {
	raw map[string]jsontext.Value
	err error
}

// A member is one name of an object with its value, in the order sent.
type member struct{ name, value string }

// What a request may hold. It is counted before anything is done for it,
// because it needs no key.
const (
	maxNames        = 64  // in an object
	maxNamesInside  = 100 // in headers, cookies and arguments
	maxLevels       = 8   // the outermost object is one
	maxHeaders      = 100 // headers and cookies together
	maxSubprotocols = 32
)

// readFields reads one JSON object and nothing behind it, in one pass.
func readFields(b []byte) (*fields, error) {
	if !utf8.Valid(b) {
		return nil, fault.Invalidf("the message is not UTF-8")
	}
	f := &fields{raw: make(map[string]jsontext.Value)}
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, plainJSONError(err)
		}
		return nil, fault.Invalidf("the message is not a JSON object")
	}
	if err := f.scan(dec, b); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, fault.Invalidf("the message is more than one JSON object")
	}
	return f, nil
}

// scan walks all tokens of an object, counts them, and keeps its members.
func (f *fields) scan(dec *jsontext.Decoder, b []byte) error {
	var name string // of the last member of the outermost object
	var begin int64 // where its value begins
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return plainJSONError(err)
		}
		depth := dec.StackDepth()
		switch t.Kind() {
		case '{', '[':
			if depth > maxLevels {
				return fault.Invalidf("the message is nested too deep: at most %d levels are read", maxLevels)
			}
			continue
		case '}', ']':
		default:
			if kind, n := dec.StackIndex(depth); kind == '{' && n%2 == 1 { // a name
				if depth == 1 {
					name, begin = t.String(), dec.InputOffset()
				}
				if most := namesAllowed(depth, name); n/2+1 > int64(most) {
					return fault.Invalidf("%s has more than %d names", objectName(depth, name), most)
				}
				continue
			}
		}
		switch depth {
		case 0:
			return nil
		case 1:
			f.keep(name, b[begin:dec.InputOffset()])
		}
	}
}

// keep stores a member's value, which stands behind a colon and blanks.
func (f *fields) keep(name string, raw []byte) {
	raw = bytes.TrimLeft(raw, ": \t\r\n")
	if string(raw) != "null" && len(raw) > 0 {
		f.raw[name] = raw
	}
}

// namesAllowed returns how many names an object at a depth may have, below a
// member of the outermost one.
func namesAllowed(depth int, name string) int {
	switch {
	case depth == 1:
		return maxNames
	case name == "headers", name == "cookies", name == "arguments", name == "bindings":
		return maxNamesInside
	}
	return maxNames
}

func objectName(depth int, name string) string {
	switch {
	case depth == 1:
		return "the message"
	case name == "bindings":
		return "arguments"
	}
	return fault.Clip(name)
}

// plainJSONError says in a caller's words what is wrong with JSON.
func plainJSONError(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case fault.Of(err) != nil:
		return err
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return fault.Invalidf("%q is given twice", fault.Clip(syntax.JSONPointer.LastToken()))
	}
	return fault.Invalidf("the message is not valid JSON")
}

// unmarshalStrict reads an object in which a typing error must not pass: an
// unknown name and a null are errors.
func unmarshalStrict(raw jsontext.Value, v any) error {
	err := json.Unmarshal(raw, v, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return fault.Invalidf("%q is not one of the names here", fault.Clip(semantic.JSONPointer.LastToken()))
	case errors.As(err, &semantic):
		return fault.Invalidf("%s has the wrong type", fault.Clip(strings.TrimPrefix(string(semantic.JSONPointer), "/")))
	case err != nil:
		return plainJSONError(err)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := dec.ReadToken()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return plainJSONError(err)
		case t.Kind() == 'n':
			return fault.Invalidf("%s is null; leave it out", fault.Clip(strings.TrimPrefix(string(dec.StackPointer()), "/")))
		}
	}
}

// read decodes the named field into v; it reports whether it is there and of
// the right type.
func (f *fields) read(name, want string, v any) bool {
	raw, ok := f.raw[name]
	if !ok {
		return false
	}
	if json.Unmarshal(raw, v) != nil {
		f.refuse(name, "must be "+want)
		return false
	}
	return true
}

// refuse keeps the first complaint.
func (f *fields) refuse(name, why string) {
	if f.err == nil {
		f.err = fault.Invalidf("%s %s", name, why)
	}
}

func (f *fields) text(name, def string) string {
	v := def
	f.read(name, "a string", &v)
	return v
}

func (f *fields) boolean(name string, def bool) bool {
	v := def
	f.read(name, "true or false", &v)
	return v
}

// integer reads a whole number between low and high.
func (f *fields) integer(name string, def, low, high int) int {
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	if high == math.MaxInt {
		want = fmt.Sprintf("a whole number, at least %d", low)
	}
	raw, ok := f.raw[name]
	if !ok {
		return def
	}
	v, err := strconv.Atoi(string(raw)) // a JSON string begins with a quote
	if err != nil || v < low || v > high {
		f.refuse(name, "must be "+want)
		return def
	}
	return v
}

// seconds reads a number of seconds, zero or more, as a duration.
func (f *fields) seconds(name string) time.Duration {
	var v float64
	if !f.read(name, "a number of seconds", &v) {
		return 0
	}
	d, ok := seconds(v)
	if !ok {
		f.refuse(name, "must be a number of seconds, zero or more")
	}
	return d
}

// forever is longer than anybody waits, and short enough that a time can be
// added to it.
const forever = 100 * 365 * day

// seconds turns float seconds into a duration. More than forever is forever; a
// fraction below a nanosecond is one nanosecond, because zero would mean none.
func seconds(v float64) (time.Duration, bool) {
	switch {
	case math.IsNaN(v) || v < 0:
		return 0, false
	case v == 0:
		return 0, true
	case v >= forever.Seconds():
		return forever, true
	}
	return max(1, time.Duration(v*float64(time.Second))), true
}

// list reads an array of strings.
func (f *fields) list(name string) []string {
	var v []string
	raw, ok := f.raw[name]
	if !ok {
		return nil
	}
	var items []*string // a null inside is no string
	if json.Unmarshal(raw, &items) != nil {
		f.refuse(name, "must be an array of strings")
		return nil
	}
	for _, s := range items {
		if s == nil {
			f.refuse(name, "must be an array of strings")
			return nil
		}
		v = append(v, *s)
	}
	return v
}

// pairs reads an object of strings in the order sent.
func (f *fields) pairs(name string) []member {
	raw, ok := f.raw[name]
	if !ok {
		return nil
	}
	var out []member
	var v *string
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if dec.PeekKind() != '{' {
		f.refuse(name, "must be an object of strings")
		return nil
	}
	for {
		t, err := dec.ReadToken()
		if err != nil || t.Kind() == '}' {
			return out // it has been read before: no error is left
		}
		if t.Kind() == '{' {
			continue
		}
		key := t.String()
		if v = nil; json.UnmarshalDecode(dec, &v) != nil {
			f.refuse(name, "must be an object of strings")
			return nil
		}
		if v != nil {
			out = append(out, member{key, *v})
		}
	}
}

// key reads the caller's key, under either of its names.
func (f *fields) key() string {
	if k := f.text("apiKey", ""); k != "" {
		return k
	}
	return f.text("key", "")
}

// readAsk reads a JSON body within the limits of size and time.
func readAsk(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		// Its parameters are not looked at: 64 KiB of them cost 31 ms.
		media, _, err := mime.ParseMediaType(firstPart(t))
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return nil, fault.Newf(fault.UnsupportedMedia, "the body must be JSON and say so; add the header Content-Type: application/json (it is %s)", fault.Clip(t))
		}
	}
	if r.ContentLength > askLimit {
		// Else net/http waits for the body before it answers.
		w.Header().Set("Connection", "close")
		return nil, fault.New(fault.TooLarge, "the body is larger than 64 KiB")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, fault.New(fault.UnsupportedMedia, "the body must come without a Content-Encoding")
	}
	rc := http.NewResponseController(w)
	// A writer without deadlines leaves the time to the server's own limits.
	_ = rc.SetReadDeadline(time.Now().Add(askTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, askLimit))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_ = rc.SetReadDeadline(time.Time{})
		return body, nil
	// Otherwise the deadline stands: net/http wants the rest of the body before
	// it sends an answer.
	case errors.As(err, &large):
		return nil, fault.New(fault.TooLarge, "the body is larger than 64 KiB")
	case fault.IsTimeout(err):
		return nil, fault.Invalidf("the body did not come within %v", askTimeout)
	}
	return nil, fault.Invalidf("the body could not be read")
}

// firstPart is what stands before the first semicolon.
func firstPart(s string) string {
	before, _, _ := strings.Cut(s, ";")
	return before
}
