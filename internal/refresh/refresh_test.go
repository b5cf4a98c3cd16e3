package refresh_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/refresh"
)

func TestParse_EachForm_IsReadOrIgnored(t *testing.T) {
	for value, want := range map[string]string{
		"5": "5|", " 5 ": "5|", "5;": "5|", "5;url=": "5|", "5; url=/x": "5|/x", "5,url=/x": "5|/x", "0 /ws": "0|/ws", "5 /ws;x": "5|/ws;x",
		"5;/a;b,c": "5|/a;b,c", "0\turl = /x": "0|/x", "0 ; URL\n=\f/x": "0|/x", "0;url='/a b'c": "0|/a b", `0;"/a"`: "0|/a", `0; url="/open`: "0|/open",
		"0;'/a\"b'": `0|/a"b`, "0;url/x": "0|url/x", "0;ur": "0|ur", "0; urls=/x": "0|urls=/x", "1.5.;/x": "1.5.|/x", ".5;/x": ".5|/x",
		"0;;/x": "0|;/x", "0 ;/x": "0|/x", "0;url==/x": "0|=/x", "0;Über": "0|Über",
		"": "", "x": "", "-1;/x": "", ";url=/x": "", "5x;/x": "", "5/x": "", "url=/x": "", "+5;/x": "",
	} {
		wait, address, ok := refresh.Parse(value)
		got := ""
		if ok {
			got = wait + "|" + address
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, value := range []string{"5; url='/x'", "0 /ws", ".;,", "u", "0;u"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait, address, ok := refresh.Parse(value)
		if !strings.Contains(value, wait) || !strings.Contains(value, address) || !ok && wait+address != "" {
			t.Errorf("%q: %q %q %v", value, wait, address, ok)
		}
	})
}
