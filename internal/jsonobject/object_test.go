package jsonobject_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
)

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestRead_Forms_RefusedByName(t *testing.T) {
	for _, c := range []struct{ message, want string }{ // want: in the refusal; empty: read
		{`{}`, ""},
		{" \t\r\n{\"a\" : 1 , \"b\":[{}] }\n ", ""},
		{`{"a":1,"A":2}`, ""}, // names are matched as they are written
		{``, "not valid JSON"},
		{`{"a":1`, "not valid JSON"},
		{`{"a":01}`, "not valid JSON"},
		{`{'a':1}`, "not valid JSON"},
		{`{"a":1,}`, "not valid JSON"},
		{`[]`, "not a JSON object"},
		{`"text"`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`{}{}`, "more than one JSON object"},
		{`{} x`, "more than one JSON object"},
		{"{\"a\":\"\xff\"}", "not UTF-8"},
		{`{"a":1,"a":2}`, `"a" is given twice`},
		{`{"a":1,"\u0061":2}`, `"a" is given twice`},
		{`{"x":{"y":[{"a":1,"a":2}]}}`, `"a" is given twice`},
		{`{` + names(64) + `}`, ""},
		{`{` + names(65) + `}`, "the message has more than 64 names"},
		{`{"x":{` + names(65) + `}}`, "x has more than 64 names"},
		{`{"headers":{` + names(100) + `}}`, ""},
		{`{"headers":{` + names(101) + `}}`, "headers has more than 100 names"},
		{`{"bindings":[{"arguments":{` + names(101) + `}}]}`, "arguments has more than 100 names"},
		{`{"a":` + strings.Repeat("[", 7) + strings.Repeat("]", 7) + `}`, ""},
		{`{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`, "at most 8 levels"},
	} {
		_, err := jsonobject.Read([]byte(c.message))
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !fault.Is(err, fault.BadRequest)) {
			t.Errorf("%.60q: %v, want %q", c.message, err, c.want)
		}
	}
}

func TestObject_Fields_OfTheirTypes(t *testing.T) {
	o, err := jsonobject.Read([]byte(`{"text":"a\u00e9","yes":true,"n":7,"s":1.5,"list":["a","b"],"pairs":{"B":"1","a":"2","c":null},"gone":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Text("text", ""); got != "aé" {
		t.Errorf("text %q", got)
	}
	if !o.Bool("yes", false) || !o.Bool("missing", true) {
		t.Error("a bool is another")
	}
	if got := o.Int("n", 1, 0, 10); got != 7 {
		t.Errorf("number %d", got)
	}
	if got := o.Seconds("s"); got != 1500*time.Millisecond {
		t.Errorf("seconds %v", got)
	}
	if got := o.Strings("list", 100); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("list %q", got)
	}
	if got := o.Pairs("pairs"); !slices.Equal(got, []jsonobject.Member{{Name: "B", Value: "1"}, {Name: "a", Value: "2"}}) {
		t.Errorf("pairs %q, want them in the order sent and without null", got)
	}
	if _, there := o.Raw("gone"); there || o.Text("gone", "default") != "default" {
		t.Error("null is not the same as absent")
	}
	if raw, there := o.Raw("list"); !there || string(raw) != `["a","b"]` {
		t.Errorf("raw %s", raw)
	}
	if o.Err != nil {
		t.Error(o.Err)
	}
}

func TestObject_WrongType_FirstIsKept(t *testing.T) {
	for _, c := range []struct {
		value string
		read  func(*jsonobject.Object)
		want  string
	}{
		{`1`, func(o *jsonobject.Object) { o.Text("f", "") }, "f must be a string"},
		{`"true"`, func(o *jsonobject.Object) { o.Bool("f", false) }, "f must be true or false"},
		{`"7"`, func(o *jsonobject.Object) { o.Int("f", 1, 0, 10) }, "f must be a whole number from 0 to 10"},
		{`7.5`, func(o *jsonobject.Object) { o.Int("f", 1, 0, 10) }, "f must be a whole number from 0 to 10"},
		{`11`, func(o *jsonobject.Object) { o.Int("f", 1, 0, 10) }, "f must be a whole number from 0 to 10"},
		{`0`, func(o *jsonobject.Object) { o.Int("f", 1, 1, math.MaxInt) }, "f must be a whole number, at least 1"},
		{`"1"`, func(o *jsonobject.Object) { o.Seconds("f") }, "f must be a number of seconds"},
		{`-1`, func(o *jsonobject.Object) { o.Seconds("f") }, "f must be a number of seconds, zero or more"},
		{`"a"`, func(o *jsonobject.Object) { o.Strings("f", 100) }, "f must be an array of strings"},
		{`["a",null]`, func(o *jsonobject.Object) { o.Strings("f", 100) }, "f must be an array of strings"},
		{`["a"]`, func(o *jsonobject.Object) { o.Pairs("f") }, "f must be an object of strings"},
		{`{"a":1}`, func(o *jsonobject.Object) { o.Pairs("f") }, "f must be an object of strings"},
	} {
		o, err := jsonobject.Read([]byte(`{"f":` + c.value + `}`))
		if err != nil {
			t.Fatal(err)
		}
		c.read(o)
		o.Refuse("later", "is wrong too")
		if o.Err == nil || o.Err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.value, o.Err, c.want)
		}
	}
}

func TestUnmarshalStrict_TypingErrors_Refused(t *testing.T) {
	type inner struct {
		N *int `json:"n"`
	}
	for _, c := range []struct{ text, want string }{
		{`{"name":"a","inner":{"n":1}}`, ""},
		{`{}`, ""},
		{`{"Name":"a"}`, `"Name" is not one of the names here`},
		{`{"inner":{"m":1}}`, `"m" is not one of the names here`},
		{`{"name":1}`, "name has the wrong type; it must be a string"},
		{`{"name":["a"]}`, "name has the wrong type; it must be a string"},
		{`{"inner":{"n":"1"}}`, "inner/n has the wrong type; it must be a whole number"},
		{`{"inner":{"n":1.5}}`, "inner/n has the wrong type; it must be a whole number"},
		{`{"inner":{"n":1e30}}`, "inner/n has the wrong type; it must be a whole number"},
		{`{"inner":[]}`, "inner has the wrong type; it must be an object"},
		{`{"rate":"1"}`, "rate has the wrong type; it must be a number"},
		{`{"on":"true"}`, "on has the wrong type; it must be true or false"},
		{`{"list":"a"}`, "list has the wrong type; it must be a list"},
		{`{"list":[1]}`, "list/0 has the wrong type; it must be a string"},
		{`[]`, "the value has the wrong type; it must be an object"},
		{`{"name":null}`, "name is null; leave it out"},
		{`{"inner":{"n":null}}`, "inner/n is null; leave it out"},
		{`{"name":"a","name":"b"}`, `"name" is given twice`},
		{`{"name":`, "not valid JSON"},
	} {
		var v struct {
			Name  string   `json:"name"`
			Inner inner    `json:"inner"`
			Rate  *float64 `json:"rate"`
			On    bool     `json:"on"`
			List  []string `json:"list"`
		}
		err := jsonobject.UnmarshalStrict([]byte(c.text), &v)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

func TestDuration_FloatSeconds_IsBounded(t *testing.T) {
	const forever = 100 * 365 * 24 * time.Hour
	for _, c := range []struct {
		seconds float64
		want    time.Duration
		ok      bool
	}{
		{0, 0, true}, {1.5, 1500 * time.Millisecond, true}, {1e-12, 1, true}, {math.MaxFloat64, forever, true},
		{math.Inf(1), forever, true}, {-0.1, 0, false}, {math.NaN(), 0, false},
	} {
		if d, ok := jsonobject.Duration(c.seconds); d != c.want || ok != c.ok {
			t.Errorf("%v: %v %v, want %v %v", c.seconds, d, ok, c.want, c.ok)
		}
	}
}

// FuzzRead reads anything. What is read is to encoding/json the object that it is here,
// and every refusal can be shown.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"url":"wss://a","headers":{"a":"b"},"idle_timeout":1e3}`, `{"a":null,"b":["x"],"c":{"d":[{}]}}`, `[1]`, `{"a":1,"a":2}`, "{\"\\u0000\":\"\\ud800\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		o, err := jsonobject.Read(message)
		if err != nil {
			if s := err.Error(); s == "" || len(s) > 600 || !utf8.ValidString(s) || !fault.Is(err, fault.BadRequest) {
				t.Fatalf("a refusal that cannot be shown: %q", s)
			}
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(message, &want); err != nil {
			t.Fatalf("read %q, which encoding/json refuses: %v", message, err)
		}
		maps.DeleteFunc(want, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" })
		for name, value := range want {
			raw, there := o.Raw(name)
			if !there || string(raw) != string(value) {
				t.Fatalf("%q is %q, want %q", name, raw, value)
			}
			var text *string
			if json.Unmarshal(value, &text) == nil && o.Text(name, "") != *text {
				t.Fatalf("%q is the text %q, want %q", name, o.Text(name, ""), *text)
			}
			o.Int(name, 0, 0, math.MaxInt)
			o.Strings(name, 100)
			o.Pairs(name)
			if d := o.Seconds(name); d < 0 {
				t.Fatalf("%q is %v", name, d)
			}
		}
	})
}
