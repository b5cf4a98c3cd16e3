package openapi

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

const (
	maxOperations = 500
	maxText       = 4 << 20 // bytes of the page that is written
)

// Markdown is a description, in JSON or YAML, as a page in Markdown: its words, then what can
// be called, under the names of its tags, then what its schemas hold.
func Markdown(text []byte) ([]byte, error) {
	if len(text) > MaxBytes {
		return nil, ErrDocument
	}
	doc := bytes.TrimLeft(text, "\ufeff \t\r\n")
	if !bytes.HasPrefix(doc, []byte("{")) {
		var err error
		if doc, err = fromYAML(doc); err != nil {
			return nil, ErrDocument
		}
	}
	var d document
	if !read(doc, &d) || d.OpenAPI == "" && d.Swagger == "" || d.Info.Title == "" {
		return nil, ErrDocument
	}
	w := writer{document: &d, parameters: byName(d.Components.Parameters, d.Parameters),
		bodies: byName(d.Components.RequestBodies), responses: byName(d.Components.Responses, d.Responses)}
	w.heading("#", d.Info.Title)
	w.words(d.Info.Summary)
	w.words(d.Info.Description)
	for _, s := range d.sections() {
		w.section(s)
	}
	w.schemas()
	return append(bytes.TrimRight(w.Bytes(), "\n"), '\n'), nil
}

// writer writes a description.
type writer struct {
	bytes.Buffer
	*document
	parameters map[string]parameter
	bodies     map[string]body
	responses  map[string]response
}

func (w *writer) full() bool { return w.Len() > maxText }

func (w *writer) heading(sign, name string) { w.WriteString(sign + " " + plain.OneLine(name) + "\n\n") }

// words writes a text, which is Markdown already.
func (w *writer) words(text string) {
	if text = strings.TrimSpace(text); text != "" && !w.full() {
		w.WriteString(text + "\n\n")
	}
}

func (w *writer) section(s section) {
	w.heading("##", s.Name)
	w.words(s.Description)
	for _, c := range s.calls {
		if w.full() {
			return
		}
		w.call(c)
	}
}

// call writes one operation.
func (w *writer) call(c call) {
	address := code(strings.ToUpper(c.method) + " " + c.path)
	if name := cmp.Or(plain.OneLine(c.Summary), plain.OneLine(c.OperationID)); name != "" {
		w.heading("###", name)
		w.words(address)
	} else {
		w.heading("###", address)
	}
	if c.Deprecated {
		w.words("Deprecated.")
	}
	w.words(c.Description)
	w.list("Parameters", func(item func(string)) {
		for _, of := range [][]parameter{c.common, c.Parameters} {
			for _, p := range of {
				p = named(p, p.Ref, w.parameters)
				item(entry(p.Name, p.Description, cmp.Or(p.Schema.kind(), plain.OneLine(p.Type)), cmp.Or(p.Schema.values(), oneOf(p.Enum)), p.In, required(p.Required)))
			}
		}
	})
	body := named(c.RequestBody, c.RequestBody.Ref, w.bodies)
	w.list("Request body", func(item func(string)) {
		if body.Description != "" {
			item(plain.OneLine(body.Description))
		}
		for _, m := range body.Content {
			item(entry(m.key, "", m.value.Schema.kind()))
			for _, f := range m.value.Schema.fields() {
				item(f)
			}
		}
	})
	w.list("Responses", func(item func(string)) {
		for _, r := range c.Responses {
			answer := named(r.value, r.value.Ref, w.responses)
			kind := answer.Schema.kind()
			for _, m := range answer.Content {
				kind = cmp.Or(kind, m.value.Schema.kind())
			}
			item(entry(r.key, answer.Description, kind))
		}
	})
}

// schemas writes what the named schemas hold.
func (w *writer) schemas() {
	begun := false
	for _, of := range []ordered[schema]{w.Components.Schemas, w.Definitions} {
		for _, s := range of {
			fields, values := s.value.fields(), s.value.values()
			if w.full() || len(fields) == 0 && s.value.Description == "" && values == "" {
				continue
			}
			if !begun {
				w.heading("##", "Schemas")
				begun = true
			}
			w.heading("###", s.key)
			w.words(s.value.Description)
			if values != "" {
				w.words(strings.ToUpper(values[:1]) + values[1:] + ".")
			}
			w.list("", func(item func(string)) {
				for _, f := range fields {
					item(f)
				}
			})
		}
	}
}

// list writes a list behind its name, if it has items.
func (w *writer) list(name string, each func(item func(string))) {
	begun := false
	each(func(item string) {
		if item == "" || w.full() {
			return
		}
		if !begun && name != "" {
			w.WriteString(name + ":\n\n")
		}
		begun = true
		w.WriteString("- " + item + "\n")
	})
	if begun {
		w.WriteByte('\n')
	}
}

// entry is an item of a list: a name, what is known of it, and its words.
func entry(name, words string, facts ...string) string {
	if name = plain.OneLine(name); name == "" {
		return plain.OneLine(words)
	}
	item := code(name)
	var known []string
	for _, f := range facts {
		if f != "" {
			known = append(known, f)
		}
	}
	if len(known) > 0 {
		item += " (" + strings.Join(known, ", ") + ")"
	}
	if words = plain.OneLine(words); words != "" {
		item += ": " + words
	}
	return item
}

func required(is bool) string {
	if is {
		return "required"
	}
	return ""
}

func code(text string) string { return "`" + strings.ReplaceAll(plain.OneLine(text), "`", "") + "`" }
