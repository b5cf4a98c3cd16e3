package keysfile_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/keysfile"
	"github.com/farwire/farwire/internal/rules"
)

var kinds = []string{"relay", "crawl"}

func hash(key string) ([sha256.Size]byte, string) {
	sum := sha256.Sum256([]byte(key))
	return sum, hex.EncodeToString(sum[:])
}

func TestParse_WholeEntry_IsRead(t *testing.T) {
	sum, text := hash("a key of alice's")
	got, err := keysfile.Parse([]byte(`[{"name":"alice","key_sha256":"`+text+`","limits":{"rate":0.5,"burst":-1,"http_rate":3,
		"http_burst":4,"sessions":5,"streams":6,"crawls":7,"pages_per_day":8,"sites":9,"bytes_per_day":10},
		"allow":["*.example.com"],"deny":["10.0.0.0/8"],"kinds":["relay"]}]`), kinds)
	want := []keysfile.Entry{{Name: "alice", Hash: sum,
		Limits: keysfile.Limits{Rate: 0.5, Burst: -1, HTTPRate: 3, HTTPBurst: 4, Sessions: 5, Streams: 6, Crawls: 7, PagesPerDay: 8, Sites: 9, BytesPerDay: 10},
		Rules:  rules.Lists{Allow: []string{"*.example.com"}, Deny: []string{"10.0.0.0/8"}, Kinds: []string{"relay"}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParse_TypingErrors_NameTheEntry(t *testing.T) {
	_, one := hash("one")
	_, two := hash("two")
	_, none := hash("")
	_, line := hash("\n")
	entry := func(more string) string { return `{"name":"a","key_sha256":"` + one + `"` + more + `}` }
	for _, c := range []struct{ text, want string }{
		{``, "line 1: not a JSON list"},
		{"[\n{\"name\": \"a\",\n}]", "line 3: not a JSON list"},
		{"[\n\n1]", "line 3: entry 1: "},
		{"[\n" + entry("") + ",\r\n" + entry("") + "]", "line 3: entry 2: key_sha256 is that of entry 1"},
		{`{}`, "not a JSON list"},
		{`[]`, "the list is empty"},
		{`[1]`, "entry 1: "},
		{`[{"key_sha256":"` + one + `"}]`, "entry 1: name is missing"},
		{`[{"name":"","key_sha256":"` + one + `"}]`, "entry 1: name is missing"},
		{`[{"name":" a","key_sha256":"` + one + `"}]`, `entry 1: name " a" begins or ends with white space`},
		{`[{"name":"a\nb","key_sha256":"` + one + `"}]`, "entry 1: name "},
		{`[{"name":"a\u202eb","key_sha256":"` + one + `"}]`, "entry 1: name "},
		{`[null]`, "entry 1: the value is null"},
		{`[[]]`, "entry 1: the value has the wrong type"},
		{`[{"name":"a"}]`, "entry 1: key_sha256 must be"},
		{`[{"name":"a","key_sha256":"` + strings.ToUpper(one) + `"}]`, "entry 1: key_sha256 must be"},
		{`[{"name":"a","key_sha256":"` + one[1:] + `"}]`, "entry 1: key_sha256 must be"},
		{`[{"name":"a","key_sha256":"` + none + `"}]`, "entry 1: key_sha256 is that of an empty key"},
		{`[` + entry("") + `,{"name":"b","key_sha256":"` + line + `"}]`, "entry 2: key_sha256 is that of an empty key"},
		{`[` + entry("") + `,{"name":"b","key_sha256":"` + two + `","Limits":{}}]`, `entry 2: "Limits" is not one`},
		{`[` + entry("") + `,` + entry("") + `]`, "entry 2: key_sha256 is that of entry 1"},
		{`[` + entry(`,"limits":{"rate":0}`) + `]`, "entry 1: limits: rate is 0"},
		{`[` + entry(`,"limits":{"burst":0}`) + `]`, "entry 1: limits: burst is 0"},
		{`[` + entry(`,"limits":{"bytes_per_day":-2}`) + `]`, "entry 1: limits: bytes_per_day is -2"},
		{`[` + entry(`,"limits":{"sessions":null}`) + `]`, "entry 1: limits/sessions is null"},
		{`[` + entry(`,"allow":[]`) + `]`, "entry 1: allow is empty"},
		{`[` + entry(`,"deny":["*"]`) + `]`, "entry 1: deny: "},
		{`[` + entry(`,"kinds":["relais"]`) + `]`, `entry 1: kinds: there is no kind "relais"; write one of relay, crawl`},
		{`[` + entry(`,"kinds":[]`) + `]`, "entry 1: kinds is empty"},
	} {
		if _, err := keysfile.Parse([]byte(c.text), kinds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

// Whatever part of a file has been written when it is read, it is refused: no key is
// missing, and no limit or rule of one.
func TestParse_Truncated_IsRefused(t *testing.T) {
	_, one := hash("one")
	_, two := hash("two")
	entries := []string{
		`{"name": "a", "key_sha256": "` + one + `", "limits": {"rate": 12.5, "sites": -1}, "deny": ["a.test"]}`,
		`{"key_sha256":"` + two + `","kinds":["crawl"],"allow":["b.test:443","10.0.0.0/8"],"name":"]}"}`,
	}
	for _, form := range []string{"[%s]", "[%s,%s]", "[\n%s,\n%s\n]\n", "  [%s\r\n, %s]\r\n\r\n"} {
		text := fmt.Sprintf(form, []any{entries[0], entries[1]}[:strings.Count(form, "%s")]...)
		whole, err := keysfile.Parse([]byte(text), kinds)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for n := range len(text) {
			if part, err := keysfile.Parse([]byte(text[:n]), kinds); err == nil && !reflect.DeepEqual(part, whole) {
				t.Errorf("%d bytes of %q are read as %+v", n, text, part)
			}
		}
	}
}

// FuzzParse reads anything. What is read has names, rules that are valid and limits that
// mean something.
func FuzzParse(f *testing.F) {
	_, text := hash("one")
	f.Add([]byte(`[{"name":"a","key_sha256":"` + text + `"}]`))
	f.Add([]byte(`[{"name":"a","key_sha256":"` + text + `","limits":{"rate":-1,"sites":3},"allow":["a.test:443"],"kinds":["crawl"]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := keysfile.Parse(text, kinds)
		if err != nil {
			if s := err.Error(); s == "" || !utf8.ValidString(s) {
				t.Fatalf("an error that cannot be shown: %q", s)
			}
			return
		}
		seen := map[[sha256.Size]byte]bool{}
		for _, e := range entries {
			if e.Name == "" || strings.TrimSpace(e.Name) != e.Name || strings.ContainsFunc(e.Name, unicode.IsControl) || seen[e.Hash] || e.Limits.Sites < -1 || e.Limits.Rate < 0 && e.Limits.Rate != -1 || e.Limits.BytesPerDay < -1 {
				t.Fatalf("read %+v", e)
			}
			seen[e.Hash] = true
			if _, err := rules.ParseKey(e.Rules.Allow, e.Rules.Deny, e.Rules.Kinds, kinds); err != nil {
				t.Fatalf("read rules that are not valid: %v", err)
			}
		}
		if len(entries) == 0 {
			t.Fatal("read no entry and no error")
		}
	})
}
