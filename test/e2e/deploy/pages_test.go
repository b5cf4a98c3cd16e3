//go:build unix

package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	passedHost = regexp.MustCompile(`(?m)^.*proxy_set_header\s+Host\b.*$`)
	fromFile   = regexp.MustCompile(`--from-file=secrets/(\S+)`)
	kubectl    = regexp.MustCompile(`(?m)(?:^kubectl .*\n(?:^  .*\n)*)+`)
)

// The console and the hosted files compare a page's origin with the Host of the request,
// port included: nginx has to pass on the one that it was sent. The gateway believes what
// nginx says of the client.
func TestPages_NginxExamples_PassHostAndClientOn(t *testing.T) {
	pages, err := filepath.Glob(repository + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var with []string
	for _, page := range append(pages, repository+"/README.md") {
		text := read(t, page)
		said := passedHost.FindAllString(text, -1)
		for _, line := range said {
			if strings.TrimSpace(line) != "proxy_set_header Host $http_host;" {
				t.Errorf("%s says %q", page, line)
			}
		}
		if proxied := strings.Contains(text, "proxy_pass "); proxied != (len(said) > 0) {
			t.Errorf("%s: an nginx passes requests on: %t; it says so of their Host %d times", page, proxied, len(said))
		}
		for _, want := range []string{"proxy_set_header X-Forwarded-For $remote_addr;", "proxy_set_header X-Forwarded-Proto $scheme;", "FARWIRE_TRUSTED_PROXIES="} {
			if len(said) > 0 && !strings.Contains(text, want) {
				t.Errorf("%s has an nginx, and no %s", page, want)
			}
		}
		if len(said) > 0 {
			with = append(with, filepath.Base(page))
		}
	}
	if len(with) < 2 {
		t.Errorf("only %q have an nginx", with)
	}
}

// The image's modules are fetched in a layer that a change of the source leaves, and it
// is compiled for the platform that is asked for, on the one that builds.
func TestImage_Build_FetchesModulesFirstAndCompilesForTheTarget(t *testing.T) {
	copied, fetched, compiled := map[string]bool{}, false, false
	var declared []string
	for _, m := range stages(t)["build"] {
		words := strings.Fields(m[1])
		switch {
		case m[0] == "ARG":
			declared = append(declared, m[1])
		case m[0] == "COPY" && m[1] == ". .":
			if !fetched {
				t.Error("the source is copied before the modules are fetched")
			}
			copied["."] = true
		case m[0] == "COPY":
			for _, from := range words[:len(words)-1] {
				copied[from] = true
			}
		case strings.Contains(m[1], "go mod download"):
			for _, file := range []string{"go.mod", "go.sum", "adapters/go.mod", "adapters/go.sum", "cmd/go.mod", "cmd/go.sum"} {
				if !copied[file] {
					t.Errorf("modules are fetched without %s", file)
				}
			}
			fetched = true
		case strings.Contains(m[1], "go build"):
			for _, want := range []string{"GOOS=$TARGETOS ", "GOARCH=$TARGETARCH ", "--mount=type=cache,target=/root/.cache/go-build "} {
				if !strings.Contains(m[1], want) {
					t.Errorf("it compiles with %s, without %s", m[1], want)
				}
			}
			for _, want := range []string{"TARGETOS", "TARGETARCH"} {
				if !slices.Contains(declared, want) {
					t.Errorf("ARG %s does not stand before it compiles", want)
				}
			}
			compiled = true
		}
	}
	if !fetched || !copied["."] || !compiled {
		t.Errorf("modules are fetched: %t; the source is copied: %t; the program is compiled: %t", fetched, copied["."], compiled)
	}
}

// The page's kubectl line puts into the Secret what the Deployments read from it, and
// nothing else.
func TestKubernetes_SecretOfThePage_HasWhatThePodsRead(t *testing.T) {
	text, err := os.ReadFile(repository + "/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, m := range fromFile.FindAllStringSubmatch(string(text), -1) {
		given[m[1]] = true
	}
	wanted := map[string]bool{}
	for name, m := range manifests(t) {
		if m.Kind != "Deployment" {
			continue
		}
		c := pod(t, m, true)
		values := slices.Clone(c.Args)
		for _, v := range c.Env {
			values = append(values, v.Value)
		}
		for path, key := range c.secrets {
			if key != "" {
				wanted[key] = true
				continue
			}
			// The whole Secret is in a folder: what is read of it is named in the command.
			for _, value := range values {
				if file, ok := strings.CutPrefix(value, path); ok {
					wanted[file] = true
				}
			}
		}
		if len(c.secrets) == 0 {
			t.Errorf("%s reads nothing of the Secret", name)
		}
	}
	for key := range wanted {
		if !given[key] {
			t.Errorf("pods read %s, and the page's Secret has %v", key, given)
		}
	}
	for key := range given {
		if !wanted[key] {
			t.Errorf("the page's Secret has %s, which no pod reads", key)
		}
	}
}

// Pasted in order, in the repository's folder, the page's commands find the files that
// they name, and git does not see the secrets.
func TestKubernetes_PagePastedInOrder_FindsItsFiles(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "deploy"), filepath.Join(dir, "deploy")); err != nil {
		t.Fatal(err)
	}
	look := `#!/bin/sh
for word; do
	case $word in
	--from-file=*) test -s "${word#*=}" ;;
	deploy/*) test -f "$word/kustomization.yaml" ;;
	esac || { echo "$word is not there"; exit 1; }
done
echo called
`
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(look), 0o700); err != nil {
		t.Fatal(err)
	}
	commands := kubectl.FindString(read(t, filepath.Join(root, "docs/operating.md")))
	out := paste(t, dir, pageBlock(t, "secrets.sh")+commands)
	if called := strings.Count(out, "called\n"); called != 3 {
		t.Errorf("kubectl was called %d times by\n%s\n%s", called, commands, out)
	}
	if ignored := "\n" + read(t, filepath.Join(root, ".gitignore")); !strings.Contains(ignored, "\n/secrets/\n") {
		t.Errorf("git ignores no secrets: %s", ignored)
	}
}
