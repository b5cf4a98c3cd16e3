package jsonobject

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A ListEntry is one value of a list in a file.
type ListEntry struct {
	Value jsontext.Value
	Line  int // at which it begins; the first of a file is 1
}

// List reads a JSON list and nothing behind it. Its errors name the line. A null is an empty
// list.
func List(text []byte) ([]ListEntry, error) {
	var values []jsontext.Value
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, notList(text, err)
	}
	if len(values) == 0 { // null too
		return nil, nil
	}
	entries := make([]ListEntry, 0, len(values))
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() != ']' {
		var v jsontext.Value
		v, err = dec.ReadValue()
		entries = append(entries, ListEntry{v.Clone(), line(text, dec.InputOffset()-int64(len(v)))})
	}
	return entries, err
}

// notList says at which line of a text what is wrong.
func notList(text []byte, err error) error {
	const what = "not a JSON list of entries"
	var syntax *jsontext.SyntacticError
	var kind *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return fmt.Errorf("line %d: %s: %w", line(text, syntax.ByteOffset), what, Error(err))
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %s: it is not valid JSON", line(text, syntax.ByteOffset), what)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %s", line(text, kind.ByteOffset), what)
	}
	return fmt.Errorf("%s: %w", what, Error(err))
}

func line(text []byte, at int64) int {
	return 1 + bytes.Count(text[:min(at, int64(len(text)))], []byte("\n"))
}
