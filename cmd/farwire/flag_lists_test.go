package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Each flag of several values says in its help how they are given, and takes them so: given
// more than once always; else, in the flag as in its variable, with commas between them, or
// one a line where a value may hold a comma. An empty one, as of a variable that is not set, is
// an error beside others too.
func TestFlags_OfSeveralValues_TakeThemAsHelpSays(t *testing.T) {
	// parse returns what a flag of a command comes to; the command lacks what else it needs.
	parse := func(command string, args ...string) (of func(flag string) []string, err error) {
		clearRest := map[string][]string{"relay": {"ws://a.test"}, "crawl": {"http://a.test"}, "check": {"http://a.test"}}
		var cli commands
		app, err := kong.New(&cli, append(values, kong.Resolvers(&environment{}), kong.TypeMapper(reflect.TypeFor[slog.Level](), kong.MapperFunc(logLevel)))...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Parse(append(append([]string{command}, args...), clearRest[command]...)); err != nil {
			return nil, err
		}
		return func(name string) (got []string) {
			for _, c := range app.Model.Children {
				for _, f := range c.Flags {
					if c.Name == command && f.Name == name {
						for i := range f.Target.Len() {
							got = append(got, f.Target.Index(i).String())
						}
					}
				}
			}
			return got
		}, nil
	}
	var cli commands
	app, err := kong.New(&cli, values...)
	if err != nil {
		t.Fatal(err)
	}
	clearEnvironment(t)
	tried := 0
	for _, c := range app.Model.Children {
		for _, f := range c.Flags {
			if f.Target.Kind() != reflect.Slice {
				continue
			}
			tried++
			want, between := []string{"/a=1,2", "/b=3, 4;5", "*c: d"}, "\n\r\n"
			if strings.HasSuffix(f.PlaceHolder, ",...") {
				want, between = []string{"/a=1", "/b=3", "*c: d"}, ", "
			} else if !strings.Contains(f.Help, "one a line") {
				t.Errorf("%s --%s does not say how several are given: %s", c.Name, f.Name, f.Help)
			}
			joined, flag, in := strings.Join(want, between), "--"+f.Name+"=", variable(f.Name)
			given := map[string][]string{"more than once": {flag + want[0], flag + want[1], flag + want[2]}, "at once": {flag + joined}, "the variable": nil}
			if secretFlags[f.Name] {
				given["the file"] = nil
			}
			for way, args := range given {
				switch way {
				case "the variable":
					t.Setenv(in, joined)
				case "the file":
					name := filepath.Join(t.TempDir(), "values")
					if err := os.WriteFile(name, []byte(joined+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					t.Setenv(in+fileSuffix, name)
				}
				if of, err := parse(c.Name, args...); err != nil {
					t.Errorf("%s --%s, %s: %v", c.Name, f.Name, way, err)
				} else if got := of(f.Name); !slices.Equal(got, want) {
					t.Errorf("%s --%s, %s: %q, want %q", c.Name, f.Name, way, got, want)
				}
				os.Unsetenv(in)
				os.Unsetenv(in + fileSuffix)
			}
			for _, args := range [][]string{{flag}, {flag, flag + want[0]}, {flag + want[0], flag}, {flag + want[0], flag + " "}} {
				if _, err := parse(c.Name, args...); err == nil || !strings.Contains(err.Error(), "empty") {
					t.Errorf("%s %q: %v", c.Name, args, err)
				}
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d flags were tried", tried)
	}
}
