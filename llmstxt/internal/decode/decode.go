// Package decode finds out in which encoding a page is written.
package decode

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// UTF8 finds a page's encoding in the header, its byte order mark or its
// meta elements, and converts it. Without any of them UTF-8 is believed if it
// is valid.
func UTF8(body []byte, kind string) []byte {
	enc, name, certain := charset.DetermineEncoding(body[:min(len(body), 1024)], kind)
	if name == "utf-8" && certain && kind != "" && !utf8.Valid(body) {
		// Servers say UTF-8 of all files; one that says otherwise of itself and is
		// not UTF-8 knows better.
		enc, name, certain = charset.DetermineEncoding(body[:min(len(body), 1024)], "text/html")
	}
	if name == "utf-8" || !certain && utf8.Valid(body) {
		return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	}
	if out, err := enc.NewDecoder().Bytes(body); err == nil {
		return bytes.TrimPrefix(out, []byte("\xef\xbb\xbf"))
	}
	return body
}

// IsHTML reports whether a Content-Type is that of a page.
func IsHTML(kind string) bool {
	m := MediaType(kind)
	return m == "text/html" || m == "application/xhtml+xml"
}

// MediaType is a Content-Type without its parameters, in lower case.
func MediaType(kind string) string {
	if m, _, err := mime.ParseMediaType(kind); err == nil {
		return m
	}
	return strings.ToLower(strings.TrimSpace(strings.SplitN(kind, ";", 2)[0]))
}
