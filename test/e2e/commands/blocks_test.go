package commands

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const repository = "../../.."

// A block is code of a page. It is known by its page and its first line.
type block struct{ page, language, code string }

func (b block) name() string {
	first, _, _ := strings.Cut(b.code, "\n")
	return b.page + ": " + first
}

var (
	fenced = regexp.MustCompile("(?ms)^```(\\w*)[^\n]*\n(.*?)^```$")
	named  = regexp.MustCompile("(?ms)^<!-- [^\n]+ -->\n\n```\\w+\n.*?^```$") // the tests of their pages run these
)

// commands are the blocks that a person pastes into a shell, of README.md, CONTRIBUTING.md
// and docs.
func commands(t *testing.T) map[string]block {
	t.Helper()
	files, err := filepath.Glob(repository + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]block)
	for _, file := range append(files, repository+"/README.md", repository+"/CONTRIBUTING.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page := strings.TrimPrefix(filepath.ToSlash(file), repository+"/")
		for _, m := range fenced.FindAllStringSubmatch(named.ReplaceAllString(string(text), ""), -1) {
			switch m[1] {
			case "sh", "console", "bash", "shell":
				b := block{page, m[1], m[2]}
				if _, twice := all[b.name()]; twice {
					t.Errorf("%s stands twice", b.name())
				}
				all[b.name()] = b
			}
		}
	}
	return all
}

// elsewhere are blocks that another test runs, and those that no test can.
var elsewhere = map[string]string{
	"README.md: farwire agent --gateway https://gateway.example.com --secret SHARED_SECRET --slug at1 --country AT":     "run with the gateway's line",
	"README.md: curl -N http://127.0.0.1:8080/amqp -H 'X-API-Key: YOUR_API_KEY' -H 'Content-Type: application/json' \\": "TestREADME_CurlOfAMQP_Streams",
	"docs/amqp.md: # curl": "the package amqp runs the loops of the page",
	"docs/clients.md: curl -s https://gateway.example/auth/token -H \"X-API-Key: $KEY\" -H 'Content-Type: application/json' \\": "TestPage_EveryClient_ReachesItsServer",
	"docs/clients.md: curl -s -H \"X-API-Key: $KEY\" 'https://gateway.example/to/geo=DE/https/api.example.com/v1/items?page=2'": "TestPage_EveryClient_ReachesItsServer",
	"README.md: go install github.com/farwire/farwire/cmd/farwire@latest":                                                       "needs a release; make release-check does it to what a release would be",
	"README.md: go get github.com/farwire/farwire":                                                                              "likewise",
	"docs/operating.md: docker run -p 8080:8080 -v farwire:/data \\":                                                            "needs Docker; TestSeccomp_Profile_ChromiumHasItsSandbox has the kernel apply the profile",
	"docs/operating.md: kubectl create namespace farwire":                                                                       "needs a cluster; TestKubernetes_SecretOfThePage_HasWhatThePodsRead holds its files to the manifests",
	"docs/operating.md: kubectl -n farwire rollout restart deployment/gateway":                                                  "needs a cluster; TestReplaceSecrets_OfServices_GatewaysRestartInTurn restarts gateways so",
	"docs/benchmarks.md: go run ./test/relaybench":                                                                              "a benchmark, which wants a machine of its own",
	"docs/benchmarks.md: go run ./test/relaybench -parts path,tunnel":                                                           "likewise",
	"docs/benchmarks.md: go test -v -run TestDeflate_Feeds ./test/e2e/relay":                                                    "likewise",
	"docs/benchmarks.md: go test -run '^$' -bench 'ConnectMessage|AMQPBody|CrawlRequest' ./internal/request":                    "likewise",
	"docs/benchmarks.md: go test -run '^$' -bench RelayBesideCrawls -benchtime 6x ./test/crawlbench":                            "likewise",
	"docs/benchmarks.md: go test -run '^$' -bench FirstRelay -benchtime 20x ./cmd/farwire":                                      "likewise",
	"docs/benchmarks.md: go test -run '^$' -bench . ./test/amqpbench":                                                           "likewise",
	"docs/benchmarks.md: go test -run '^$' -bench . ./test/crawlbench":                                                          "likewise",
	"docs/benchmarks.md: go test -run '^$' -bench BesideColly -count 6 ./test/crawlbench":                                       "likewise",
}

// Whatever a page has to paste is run by a test, or stands in the list above with the
// reason why not.
func TestPages_EveryCommand_IsRunOrExcused(t *testing.T) {
	all := commands(t)
	for name := range all {
		_, here := runs[name]
		_, there := elsewhere[name]
		if here == there {
			t.Errorf("%q is run here: %t; it is in the list of those that are not: %t", name, here, there)
		}
	}
	for name := range runs {
		if _, ok := all[name]; !ok {
			t.Errorf("no page says %q, which is run here", name)
		}
	}
	for name := range elsewhere {
		if _, ok := all[name]; !ok {
			t.Errorf("no page says %q, which is excused", name)
		}
	}
}

var (
	folder    = regexp.MustCompile(`(?m) (\./[\w./-]+)`)
	benchmark = regexp.MustCompile(`-(?:run|bench) '?([\w|]{3,})'?`)
)

// What the blocks that are not run name is there: packages, benchmarks and tests.
func TestPages_BenchmarksNotRun_Exist(t *testing.T) {
	checked := 0
	for name, b := range commands(t) {
		if !strings.Contains(name, "benchmarks.md: ") {
			continue
		}
		for line := range strings.Lines(b.code) {
			for _, m := range folder.FindAllStringSubmatch(line, -1) {
				sources, err := filepath.Glob(filepath.Join(repository, m[1], "*.go"))
				if err != nil || len(sources) == 0 {
					t.Errorf("%s: %s has no Go file, %v", name, m[1], err)
				}
				var text strings.Builder
				for _, file := range sources {
					b, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					text.Write(b)
				}
				for _, named := range benchmark.FindAllStringSubmatch(line, -1) {
					for part := range strings.SplitSeq(named[1], "|") {
						if ok, err := regexp.MatchString(`func (Test|Benchmark)\w*`+strings.TrimPrefix(part, "Test"), text.String()); err != nil || !ok {
							t.Errorf("%s: %s has no %s, %v", name, m[1], part, err)
						}
						checked++
					}
				}
			}
		}
	}
	if checked < 4 {
		t.Errorf("only %d benchmarks were looked for", checked)
	}
}
