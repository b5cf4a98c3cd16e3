package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/jsonobject"
)

// An agentsFile is what the file of --agents-file says.
type agentsFile struct {
	name    string
	records []agent.Record
	lines   []int // at which they begin
}

// readAgentsFile reads it. Its trouble is told with the place, and never with what
// stands there.
func readAgentsFile(name string, read fileReader) (agentsFile, error) {
	b, err := readFile("--agents-file", name, read)
	if err != nil {
		return agentsFile{}, err
	}
	records, lines, err := parseRecords(b)
	if err != nil {
		return agentsFile{}, misusef("--agents-file: %s: %v", name, err)
	}
	return agentsFile{name, records, lines}, nil
}

// parseRecords reads a list of records, and the lines at which they begin. A typing
// error is no record.
func parseRecords(b []byte) (records []agent.Record, lines []int, err error) {
	const form = "write a list of {slug, country, token_sha256}"
	entries, err := jsonobject.List(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; %s", err, form)
	}
	if len(entries) == 0 {
		return nil, nil, errors.New("the list is empty; name an agent or leave the flag out")
	}
	for i, e := range entries {
		var r agent.Record
		if err := jsonobject.UnmarshalStrict(e.Value, &r); err != nil {
			return nil, nil, fmt.Errorf("line %d: entry %d: %w; %s", e.Line, i+1, err, form)
		}
		records, lines = append(records, r), append(lines, e.Line)
	}
	return records, lines, nil
}

// ofRecord is an error of the pool about one of its records, which it counts from 0.
var ofRecord = regexp.MustCompile(`^agent: (?:PoolOptions\.Records|record )\[(\d+)\]: `)

// asFlag names the flag where the library names its field, and the place in the file
// where the library names a record.
func (f agentsFile) asFlag(err error) error {
	text := err.Error()
	if m := ofRecord.FindStringSubmatch(text); m != nil {
		if i, err := strconv.Atoi(m[1]); err == nil && i < len(f.lines) {
			return misusef("--agents-file: %s: line %d: entry %d: %s", f.name, f.lines[i], i+1, strings.TrimPrefix(text, m[0]))
		}
	}
	return agentError(err, map[string]string{
		"PoolOptions.Peers": "--peers", "the slug ": "--agents-file: the slug ",
	})
}
