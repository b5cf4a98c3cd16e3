package farwire

import (
	"bytes"
	"encoding/json"
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

	"github.com/farwire/farwire/internal/fault"
)

// fields is a request's JSON object, read more exactly than encoding/json
// reads it: names are matched as they are written, a name that comes twice is
// refused, and null is the same as absent. Names nobody asks for are ignored.
//
// The first field that has the wrong form is kept in err, so that a caller
// reads all its fields and then looks once.
type fields struct {
	raw map[string]json.RawMessage
	err error
}

// A member is one name of an object with its value, in the order sent.
type member struct{ name, value string }

// readFields reads one JSON object and nothing behind it.
func readFields(b []byte) (*fields, error) {
	if !utf8.Valid(b) {
		return nil, fault.Invalidf("the message is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	f := &fields{raw: make(map[string]json.RawMessage)}
	err := eachMember(dec, func(name string) error {
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return err
		}
		if err := noDuplicates(v); err != nil {
			return err
		}
		if string(v) != "null" {
			f.raw[name] = v
		}
		return nil
	})
	if err == nil {
		if _, err = dec.Token(); err == io.EOF {
			return f, nil
		}
		err = fault.Invalidf("the message is more than one JSON object")
	}
	if fault.Of(err) != nil {
		return nil, err
	}
	return nil, fault.Invalidf("the message is not valid JSON")
}

// eachMember walks one object; read must consume the value of the name given.
func eachMember(dec *json.Decoder, read func(name string) error) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fault.Invalidf("the message is not a JSON object")
	}
	seen := make(map[string]bool)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name := t.(string) // the decoder gives nothing else here
		if seen[name] {
			return fault.Invalidf("%q is given twice", clip(name))
		}
		seen[name] = true
		if err := read(name); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// noDuplicates refuses a name that comes twice in any object inside v, which is
// valid JSON. It takes one pass: one that began anew at every level would be
// kept busy for half a minute by a message of thousands of levels, and such a
// message needs no key.
func noDuplicates(v json.RawMessage) error {
	type level struct {
		object bool
		name   bool // the next token is one
		names  map[string]bool
	}
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber() // a number that no float holds is one all the same
	var open []level
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if t == json.Delim('}') || t == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 && open[len(open)-1].object {
			in := &open[len(open)-1]
			if in.name {
				name := t.(string) // the decoder gives nothing else here
				if in.names[name] {
					return fault.Invalidf("%q is given twice", clip(name))
				}
				if in.names == nil {
					in.names = make(map[string]bool)
				}
				in.names[name] = true
			}
			in.name = !in.name
		}
		if t == json.Delim('{') || t == json.Delim('[') {
			object := t == json.Delim('{')
			open = append(open, level{object: object, name: object})
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
	if err := json.Unmarshal(raw, v); err != nil {
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
	var n json.Number
	raw, ok := f.raw[name]
	if !ok {
		return def
	}
	if raw[0] == '"' || json.Unmarshal(raw, &n) != nil {
		f.refuse(name, "must be "+want)
		return def
	}
	v, err := strconv.Atoi(n.String())
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
	dec := json.NewDecoder(bytes.NewReader(raw))
	err := eachMember(dec, func(key string) error {
		var v *string
		if err := dec.Decode(&v); err != nil {
			return err
		}
		if v != nil {
			out = append(out, member{key, *v})
		}
		return nil
	})
	if err != nil {
		f.refuse(name, "must be an object of strings")
	}
	return out
}

// key reads the caller's key, under either of its names.
func (f *fields) key() string {
	if k := f.text("apiKey", ""); k != "" {
		return k
	}
	return f.text("key", "")
}

// clip shortens what a caller sent for an error text.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// readAsk reads a JSON body within the limits of size and time.
func readAsk(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return nil, fault.Newf(fault.UnsupportedMedia, "the body must be JSON and say so; add the header Content-Type: application/json (it is %s)", clip(t))
		}
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
	case isTimeout(err):
		return nil, fault.Invalidf("the body did not come within %v", askTimeout)
	}
	return nil, fault.Invalidf("the body could not be read")
}
