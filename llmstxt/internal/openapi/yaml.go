package openapi

import (
	"cmp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

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
