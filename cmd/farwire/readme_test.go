package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

var (
	row   = regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| (.*?) \\| .* \\| (.*) \\|$")
	field = regexp.MustCompile("`((?:agent\\.)?(?:Options|PoolOptions|DirectOptions))\\.([A-Za-z.]+)`")
)

// TestREADME_TableOfOptions_MatchesTheFlags holds the table of what is configurable to the flags of serve,
// their defaults, and the fields that a host sets.
func TestREADME_TableOfOptions_MatchesTheFlags(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var cli commands
	app, err := kong.New(&cli)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, c := range commandsOf(app.Model) {
		if c.name != "serve" {
			continue
		}
		for _, f := range c.flags {
			if f.Name != "help" {
				defaults[f.Name] = f.Default
			}
		}
	}
	options := map[string]reflect.Type{
		"Options":             reflect.TypeFor[farwire.Options](),
		"agent.PoolOptions":   reflect.TypeFor[agent.PoolOptions](),
		"agent.DirectOptions": reflect.TypeFor[agent.DirectOptions](),
	}
	for _, m := range row.FindAllStringSubmatch(string(readme), -1) {
		name, standard, host := m[1], m[2], m[3]
		want, known := defaults[name]
		switch {
		case !known:
			t.Errorf("--%s is not a flag of serve, or is listed twice", name)
		case want != "" && standard != "`"+want+"`":
			t.Errorf("the default of --%s is %q; the table has %s", name, want, standard)
		case want == "" && strings.Contains(standard, "`") && !strings.Contains(standard, "`--"):
			t.Errorf("--%s has no default; the table has %s", name, standard)
		}
		delete(defaults, name)
		for _, f := range field.FindAllStringSubmatch(host, -1) {
			in := options[f[1]]
			for part := range strings.SplitSeq(f[2], ".") {
				found, ok := in.FieldByName(part)
				if !ok {
					t.Errorf("--%s: %s has no field %s", name, f[1], f[2])
					break
				}
				in = found.Type
			}
		}
	}
	for name := range defaults {
		t.Errorf("--%s is missing in the table", name)
	}
}
