// Package jsonobject reads what clients send before anybody knows who they are: one
// JSON object, counted before anything is done for it.
package jsonobject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/farwire/farwire/internal/fault"
)

// An Object is what a client sends: a JSON object. Names are matched as they are written, a
// name that comes twice is refused at any depth, and null is the same as
// absent. Names that nobody asks for are ignored.
//
// The first field that has the wrong form is kept in Err, so that a caller
// reads all its fields and then looks once.
type Object struct {
	raw map[string]jsontext.Value

	// Err is the first complaint; nil: none.
	Err error
}

// A Member is one name of an object with its value, in the order sent.
type Member struct{ Name, Value string }

// What a request may hold. It is counted before anything is done for it,
// because it needs no key.
const (
	maxNames       = 64  // in an object
	maxNamesInside = 100 // in headers, cookies and arguments
	maxLevels      = 8   // the outermost object is one
)

// Read reads one JSON object and nothing behind it, in one pass.
func Read(b []byte) (*Object, error) {
	if !utf8.Valid(b) {
		return nil, fault.Invalidf("the message is not UTF-8")
	}
	o := &Object{raw: make(map[string]jsontext.Value)}
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, Error(err)
		}
		return nil, fault.Invalidf("the message is not a JSON object")
	}
	if err := o.scan(dec, b); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, fault.Invalidf("the message is more than one JSON object")
	}
	return o, nil
}

// scan walks all tokens of an object, counts them, and keeps its members.
func (o *Object) scan(dec *jsontext.Decoder, b []byte) error {
	var name string // of the last member of the outermost object
	var begin int64 // where its value begins
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return Error(err)
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
			o.keep(name, b[begin:dec.InputOffset()])
		}
	}
}

// keep stores a member's value, which stands behind a colon and blanks.
func (o *Object) keep(name string, raw []byte) {
	raw = bytes.TrimLeft(raw, ": \t\r\n")
	if string(raw) != "null" && len(raw) > 0 {
		o.raw[name] = raw
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

// Error says in a caller's words what is wrong with JSON.
func Error(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case fault.Of(err) != nil:
		return err
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return fault.Invalidf("%q is given twice", fault.Clip(syntax.JSONPointer.LastToken()))
	}
	return fault.Invalidf("the message is not valid JSON")
}

// UnmarshalStrict reads an object in which a typing error must not pass: an
// unknown name and a null are errors.
func UnmarshalStrict(raw jsontext.Value, v any) error {
	err := json.Unmarshal(raw, v, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return fault.Invalidf("%q is not one of the names here", fault.Clip(semantic.JSONPointer.LastToken()))
	case errors.As(err, &semantic):
		return fault.Invalidf("%s has the wrong type%s", place(semantic.JSONPointer), wanted(semantic.GoType))
	case err != nil:
		return Error(err)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := dec.ReadToken()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return Error(err)
		case t.Kind() == 'n':
			return fault.Invalidf("%s is null; leave it out", place(dec.StackPointer()))
		}
	}
}

// wanted says which JSON a Go type is read from.
func wanted(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		return "; it must be a string"
	case reflect.Bool:
		return "; it must be true or false"
	case reflect.Int, reflect.Int64:
		return "; it must be a whole number"
	case reflect.Float64:
		return "; it must be a number"
	case reflect.Slice:
		return "; it must be a list"
	case reflect.Struct, reflect.Map:
		return "; it must be an object"
	}
	return ""
}

// place names what stands at p.
func place(p jsontext.Pointer) string {
	if p == "" {
		return "the value"
	}
	return fault.Clip(strings.TrimPrefix(string(p), "/"))
}

// Raw returns the value of the named field as it was sent; false: it is not there, or
// null.
func (o *Object) Raw(name string) (jsontext.Value, bool) {
	raw, ok := o.raw[name]
	return raw, ok
}

// read decodes the named field into v; it reports whether it is there and of
// the right type.
func (o *Object) read(name, want string, v any) bool {
	raw, ok := o.raw[name]
	if !ok {
		return false
	}
	if json.Unmarshal(raw, v) != nil {
		o.Refuse(name, "must be "+want)
		return false
	}
	return true
}

// Refuse keeps the first complaint.
func (o *Object) Refuse(name, why string) {
	if o.Err == nil {
		o.Err = fault.Invalidf("%s %s", name, why)
	}
}

// Text reads a string.
func (o *Object) Text(name, def string) string {
	v := def
	o.read(name, "a string", &v)
	return v
}

// Bool reads true or false.
func (o *Object) Bool(name string, def bool) bool {
	v := def
	o.read(name, "true or false", &v)
	return v
}

// Int reads a whole number between low and high.
func (o *Object) Int(name string, def, low, high int) int {
	raw, ok := o.raw[name]
	if !ok {
		return def
	}
	v, err := strconv.Atoi(string(raw)) // a JSON string begins with a quote
	if err != nil || v < low || v > high {
		want := fmt.Sprintf("a whole number from %d to %d", low, high)
		if high == math.MaxInt {
			want = fmt.Sprintf("a whole number, at least %d", low)
		}
		o.Refuse(name, "must be "+want)
		return def
	}
	return v
}

// Seconds reads a number of seconds, zero or more, as a duration.
func (o *Object) Seconds(name string) time.Duration {
	var v float64
	if !o.read(name, "a number of seconds", &v) {
		return 0
	}
	d, ok := Duration(v)
	if !ok {
		o.Refuse(name, "must be a number of seconds, zero or more")
	}
	return d
}

// forever is longer than anybody waits, and short enough that a time can be
// added to it.
const forever = 100 * 365 * 24 * time.Hour

// Duration turns float seconds into a duration. More than forever is forever; a
// fraction below a nanosecond is one nanosecond, because zero would mean none.
func Duration(v float64) (time.Duration, bool) {
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

// Strings reads an array of strings, of one that has more than most no more than one
// beyond them.
func (o *Object) Strings(name string, most int) []string {
	const want = "must be an array of strings"
	var out []string
	for _, raw := range o.Values(name, want, most) {
		var s string
		if raw.Kind() != '"' || json.Unmarshal(raw, &s) != nil {
			o.Refuse(name, want)
			return nil
		}
		out = append(out, s)
	}
	return out
}

// Values reads the values of an array, of one that has more than most no more than one
// beyond them. Why is the complaint about what is not an array.
func (o *Object) Values(name, why string, most int) []jsontext.Value {
	raw, ok := o.raw[name]
	if !ok {
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if dec.PeekKind() != '[' {
		o.Refuse(name, why)
		return nil
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil // it has been read before: no error is left
	}
	var out []jsontext.Value
	for len(out) <= most && dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return nil
		}
		out = append(out, v.Clone())
	}
	return out
}

// Pairs reads an object of strings in the order sent.
func (o *Object) Pairs(name string) []Member {
	raw, ok := o.raw[name]
	if !ok {
		return nil
	}
	var out []Member
	var v *string
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if dec.PeekKind() != '{' {
		o.Refuse(name, "must be an object of strings")
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
			o.Refuse(name, "must be an object of strings")
			return nil
		}
		if v != nil {
			out = append(out, Member{key, *v})
		}
	}
}
