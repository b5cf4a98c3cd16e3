// Package httphead reads what the head of a site's answer says. Its fields may have
// 256 KiB, and some are kept as long as their page.
package httphead

import (
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// MaxField is the longest field, in bytes, that is read or kept whole and is not an
// address.
const MaxField = 1 << 10

// Short is a field that is kept with its page; "" if it is too long.
func Short(v string) string {
	if len(v) > MaxField {
		return ""
	}
	return v
}

// RetryAfter reads the header in both forms, RFC 9110 section 10.2.3; 0 if there is
// not one.
func RetryAfter(v string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// TooMany reports a status for who asks too often, those of Twitter and Shopify included.
func TooMany(status int) bool {
	return status == http.StatusTooManyRequests || status == 420 || status == 430
}

// IsHaste reports an answer to who asks too often: by its status, or as GitHub has it, by the
// time after which it does not forbid any more.
func IsHaste(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusServiceUnavailable:
		return true
	case http.StatusForbidden:
		return RetryAfter(resp.Header.Get("Retry-After")) > 0
	}
	return TooMany(resp.StatusCode)
}

// MayPass reports the status of an answer that may be another one the next time.
func MayPass(status int) bool {
	return status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooEarly
}

// Canonical is the address in a Link header with rel=canonical.
func Canonical(h http.Header) string { return Link(h, "canonical", "") }

// Link is the address in a Link header with a relation and, unless that is "",
// a type, RFC 8288. One that is too long for that of a page does not count.
func Link(h http.Header, rel, kind string) string {
	for l := range links(h) {
		media, _, _ := strings.Cut(l.kind, ";") // it may have parameters
		if l.has(rel) && (kind == "" || strings.TrimSpace(media) == kind) {
			return strings.Clone(l.target) // it shall not keep the whole header
		}
	}
	return ""
}

// Neighbours are the addresses in Link headers of the pages before and behind one in a chain.
func Neighbours(h http.Header) (out []string) {
	for l := range links(h) {
		if (l.has("next") || l.has("prev") || l.has("previous")) && len(out) < maxNeighbours {
			out = append(out, strings.Clone(l.target))
		}
	}
	return out
}

const maxNeighbours = 10

// An Alternate is the address of the same page in another language, and its tag.
type Alternate struct{ Address, Lang string }

const maxAlternates = 100

// Alternates are what Link headers say of a page's other languages.
func Alternates(h http.Header) []Alternate {
	var out []Alternate
	for l := range links(h) {
		if l.has("alternate") && l.lang != "" && len(out) < maxAlternates {
			out = append(out, Alternate{strings.Clone(l.target), strings.Clone(l.lang)})
		}
	}
	return out
}

// link is one of a Link header, RFC 8288. What it says is in lower case.
type link struct{ target, rel, kind, lang string }

func (l link) has(rel string) bool { return slices.Contains(strings.Fields(l.rel), rel) }

// links are those of all Link headers, without those that are too long for a page's address.
func links(h http.Header) iter.Seq[link] {
	return func(yield func(link) bool) {
		for _, v := range h.Values("Link") {
			for {
				_, rest, _ := strings.Cut(v, "<")
				target, params, ok := strings.Cut(rest, ">")
				if !ok {
					break
				}
				params, v = cutUnquoted(params, ',')
				l := link{target: strings.TrimSpace(target)}
				for params != "" {
					var p string
					p, params = cutUnquoted(params, ';')
					name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
					value = strings.ToLower(strings.Trim(value, `" `))
					switch strings.ToLower(strings.TrimSpace(name)) {
					case "rel":
						l.rel += " " + value
					case "type":
						l.kind = value
					case "hreflang":
						l.lang = value
					}
				}
				if len(l.target) <= weburl.MaxLength && !yield(l) {
					return
				}
			}
		}
	}
}

// cutUnquoted cuts a header's value at the first sep that stands in no quoted string
// (RFC 9110, section 5.6.4).
func cutUnquoted(v string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '"':
			quoted = !quoted
		case v[i] == '\\' && quoted:
			i++
		case v[i] == sep && !quoted:
			return v[:i], v[i+1:]
		}
	}
	return v, ""
}

// Challenge names what an answer asks a browser to prove; "" for none.
func Challenge(resp *http.Response) string {
	switch {
	case strings.EqualFold(resp.Header.Get("Cf-Mitigated"), "challenge"):
		return "Cloudflare's challenge: the site asks for a browser"
	case strings.EqualFold(resp.Header.Get("X-Vercel-Mitigated"), "challenge"):
		return "Vercel's challenge: the site asks for a browser"
	case strings.EqualFold(resp.Header.Get("X-Amzn-Waf-Action"), "challenge"), strings.EqualFold(resp.Header.Get("X-Amzn-Waf-Action"), "captcha"):
		return "AWS WAF's challenge: the site asks for a browser"
	}
	return ""
}

// IsWhole reports whether an answer to a request without a range is a part that is all there
// is, as some caches send it: "Content-Range: bytes 0-99/100" (RFC 9110, section 14.4).
func IsWhole(resp *http.Response) bool {
	unit, part, _ := strings.Cut(strings.TrimSpace(resp.Header.Get("Content-Range")), " ")
	last, length, _ := strings.Cut(strings.TrimPrefix(part, "0-"), "/")
	n, err := strconv.ParseInt(last, 10, 64)
	total, totalErr := strconv.ParseInt(length, 10, 64)
	return resp.StatusCode == http.StatusPartialContent && strings.EqualFold(unit, "bytes") && strings.HasPrefix(part, "0-") &&
		err == nil && totalErr == nil && n >= 0 && n == total-1
}

// Signals are the values of a page's own headers.
func Signals(h http.Header) []string {
	return append(h.Values("Content-Signal"), h.Values("Content-Usage")...)
}

// ShortSignals are those that are kept: 20, and none that is too long.
func ShortSignals(h http.Header) (out []string) {
	for _, v := range Signals(h) {
		if v = Short(v); v != "" && len(out) < 20 {
			out = append(out, strings.Clone(v))
		}
	}
	return out
}

// Refuses reports whether one of the values says that a model may not be given
// the page.
func Refuses(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		_, refused := Input(v)
		return refused
	})
}

// Input reads ai-input in a value of these headers: whether the value has it, and whether it
// refuses that a model is given the content.
func Input(value string) (stated, refused bool) {
	for d := range strings.FieldsFuncSeq(strings.ToLower(value), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' }) {
		switch d {
		case "ai-input=no", "ai-input=n":
			return true, true
		case "ai-input=yes", "ai-input=y":
			stated = true
		}
	}
	return stated, false
}
