package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Set with -ldflags "-X main.release=v1.2.3 -X main.commit=abc123" by builds
// that have no version control to read them from.
var release, commit string

type version struct{}

// Run prints one line.
func (version) Run() error {
	b := build()
	_, err := fmt.Fprintf(os.Stdout, "farwire %s, commit %s, %s\n", b.version, b.commit, b.goVersion)
	return err
}

// A buildRecord says what this program was made of.
type buildRecord struct{ version, commit, goVersion string }

func build() buildRecord {
	b := buildRecord{release, commit, runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.version = cmp.Or(b.version, info.Main.Version)
		settings := make(map[string]string)
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if b.commit == "" && settings["vcs.revision"] != "" {
			b.commit = settings["vcs.revision"]
			if settings["vcs.modified"] == "true" {
				b.commit += " with changes"
			}
		}
	}
	b.version = cmp.Or(b.version, "(devel)")
	b.commit = cmp.Or(b.commit, "unknown")
	return b
}
