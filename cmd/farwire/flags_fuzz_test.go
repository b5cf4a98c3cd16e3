package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRecords reads anything as a file of agents. What is read has no name, null or
// second value that a typing error may have made.
func FuzzRecords(f *testing.F) {
	const record = `{"slug":"de1","country":"DE","token_sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`
	for _, seed := range []string{"[" + record + "]", "[" + record + ",\n" + record + "]", `[{"slug":"a","exclusive":true}]`, `[{"Slug":"a"}]`,
		`[{"slug":"a","slug":"b"}]`, `[{"slug":null}]`, `[null]`, "[]", "{}", "[" + record + "][]", `[{"slug":{"a":["b"]}}]`, `[{"tags":1}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		records, _, err := parseRecords(text)
		if err != nil {
			if s := err.Error(); s == "" || !utf8.ValidString(s) {
				t.Fatalf("an error that cannot be shown: %q", s)
			}
			return
		}
		var plain []map[string]any
		if err := json.Unmarshal(text, &plain); err != nil || len(plain) != len(records) || len(plain) == 0 {
			t.Fatalf("%d records are read of %q, %v", len(records), text, err)
		}
		for i, fields := range plain {
			for name, value := range fields {
				var read any
				switch name {
				case "slug":
					read = records[i].Slug
				case "country":
					read = records[i].Country
				case "token_sha256":
					read = records[i].TokenSHA256
				case "exclusive":
					read = records[i].Exclusive
				}
				if value != read {
					t.Fatalf("%s of record %d is %v, read as %v", name, i, value, read)
				}
			}
		}
	})
}

// FuzzPrefixFlags gives anything to --deny and to --trusted-proxies. What is taken holds
// for the addresses that are written, however the connection writes them.
func FuzzPrefixFlags(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "10.1.2.3", "::1", "2001:db8::/32", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "fe80::1%eth0", "::/0", "0.0.0.0/0", "10.0.0.1/33", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		deny, _, err := (&guardFlags{Deny: list{text}}).parse()
		client, trusted, errClient := (&identityFlags{TrustedProxies: list{text}}).clientAddr()
		if (err == nil) != (errClient == nil) {
			t.Fatalf("%q: one flag takes it and the other does not: %v, %v", text, err, errClient)
		}
		if err != nil {
			if !strings.Contains(err.Error(), "--deny") || !strings.Contains(errClient.Error(), "--trusted-proxies") {
				t.Fatalf("no flag is named: %v, %v", err, errClient)
			}
			return
		}
		if len(deny) != 1 || len(trusted) != 1 || deny[0] != trusted[0] || !deny[0].IsValid() {
			t.Fatalf("%q is read as %v and %v", text, deny, trusted)
		}
		first, _, _ := strings.Cut(text, "/")
		a, err := netip.ParseAddr(first)
		if err != nil || a.Zone() != "" {
			t.Fatalf("%q is taken as %v", text, deny)
		}
		if a.Is4In6() && deny[0].Addr().Is6() {
			return // a network around all of IPv4's
		}
		from := &http.Request{RemoteAddr: netip.AddrPortFrom(a, 9).String(), Header: http.Header{"X-Forwarded-For": {"192.0.2.77"}}}
		if got := client(from); got.String() != "192.0.2.77" {
			t.Fatalf("%q trusts %v, and the client is %v", text, a, got)
		}
	})
}

// Whatever part of an agents file has been written when it is read, it is refused: no
// agent is missing.
func TestParseRecords_Truncated_IsRefused(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	records := []any{
		`{"slug": "de1", "country": "DE", "token_sha256": "` + sum + `"}`,
		`{"token_sha256":"` + sum + `","country":"AT","slug":"]}"}`,
	}
	for _, form := range []string{"[%s]", "[%s,%s]", "[\n%s,\n%s\n]\n", "  [%s\r\n, %s]\r\n\r\n"} {
		text := fmt.Sprintf(form, records[:strings.Count(form, "%s")]...)
		whole, _, err := parseRecords([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for n := range len(text) {
			if part, _, err := parseRecords([]byte(text[:n])); err == nil && !slices.Equal(part, whole) {
				t.Errorf("%d bytes of %q are read as %+v", n, text, part)
			}
		}
	}
}
