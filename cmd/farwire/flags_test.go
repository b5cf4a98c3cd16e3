package main

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A flagTag is what a command says of one of its flags.
type flagTag struct{ help, standard, values string }

// flagsOf returns the flags of a command, by their names.
func flagsOf(t *testing.T, command any) map[string]flagTag {
	t.Helper()
	flags := map[string]flagTag{}
	var add func(reflect.Type)
	add = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			switch {
			case f.Tag.Get("help") != "":
				flags[f.Name] = flagTag{f.Tag.Get("help"), f.Tag.Get("default"), f.Tag.Get("enum")}
			case f.Type.Kind() == reflect.Struct:
				add(f.Type)
			}
		}
	}
	add(reflect.TypeOf(command))
	return flags
}

// A flag that serve and agent have both means the same thing, has the same default and is
// explained in the same words. Those that differ concern another exit, or another count.
func TestFlags_OfServeAndAgent_MeanTheSame(t *testing.T) {
	atServe, atAgent := flagsOf(t, serve{}), flagsOf(t, agentCommand{})
	if len(atServe) < 40 || len(atAgent) < 12 {
		t.Fatalf("found %d flags of serve and %d of agent", len(atServe), len(atAgent))
	}
	for _, name := range []string{"Deny", "AllowPorts", "AllowOnLink", "DrainTimeout", "LogFormat", "LogLevel"} {
		if atServe[name].help == "" || atServe[name] != atAgent[name] {
			t.Errorf("%s: serve says %q, agent %q", name, atServe[name], atAgent[name])
		}
	}
	if atServe["AllowPrivate"].help == "" || atAgent["AllowPrivate"].help == "" {
		t.Error("AllowPrivate is not a flag of both")
	}
	for name, flag := range atAgent {
		other := map[string]bool{"AllowPrivate": true, "MaxSessions": true}
		if said, both := atServe[name]; both && said != flag && !other[name] {
			t.Errorf("%s: serve says %q, agent %q", name, said, flag)
		}
	}
}

// In a cluster serve and work have an agent of their own where one is asked for, by the
// flag or its variable, the default's name included.
func TestLocalAgent_WithNATS_OnlyWhenGiven(t *testing.T) {
	for _, c := range []struct {
		nats, variable string
		args           []string
		want           string
	}{
		{"", "", nil, "local:ZZ"},
		{"nats://127.0.0.1:4222", "", nil, "none"},
		{"nats://127.0.0.1:4222", "", []string{"--local-agent", "local:ZZ"}, "local:ZZ"},
		{"nats://127.0.0.1:4222", "", []string{"--local-agent=de1:DE"}, "de1:DE"},
		{"nats://127.0.0.1:4222", "local:ZZ", nil, "local:ZZ"},
		{"nats://127.0.0.1:4222", "none", nil, "none"},
		{"", "", []string{"--local-agent", "none"}, "none"},
	} {
		for _, command := range []string{"serve", "work"} {
			clearEnvironment(t)
			for name, value := range map[string]string{"NATS_URL": c.nats, "FARWIRE_LOCAL_AGENT": c.variable} {
				if value != "" {
					t.Setenv(name, value)
				}
			}
			var cli commands
			parser, err := kong.New(&cli, append(values, kong.Resolvers(&environment{}), kong.TypeMapper(reflect.TypeFor[slog.Level](), kong.MapperFunc(logLevel)))...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(append([]string{command}, c.args...)); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{"serve": cli.Serve.LocalAgent, "work": cli.Work.LocalAgent}[command]
			if got != c.want {
				t.Errorf("%s %q with NATS_URL=%q and FARWIRE_LOCAL_AGENT=%q: %s, want %s", command, c.args, c.nats, c.variable, got, c.want)
			}
		}
	}
}

// A worker serves nothing: its help names no client and no address of its own, it lists
// the services that it uses, and whether it recrawls is not a question.
func TestHelp_Work_IsTrueOfAWorker(t *testing.T) {
	status, help, said := runHere(t, []string{"work", "--help"}, nil)
	if status != statusOK || said != "" {
		t.Fatalf("status %d, %s", status, said)
	}
	help = strings.Join(strings.Fields(help), " ")
	for _, wrong := range []string{"client", "this gateway", "listens", "--recrawl", "--[no-]recrawl"} {
		if strings.Contains(help, wrong) {
			t.Errorf("it says %q:\n%s", wrong, help)
		}
	}
	for _, right := range []string{"DATABASE_URL", "NATS_URL", "S3_BUCKET", "--public-url", "--crawl-timeout"} {
		if !strings.Contains(help, right) {
			t.Errorf("it does not say %q:\n%s", right, help)
		}
	}
	// The variable of the gateways is not the worker's, whose work is what it turns off there.
	status, _, said = runHere(t, []string{"work", "--drain-timeout=0s"}, []string{"FARWIRE_RECRAWL=false"})
	if status != statusMisuse || !strings.HasPrefix(said, "farwire: --drain-timeout: ") {
		t.Errorf("with FARWIRE_RECRAWL=false: status %d, %q", status, said)
	}
}
