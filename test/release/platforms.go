package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A releaseFile is .goreleaser.yaml, of which goreleaser makes a release.
type releaseFile struct {
	Version     int
	ProjectName string `yaml:"project_name"`
	Builds      []struct {
		ID, Dir, Main, Binary string
		Env, Flags, Ldflags   []string
		ModTimestamp          string `yaml:"mod_timestamp"`
		Goos, Goarch          []string
	}
	Archives []struct {
		ID              string
		Formats         []string
		FormatOverrides []struct {
			Goos    string
			Formats []string
		} `yaml:"format_overrides"`
		Files []string
	}
	Nfpms []struct {
		ID          string
		PackageName string `yaml:"package_name"`

		Vendor, Maintainer, Homepage, Description, License, Bindir string

		Formats, Dependencies []string
		Contents              []struct {
			Src, Dst, Type string
			FileInfo       struct{ Mode uint32 } `yaml:"file_info"`
		}
		Scripts struct{ Postinstall, Preremove, Postremove string }
	}
	Checksum struct {
		NameTemplate string `yaml:"name_template"`
		Algorithm    string
	}
	Sboms     []struct{ ID, Artifacts string }
	Changelog struct{ Disable bool }
	Release   struct{ Draft bool }
}

// readReleaseFile reads it. A name that is not known is an error: goreleaser would
// say so, and it need not be installed.
func readReleaseFile(file string) (f releaseFile, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return f, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return f, fmt.Errorf("%s: %w", file, err)
	}
	return f, nil
}

// mostBytes is how large the program may be.
const mostBytes = 55e6

// crossCompile builds the program as the release file says, for each platform or for
// those that are wanted, one after the other: each keeps all processors busy.
func (r *release) crossCompile(wanted []string) error {
	f, err := readReleaseFile(r.path("tree", ".goreleaser.yaml"))
	if err != nil {
		return err
	}
	for _, b := range f.Builds {
		for _, goos := range b.Goos {
			for _, goarch := range b.Goarch {
				if len(wanted) > 0 && !slices.Contains(wanted, goos+"/"+goarch) {
					continue
				}
				began := time.Now()
				out := r.path("bin", b.Binary+"-"+goos+"-"+goarch)
				args := append([]string{"build"}, b.Flags...)
				args = append(args, "-ldflags", strings.NewReplacer("{{ .Tag }}", r.version, "{{ .ShortCommit }}", "unknown").Replace(strings.Join(b.Ldflags, " ")), "-o", out, b.Main)
				env := append(slices.Clone(r.env), b.Env...)
				if _, err := runIn(r.path("tree", b.Dir), append(env, "GOOS="+goos, "GOARCH="+goarch), "go", args...); err != nil {
					return err
				}
				info, err := os.Stat(out)
				if err != nil {
					return err
				}
				if info.Size() > mostBytes {
					return fmt.Errorf("%s for %s/%s has %d bytes, more than %d", b.Binary, goos, goarch, info.Size(), int64(mostBytes))
				}
				log.Printf("%s for %s/%s: %.1f MB, in %v", b.Binary, goos, goarch, float64(info.Size())/1e6, time.Since(began).Round(time.Second))
			}
		}
	}
	return nil
}

// missing returns the files of the tree that the release file names and that are not
// there.
func (f releaseFile) missing(tree string) (names []string) {
	for _, a := range f.Archives {
		names = append(names, a.Files...)
	}
	for _, p := range f.Nfpms {
		for _, c := range p.Contents {
			names = append(names, c.Src)
		}
		names = append(names, p.Scripts.Postinstall, p.Scripts.Preremove, p.Scripts.Postremove)
	}
	for _, b := range f.Builds {
		names = append(names, filepath.Join(b.Dir, b.Main))
	}
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(filepath.Join(tree, name))
		return err == nil
	})
}
