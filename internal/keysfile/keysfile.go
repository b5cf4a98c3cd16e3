// Package keysfile reads a file of API keys: a JSON list of entries, each of which
// admits one key by its hash.
package keysfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/safetext"
)

// An Entry admits one key.
type Entry struct {
	Name   string
	Hash   [sha256.Size]byte // SHA-256 of the key
	Limits Limits
	Rules  rules.Lists
}

// Limits are those of an entry: at least 1, or -1 for no limit; zero where the file says
// nothing.
type Limits struct {
	Rate        float64
	Burst       int
	HTTPRate    float64
	HTTPBurst   int
	Sessions    int
	Streams     int
	Crawls      int
	PagesPerDay int
	Sites       int
	BytesPerDay int64
}

// An entry is one of a file as it is written.
type entry struct {
	Name   *string     `json:"name"`
	Hash   *string     `json:"key_sha256"`
	Limits *fileLimits `json:"limits"`
	Allow  *[]string   `json:"allow"`
	Deny   *[]string   `json:"deny"`
	Kinds  *[]string   `json:"kinds"`
}

type fileLimits struct {
	Rate        *float64 `json:"rate"`
	Burst       *int     `json:"burst"`
	HTTPRate    *float64 `json:"http_rate"`
	HTTPBurst   *int     `json:"http_burst"`
	Sessions    *int     `json:"sessions"`
	Streams     *int     `json:"streams"`
	Crawls      *int     `json:"crawls"`
	PagesPerDay *int     `json:"pages_per_day"`
	Sites       *int     `json:"sites"`
	BytesPerDay *int64   `json:"bytes_per_day"`
}

// Parse reads a file; kinds are the kinds of sessions that there are. Its errors name
// the line and the entry.
func Parse(text []byte, kinds []string) ([]Entry, error) {
	raws, err := jsonobject.List(text)
	if err != nil {
		return nil, err
	}
	if len(raws) == 0 {
		return nil, errors.New("the list is empty; without keys nobody may call")
	}
	entries := make([]Entry, 0, len(raws))
	seen := make(map[[sha256.Size]byte]int)
	for i, raw := range raws {
		e, err := parse(raw.Value, kinds)
		if err != nil {
			return nil, fmt.Errorf("line %d: entry %d: %w", raw.Line, i+1, err)
		}
		if first, twice := seen[e.Hash]; twice {
			return nil, fmt.Errorf("line %d: entry %d: key_sha256 is that of entry %d", raw.Line, i+1, first)
		}
		seen[e.Hash] = i + 1
		entries = append(entries, e)
	}
	return entries, nil
}

func parse(raw jsontext.Value, kinds []string) (out Entry, err error) {
	var e entry
	if err := jsonobject.UnmarshalStrict(raw, &e); err != nil {
		return out, err
	}
	switch {
	case e.Name == nil || *e.Name == "":
		return out, errors.New("name is missing")
	case !safetext.IsPlain(*e.Name):
		return out, fmt.Errorf("name %q begins or ends with white space, or has a character that nobody sees", fault.Clip(*e.Name))
	case e.Hash == nil || len(*e.Hash) != hex.EncodedLen(sha256.Size):
		return out, errors.New("key_sha256 must be 64 lower-case hex digits")
	}
	sum, err := hex.DecodeString(*e.Hash)
	if err != nil || hex.EncodeToString(sum) != *e.Hash {
		return out, errors.New("key_sha256 must be 64 lower-case hex digits")
	}
	out.Hash, out.Name = [sha256.Size]byte(sum), *e.Name
	if out.Hash == sha256.Sum256(nil) || out.Hash == sha256.Sum256([]byte("\n")) {
		return out, errors.New("key_sha256 is that of an empty key") // of a variable that is not set, for one
	}
	if e.Limits != nil {
		if out.Limits, err = e.Limits.limits(); err != nil {
			return out, err
		}
	}
	out.Rules, err = rules.Written(e.Allow, e.Deny, e.Kinds, kinds)
	return out, err
}

func (f *fileLimits) limits() (l Limits, err error) {
	for _, rate := range []struct {
		name string
		from *float64
		to   *float64
	}{{"rate", f.Rate, &l.Rate}, {"http_rate", f.HTTPRate, &l.HTTPRate}} {
		switch {
		case rate.from == nil:
		case *rate.from > 0 || *rate.from == -1:
			*rate.to = *rate.from
		default:
			return l, fmt.Errorf("limits: %s is %v; give more than 0, or -1 for no limit", rate.name, *rate.from)
		}
	}
	if f.BytesPerDay != nil {
		if l.BytesPerDay = *f.BytesPerDay; l.BytesPerDay < 1 && l.BytesPerDay != -1 {
			return l, fmt.Errorf("limits: bytes_per_day is %d; give at least 1, or -1 for no limit", l.BytesPerDay)
		}
	}
	for _, n := range []struct {
		name string
		from *int
		to   *int
	}{
		{"burst", f.Burst, &l.Burst}, {"http_burst", f.HTTPBurst, &l.HTTPBurst}, {"sessions", f.Sessions, &l.Sessions},
		{"streams", f.Streams, &l.Streams}, {"crawls", f.Crawls, &l.Crawls},
		{"pages_per_day", f.PagesPerDay, &l.PagesPerDay}, {"sites", f.Sites, &l.Sites},
	} {
		switch {
		case n.from == nil:
		case *n.from >= 1 || *n.from == -1:
			*n.to = *n.from
		default:
			return l, fmt.Errorf("limits: %s is %d; give at least 1, or -1 for no limit", n.name, *n.from)
		}
	}
	return l, nil
}
