package openapi

import (
	"encoding/json"

	"go.yaml.in/yaml/v3"
)

const (
	maxYAML = 1 << 20 // bytes; its parts take more memory than those of JSON
	maxDeep = 100     // levels of a document in YAML
)

// fromYAML makes JSON of YAML, with the members of its objects in their order. Texts and
// numbers become texts.
func fromYAML(text []byte) ([]byte, error) {
	if len(text) > maxYAML {
		return nil, ErrDocument
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, ErrDocument
	}
	return appendJSON(nil, doc.Content[0], 0)
}

// appendJSON writes a node. A node that others refer to is written each time, up to the limit
// of a description.
func appendJSON(out []byte, n *yaml.Node, deep int) ([]byte, error) {
	if deep > maxDeep || len(out) > MaxBytes {
		return nil, ErrDocument
	}
	var err error
	switch n.Kind {
	case yaml.AliasNode:
		return appendJSON(out, n.Alias, deep+1)
	case yaml.MappingNode, yaml.SequenceNode:
		signs := "[]"
		if n.Kind == yaml.MappingNode {
			signs = "{}"
		}
		out = append(out, signs[0])
		for i, child := range n.Content {
			switch key := n.Kind == yaml.MappingNode && i%2 == 0; {
			case i > 0 && (n.Kind == yaml.SequenceNode || key):
				out = append(out, ',')
			case i > 0:
				out = append(out, ':')
			}
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				out, err = appendText(out, child.Value)
			} else {
				out, err = appendJSON(out, child, deep+1)
			}
			if err != nil {
				return nil, err
			}
		}
		return append(out, signs[1]), nil
	}
	if plain := n.Style&^yaml.TaggedStyle == 0; plain {
		switch n.Value {
		case "true", "false":
			return append(out, n.Value...), nil
		case "", "~", "null":
			return append(out, "null"...), nil
		}
	}
	return appendText(out, n.Value)
}

func appendText(out []byte, text string) ([]byte, error) {
	b, err := json.Marshal(text)
	return append(out, b...), err
}
