// Package openapi reads what a description of an HTTP API, of OpenAPI or Swagger, says to
// people: its title, its words and what can be called. Pages such as those of Redoc and
// Swagger UI show it with a script and have no words of their own.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// MaxBytes is how long a description is at most that is read; in YAML, half of it.
const MaxBytes = 2 << 20

// ErrDocument is for what is not a description, or too long.
var ErrDocument = errors.New("not a description of OpenAPI that can be read")

const maxSign = 64 << 10 // bytes of a page in which its description is looked for

// signs are how pages name their description: elements of Redoc, RapiDoc, Stoplight and
// Scalar, calls of Redoc, Scalar and Swagger UI.
var signs = []*regexp.Regexp{
	regexp.MustCompile(`(?i)<(?:redoc|rapi-doc)\s[^>]*?\bspec-url\s*=\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`(?i)<elements-api\s[^>]*?\bapiDescriptionUrl\s*=\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`(?i)<script\s[^>]*?\bid\s*=\s*["']api-reference["'][^>]*?\bdata-url\s*=\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`(?i)<script\s[^>]*?\bdata-url\s*=\s*["']([^"'<>\s]+)["'][^>]*?\bid\s*=\s*["']api-reference["']`),
	regexp.MustCompile(`(?i)<script\s[^>]*?\bdata-configuration\s*=\s*["'][^<>]*?(?:"|&quot;)url(?:"|&quot;)\s*:\s*(?:"|&quot;)([^"'<>&\s]+)`),
	regexp.MustCompile(`\bcreateApiReference\(\s*["'][^"'<>]*["']\s*,\s*\{(?:[^}]*?[\s,{])??["']?url["']?\s*:\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`\bRedoc\.init\(\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`\bSwaggerUIBundle\(\s*\{(?:[^}]*?[\s,{])??["']?url["']?\s*:\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`["']urls["']\s*:\s*\[\s*\{[^}]*?["']url["']\s*:\s*["']([^"'<>\s]+)["']`),
}

// Named is the address of the description that a page names, as written; "" if it names none.
func Named(page []byte) string {
	page = page[:min(len(page), maxSign)]
	for _, sign := range signs {
		if m := sign.FindSubmatch(page); m != nil {
			return strings.ReplaceAll(string(m[1]), "&amp;", "&")
		}
	}
	return ""
}

// programs are pages that a script of their own sets up for Swagger UI, and the files of the
// scripts that they load, in order.
var (
	program = regexp.MustCompile(`(?i)<script\s[^>]*?\bsrc\s*=\s*["'][^"'<>]*swagger-ui[^"'<>]*["']`)
	script  = regexp.MustCompile(`(?i)<script\s[^>]*?\bsrc\s*=\s*["']([^"'<>\s]+)["']`)
)

// Script is the address of the script that sets a page of Swagger UI up and names the
// description in the page's place, as written; "" if the page has none.
func Script(page []byte) string {
	page = page[:min(len(page), maxSign)]
	if !program.Match(page) {
		return ""
	}
	all := script.FindAllSubmatch(page, -1)
	last := strings.ReplaceAll(string(all[len(all)-1][1]), "&amp;", "&")
	file, _, _ := strings.Cut(last[strings.LastIndexByte(last, '/')+1:], "?")
	if bundle := strings.HasPrefix(file, "swagger-ui") && !strings.Contains(file, "init"); bundle {
		return ""
	}
	return last
}

// showing are the calls with which a page has a program show the description that it holds: of Redoc, Swagger UI,
// Scalar, Stoplight and RapiDoc.
var showing = regexp.MustCompile(`\b__redoc_(?:definition|state)\s*=|\bRedoc\.init\(|\bSwaggerUIBundle\(|\bcreateApiReference\(|\bid\s*=\s*["']api-reference["']|\.apiDescriptionDocument\s*=|\.loadSpec\(`)

// HeldByPage is the description that a page holds for a program to show, in JSON; nil if it holds none.
func HeldByPage(page []byte) []byte {
	if !showing.Match(page) {
		return nil
	}
	return Held(page)
}

var held = regexp.MustCompile(`\{\s*"(?:openapi"\s*:\s*"3|swagger"\s*:\s*"2)`)

// Held is the description that a script holds, in JSON; nil if it holds none.
func Held(text []byte) []byte {
	at := held.FindIndex(text)
	if at == nil || len(text) > MaxBytes {
		return nil
	}
	var doc json.RawMessage
	if json.NewDecoder(bytes.NewReader(text[at[0]:])).Decode(&doc) != nil {
		return nil
	}
	return doc
}
