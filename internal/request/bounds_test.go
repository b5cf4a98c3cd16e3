package request_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/request"
)

// readAMQP reads the fields of an AMQP request beside its host.
func readAMQP(fields, lastEventID string) (*request.AMQP, error) {
	f, err := request.Read([]byte(`{"host":"a.test",` + fields + `}`))
	if err != nil {
		return nil, err
	}
	return f.AMQP(lastEventID, request.AMQPLimits{})
}

// Each text and list of an AMQP request is bounded, to the one.
func TestAMQP_Bounds_RefusedBeyond(t *testing.T) {
	short, long := strings.Repeat("a", 255), strings.Repeat("a", 256)
	inBindings := func(fields string) string { return `"bindings":[{"exchange":"x"},{` + fields + `}]` }
	for _, c := range []struct{ accepted, refused, why string }{
		{`"virtual_host":"` + short + `"`, `"virtual_host":"` + long + `"`, "virtual_host must be at most 255 bytes"},
		{`"queue":"` + short + `"`, `"queue":"` + long + `"`, "queue must be at most 255 bytes"},
		{`"exchange":"` + short + `"`, `"exchange":"` + long + `"`, "exchange must be at most 255 bytes"},
		{`"routing_key":"` + short + `"`, `"routing_key":"` + long + `"`, "routing_key must be at most 255 bytes"},
		{`"routing_key":[` + list(100, `"%d"`) + `]`, `"routing_key":[` + list(101, `"%d"`) + `]`, "routing_key has more than 100 keys"},
		{`"routing_key":["a"]`, `"routing_key":["a",1]`, "routing_key must be an array of strings"},
		{`"bindings":[` + list(100, `{"exchange":"x%d"}`) + `]`, `"bindings":[` + list(101, `{"exchange":"x%d"}`) + `]`, "bindings has more than 100 entries"},
		{inBindings(`"exchange":"` + short + `"`), inBindings(`"exchange":"` + long + `"`), "bindings[1]: exchange must be at most 255 bytes"},
		{inBindings(`"exchange":"x","routing_key":"` + short + `"`), inBindings(`"exchange":"x","routing_key":"` + long + `"`), "bindings[1]: routing_key must be at most 255 bytes"},
		{inBindings(`"exchange":"x"`), inBindings(`"exchange":1`), "bindings[1]: exchange must be a string"},
		{inBindings(`"exchange":"x","arguments":{"` + short + `":1}`), inBindings(`"exchange":"x","arguments":{"` + long + `":1}`), "bindings[1]: a name in arguments must be at most 255 bytes"},
		{inBindings(`"exchange":"x","arguments":{"a":1}`), inBindings(`"arguments":{"a":1}`), "bindings[1]: exchange is missing"},
		{inBindings(`"exchange":"x","arguments":{` + list(100, `"a%d":1`) + `}`), inBindings(`"exchange":"x","arguments":{` + list(101, `"a%d":1`) + `}`), "arguments has more than 100 names"},
		{inBindings(`"exchange":"x","arguments":{"a":[1,9223372036854775807]}`), inBindings(`"exchange":"x","arguments":{"a":[1,9223372036854775808]}`), "larger than 64 bits"},
		{`"ssl":true,"ca":""`, `"ssl":true,"ca":1`, "ca must be a string"},
	} {
		if _, err := readAMQP(c.accepted, ""); err != nil {
			t.Errorf("%.80s: %v", c.accepted, err)
		}
		if _, err := readAMQP(c.refused, ""); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%.80s: %v, want %q", c.refused, err, c.why)
		}
	}
}

// A host with a character that host names do not have is refused.
func TestAMQP_HostThatCannotBeDialled_IsRefused(t *testing.T) {
	for host, accepted := range map[string]bool{"b\u00fccher.test": true, "a_b.test": true, "a!b.test": false, "a*.test": false, "b\u00fccher_.test": false} {
		f, err := request.Read([]byte(`{"host":"` + host + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.AMQP("", request.AMQPLimits{}); (err == nil) != accepted {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A stream is read from a word, a number or a time on, of which zero is one, and goes on
// behind any event, the first one included.
func TestAMQP_WhereToBegin_ZeroIsOne(t *testing.T) {
	for offset, want := range map[string]any{
		`"first"`: "first", `0`: int64(0), `"0"`: int64(0), `7`: int64(7), `-1`: nil,
		`"1970-01-01T00:00:00Z"`: time.Unix(0, 0), `"1969-12-31T23:59:59Z"`: nil, `"2026-11-28T06:00:00+02:00"`: time.Unix(1795838400, 0),
		`"later"`: nil, `""`: nil, `[]`: nil, `1.5`: nil,
	} {
		req, err := readAMQP(`"queue":"q","offset":`+offset, "")
		if want == nil {
			if err == nil || !strings.Contains(err.Error(), "offset must be") {
				t.Errorf("offset %s: %v", offset, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("offset %s: %v", offset, err)
			continue
		}
		at, isTime := want.(time.Time)
		if got, _ := req.Offset.(time.Time); isTime && !got.Equal(at) || !isTime && req.Offset != want {
			t.Errorf("offset %s is %v, want %v", offset, req.Offset, want)
		}
	}
	for id, want := range map[string]string{"0": "0", "41": "41", "-1": "", "": "", "x": "", "9223372036854775807": "", "9223372036854775806": "9223372036854775806"} {
		req, err := readAMQP(`"queue":"q"`, id)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if req.After != nil {
			got = fmt.Sprint(*req.After)
		}
		if got != want {
			t.Errorf("behind the event %q: it goes on behind %q, want %q", id, got, want)
		}
	}
}
