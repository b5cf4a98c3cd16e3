package main

import (
	"reflect"
	"testing"
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
