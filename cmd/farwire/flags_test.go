package main

import (
	"reflect"
	"testing"
)

// flagsOf returns the help of each flag of a command, by its name.
func flagsOf(t *testing.T, command any) map[string]string {
	t.Helper()
	flags := map[string]string{}
	var add func(reflect.Type)
	add = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			switch {
			case f.Tag.Get("help") != "":
				flags[f.Name] = f.Tag.Get("help")
			case f.Type.Kind() == reflect.Struct:
				add(f.Type)
			}
		}
	}
	add(reflect.TypeOf(command))
	return flags
}

// A flag that serve and agent have both means the same thing and is explained in the same
// words. Those whose words differ concern another exit, or another count.
func TestFlags_OfServeAndAgent_MeanTheSame(t *testing.T) {
	atServe, atAgent := flagsOf(t, serve{}), flagsOf(t, agentCommand{})
	if len(atServe) < 40 || len(atAgent) < 12 {
		t.Fatalf("found %d flags of serve and %d of agent", len(atServe), len(atAgent))
	}
	for _, name := range []string{"Deny", "AllowPorts", "AllowOnLink", "DrainTimeout", "LogFormat", "LogLevel"} {
		if atServe[name] == "" || atServe[name] != atAgent[name] {
			t.Errorf("%s: serve says %q, agent %q", name, atServe[name], atAgent[name])
		}
	}
	if atServe["AllowPrivate"] == "" || atAgent["AllowPrivate"] == "" {
		t.Error("AllowPrivate is not a flag of both")
	}
	for name, help := range atAgent {
		other := map[string]bool{"AllowPrivate": true, "MaxSessions": true}
		if said, both := atServe[name]; both && said != help && !other[name] {
			t.Errorf("%s: serve says %q, agent %q", name, said, help)
		}
	}
}
