package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// document is what is read of a description: of OpenAPI 3, and of Swagger 2 where that has
// other names.
type document struct {
	OpenAPI, Swagger string
	Info             struct{ Title, Summary, Description string }
	Tags             []tag
	Paths            ordered[path]
	Components       struct {
		Parameters    ordered[parameter]
		RequestBodies ordered[body]
		Responses     ordered[response]
		Schemas       ordered[schema]
	}
	Parameters  ordered[parameter]
	Responses   ordered[response]
	Definitions ordered[schema]
}

type tag struct{ Name, Description string }

// path has operations by their methods, and the parameters that they have in common.
type path = ordered[json.RawMessage]

type operation struct {
	Summary, Description, OperationID string
	Tags                              []string
	Deprecated                        bool
	Parameters                        []parameter
	RequestBody                       body
	Responses                         ordered[response]
}

type parameter struct {
	Ref                         string `json:"$ref"`
	Name, In, Description, Type string
	Required                    bool
	Schema                      schema
	Enum                        json.RawMessage // of Swagger 2
}

type body struct {
	Ref         string `json:"$ref"`
	Description string
	Content     ordered[media]
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     ordered[media]
	Schema      schema
}

type media struct{ Schema schema }

// schema holds what is in it as it is written, so that one in another costs no more than one
// beside it.
type schema struct {
	Ref               string `json:"$ref"`
	Type              any    // a name or, since 3.1, several
	Description       string
	Required          any // names, but in old descriptions also a boolean
	Properties, Items json.RawMessage
	AllOf, Enum       json.RawMessage
}

const maxInner = 4 // levels of schemas in each other that are read

// kind is the type in words: "array of Berth".
func (s *schema) kind() string { return s.kindTo(maxInner) }

func (s *schema) kindTo(levels int) string {
	switch {
	case s.Ref != "":
		return plain.OneLine(s.Ref[strings.LastIndexByte(s.Ref, '/')+1:])
	case len(s.Items) > 0 && levels > 0:
		var items schema
		if read(s.Items, &items) {
			return strings.TrimSuffix("array of "+items.kindTo(levels-1), " of ")
		}
	}
	switch t := s.Type.(type) {
	case string:
		return plain.OneLine(t)
	case []any:
		var all []string
		for _, one := range t {
			all = append(all, fmt.Sprint(one))
		}
		return plain.OneLine(strings.Join(all, " or "))
	}
	return ""
}

// values are those that alone are allowed, of the schema or of the items of its list: "one of `open`, `closed`".
func (s *schema) values() string {
	var items schema
	if len(s.Enum) == 0 && read(s.Items, &items) {
		return oneOf(items.Enum)
	}
	return oneOf(s.Enum)
}

// oneOf is a list of values in words; "" of none.
func oneOf(list json.RawMessage) string {
	var all []json.RawMessage
	read(list, &all)
	var words []string
	for _, value := range all {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value) // a number, as it is written
		}
		if text != "" {
			words = append(words, code(text))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "one of " + strings.Join(words, ", ")
}

// fields are the properties as items of a list, those of an object in another behind its name.
func (s *schema) fields() []string { return s.fieldsTo(maxInner, "") }

func (s *schema) fieldsTo(levels int, in string) []string {
	if levels == 0 {
		return nil
	}
	var out []string
	names, _ := s.Required.([]any)
	var all ordered[schema]
	read(s.Properties, &all)
	for _, f := range all {
		out = append(out, entry(in+f.key, f.value.Description, f.value.kind(), f.value.values(), required(slices.Contains(names, any(f.key)))))
		out = append(out, f.value.fieldsTo(levels-1, in+f.key+".")...)
	}
	var items schema
	if read(s.Items, &items) {
		out = append(out, items.fieldsTo(levels-1, in)...)
	}
	var parts []schema
	read(s.AllOf, &parts)
	for i := range parts {
		out = append(out, parts[i].fieldsTo(levels-1, in)...)
	}
	return out
}

// section is what can be called under one name.
type section struct {
	tag
	calls []call
}

type call struct {
	operation
	method, path string
	common       []parameter
}

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

// sections are the tags in their order with their operations, then the operations without.
func (d *document) sections() []section {
	var out []section
	at := map[string]int{}
	open := func(t tag) int {
		if _, ok := at[t.Name]; !ok {
			at[t.Name] = len(out)
			out = append(out, section{tag: t})
		}
		return at[t.Name]
	}
	for _, t := range d.Tags {
		if plain.OneLine(t.Name) != "" {
			open(t)
		}
	}
	var loose section
	for _, c := range d.calls() {
		if len(c.Tags) == 0 || plain.OneLine(c.Tags[0]) == "" {
			loose.calls = append(loose.calls, c)
			continue
		}
		i := open(tag{Name: c.Tags[0]})
		out[i].calls = append(out[i].calls, c)
	}
	if len(loose.calls) > 0 {
		loose.Name = "Operations"
		out = append(out, loose)
	}
	return out
}

// calls are what can be called, as the paths stand in the description.
func (d *document) calls() []call {
	var out []call
	for _, p := range d.Paths {
		var common []parameter
		for _, m := range p.value {
			if m.key == "parameters" {
				read(m.value, &common)
			}
		}
		for _, m := range p.value {
			c := call{method: m.key, path: p.key, common: common}
			if !slices.Contains(methods, m.key) || !read(m.value, &c.operation) {
				continue
			}
			if len(out) == maxOperations {
				return out
			}
			out = append(out, c)
		}
	}
	return out
}

// named is what a reference to the description's own parts means, else what has it.
func named[V any](v V, ref string, parts map[string]V) V {
	if found, ok := parts[ref[strings.LastIndexByte(ref, '/')+1:]]; ok && ref != "" {
		return found
	}
	return v
}

// byName has the members of some objects by their names.
func byName[V any](of ...ordered[V]) map[string]V {
	out := map[string]V{}
	for _, o := range of {
		for _, m := range o {
			out[m.key] = m.value
		}
	}
	return out
}

// read reads an object or a list, without the members that are of another kind than the
// standard says, and reports that it is one.
func read(raw json.RawMessage, into any) bool {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' && raw[0] != '[' {
		return false
	}
	err := json.Unmarshal(raw, into)
	_, other := errors.AsType[*json.UnmarshalTypeError](err)
	return err == nil || other
}

// ordered is an object of JSON with its members in their order. A member of another kind than
// V is left out.
type ordered[V any] []member[V]

type member[V any] struct {
	key   string
	value V
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *ordered[V]) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		var v V
		if _, whole := any(v).(json.RawMessage); whole {
			v = any(raw).(V)
		} else if !read(raw, &v) {
			continue
		}
		*o = append(*o, member[V]{key.(string), v})
	}
	return nil
}
