// Package openapi reads what a description of an HTTP API, of OpenAPI or Swagger, says to
// people: its title, its words and what can be called. Pages such as those of Redoc and
// Swagger UI show it with a script and have no words of their own.
package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// MaxBytes is how long a description is at most that is read.
const MaxBytes = 2 << 20

// ErrDocument is for what is not a description, or too long.
var ErrDocument = errors.New("not a description of OpenAPI that can be read")

const (
	maxSign       = 64 << 10 // bytes of a page in which its description is looked for
	maxOperations = 500
)

// signs are how pages name their description: elements of Redoc, RapiDoc, Stoplight and
// Scalar, calls of Redoc and Swagger UI.
var signs = []*regexp.Regexp{
	regexp.MustCompile(`(?i)<(?:redoc|rapi-doc)\s[^>]*?\bspec-url\s*=\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`(?i)<elements-api\s[^>]*?\bapiDescriptionUrl\s*=\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`(?i)<script\s[^>]*?\bid\s*=\s*["']api-reference["'][^>]*?\bdata-url\s*=\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`\bRedoc\.init\(\s*["']([^"'<>\s]+)["']`),
	regexp.MustCompile(`\bSwaggerUIBundle\(\s*\{(?:[^}]*?[\s,])??["']?url["']?\s*:\s*["']([^"'<>\s]+)["']`),
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

// document is what is read of a description.
type document struct {
	OpenAPI, Swagger string
	Info             struct{ Title, Summary, Description string }
	Tags             []struct{ Name, Description string }
	Paths            map[string]map[string]json.RawMessage
}

// Markdown is a description as a page in Markdown. Of YAML it is the title and the words.
func Markdown(text []byte) ([]byte, error) {
	if len(text) > MaxBytes {
		return nil, ErrDocument
	}
	var d document
	if trimmed := bytes.TrimLeft(text, "\ufeff \t\r\n"); !bytes.HasPrefix(trimmed, []byte("{")) {
		d = readYAML(string(text))
	} else if err := json.Unmarshal(trimmed, &d); err != nil {
		return nil, ErrDocument
	}
	if d.OpenAPI == "" && d.Swagger == "" || d.Info.Title == "" {
		return nil, ErrDocument
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s\n\n%s\n", plain.OneLine(d.Info.Title), d.Info.Summary, d.Info.Description)
	for _, t := range d.Tags {
		if t.Name != "" {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", plain.OneLine(t.Name), t.Description)
		}
	}
	calls := d.operations()
	if len(calls) > 0 {
		b.WriteString("\n## Operations\n\n")
	}
	for _, c := range calls {
		b.WriteString("- " + c + "\n")
	}
	return b.Bytes(), nil
}

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// operations are what can be called, by path.
func (d *document) operations() []string {
	var out []string
	paths := make([]string, 0, len(d.Paths))
	for p := range d.Paths {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		for _, m := range methods {
			raw, ok := d.Paths[p][m]
			var op struct{ Summary, Description string }
			if !ok || json.Unmarshal(raw, &op) != nil {
				continue
			}
			if len(out) == maxOperations {
				return out
			}
			call := "`" + strings.ToUpper(m) + " " + strings.ReplaceAll(plain.OneLine(p), "`", "") + "`"
			if said := plain.OneLine(cmp.Or(op.Summary, op.Description)); said != "" {
				call += ": " + said
			}
			out = append(out, call)
		}
	}
	return out
}

// readYAML reads the version, the title and the words of a description in YAML: scalars of
// the top level and of "info", plain, in quotes, or as a block.
func readYAML(text string) (d document) {
	lines := strings.Split(text, "\n")
	at := "" // the key of the top level
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], "\r")
		key, value, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if key != "" && key[0] != ' ' && key[0] != '\t' {
			switch at = strings.Trim(key, `"'`); at {
			case "openapi":
				d.OpenAPI = scalar(value)
			case "swagger":
				d.Swagger = scalar(value)
			}
			continue
		}
		if at != "info" {
			continue
		}
		indent := len(key) - len(strings.TrimLeft(key, " "))
		value = strings.TrimSpace(value)
		if value != "" && (value[0] == '|' || value[0] == '>') {
			var b strings.Builder
			for i+1 < len(lines) && (strings.TrimSpace(lines[i+1]) == "" || len(lines[i+1])-len(strings.TrimLeft(lines[i+1], " ")) > indent) {
				i++
				b.WriteString(strings.TrimSpace(lines[i]) + "\n")
			}
			value = b.String()
		} else {
			value = scalar(value)
		}
		switch strings.TrimSpace(key) {
		case "title":
			d.Info.Title = cmp.Or(d.Info.Title, plain.OneLine(value))
		case "summary":
			d.Info.Summary = cmp.Or(d.Info.Summary, value)
		case "description":
			d.Info.Description = cmp.Or(d.Info.Description, value)
		}
	}
	return d
}

// scalar is a value in one line, without its quotes and its comment.
func scalar(v string) string {
	v = strings.TrimSpace(v)
	if len(v) > 1 && (v[0] == '"' || v[0] == '\'') {
		if end := strings.LastIndexByte(v, v[0]); end > 0 {
			return v[1:end]
		}
	}
	v, _, _ = strings.Cut(v, " #")
	return strings.TrimSpace(v)
}
