package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/farwire/farwire/internal/harness"
)

// scrapeAll returns a scrape in which every metric has a series: of a gateway
// with an agent in a process of its own and limits in Redis.
func scrapeAll(t *testing.T) scrape {
	t.Helper()
	const secret = "secret-of-the-agents-0123"
	cmd := harness.Farwire(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--agent-secret", secret)
	cmd.Env = append(cmd.Env, "REDIS_URL=redis://"+harness.Redis(t).Addr)
	g := harness.StartGateway(t, cmd)
	metrics := g.Await(g.Stderr, metricsLine)[1]
	harness.Start(t, harness.Farwire(t, "agent", "--gateway", "http://"+g.Addr, "--secret", secret, "--slug", "at1", "--country", "AT"))
	await(t, metrics, expectation{`farwire_agent_links{agent="farwire-at1",country="AT"}`, 1})
	all := read(t, metrics)
	for all["farwire_agent_rtt_seconds"] == nil {
		all = read(t, metrics)
	}
	return all
}

// What Prometheus adds to each series that it scrapes, and a metric of its own.
var added = []string{"instance", "job"}

const up = "up"

// These values appear once something has happened.
var later = map[string][]string{
	"state":  {"available", "limited", "unavailable", "recovering", "draining"},
	"status": {"401", "403", "429", "500", "502", "503", "504"},
}

// names returns the labels of a metric, or false if no metric has that name.
func (s scrape) names(metric string) ([]string, bool) {
	if metric == up {
		return added, true
	}
	f, ok := s[metric]
	switch {
	case ok && f.GetMetric()[0].Histogram != nil:
		return nil, false // it is three others
	case !ok:
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, is := strings.CutSuffix(metric, suffix); is && s[base] != nil && s[base].GetMetric()[0].Histogram != nil {
				f, ok = s[base], true
			}
		}
	}
	if !ok {
		return nil, false
	}
	found := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			found[l.GetName()] = true
		}
	}
	if strings.HasSuffix(metric, "_bucket") {
		found["le"] = true
	}
	return append(slices.Collect(maps.Keys(found)), added...), true
}

// values returns the values that a label of any metric has or may have.
func (s scrape) values(label string) []string {
	values := slices.Clone(later[label])
	for _, f := range s {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					values = append(values, l.GetValue())
				}
			}
		}
	}
	return values
}

// check says what is wrong with a query, and returns the labels of its result.
func (s scrape) check(query string) (result []string, wrong []string) {
	// What Grafana fills in before Prometheus reads it.
	query = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(query)
	expr, err := parser.ParseExpr(query)
	if err != nil {
		return nil, []string{err.Error()}
	}
	all := map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		names, ok := s.names(v.Name)
		if !ok {
			wrong = append(wrong, "there is no metric "+v.Name)
			return nil
		}
		for _, n := range names {
			all[n] = true
		}
		for _, m := range v.LabelMatchers {
			switch {
			case m.Name == labels.MetricName || slices.Contains(added, m.Name):
			case !slices.Contains(names, m.Name):
				wrong = append(wrong, fmt.Sprintf("%s has no label %s", v.Name, m.Name))
			case !slices.ContainsFunc(s.values(m.Name), m.Matches):
				wrong = append(wrong, fmt.Sprintf("%s is never %s", m.Name, m))
			}
			// A matcher that all values pass is a mistake, too: one is misspelt.
			if m.Type == labels.MatchNotEqual && !slices.Contains(s.values(m.Name), m.Value) {
				wrong = append(wrong, fmt.Sprintf("%s is never %q", m.Name, m.Value))
			}
			if m.Type == labels.MatchRegexp && !slices.Contains(added, m.Name) {
				for _, one := range strings.Split(m.Value, "|") {
					if !slices.Contains(s.values(m.Name), one) {
						wrong = append(wrong, fmt.Sprintf("%s is never %q", m.Name, one))
					}
				}
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				if !all[l] {
					wrong = append(wrong, "nothing has a label "+l)
				}
			}
		}
		return nil
	})
	return resultLabels(expr, slices.Collect(maps.Keys(all))), wrong
}

// resultLabels returns the labels that the series of a result have.
func resultLabels(expr parser.Expr, all []string) []string {
	switch e := expr.(type) {
	case *parser.AggregateExpr:
		if !e.Without {
			return e.Grouping
		}
	case *parser.ParenExpr:
		return resultLabels(e.Expr, all)
	case *parser.BinaryExpr:
		return resultLabels(e.LHS, all)
	case *parser.Call:
		if e.Func.Name == "histogram_quantile" {
			return slices.DeleteFunc(slices.Clone(resultLabels(e.Args[1], all)), func(l string) bool { return l == "le" })
		}
	}
	return all
}

var legendLabel = regexp.MustCompile(`{{\s*(?:\$labels\.)?(\w+)\s*}}`)

// checkText says which labels a text names that the result does not have.
func checkText(text string, result []string) (wrong []string) {
	for _, m := range legendLabel.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(result, m[1]) {
			wrong = append(wrong, fmt.Sprintf("%q names %s, which the result (%v) does not have", text, m[1], result))
		}
	}
	return wrong
}

type dashboard struct {
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
}

func TestDocs_Dashboard_IsValid(t *testing.T) {
	b, err := os.ReadFile("../../../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	s := scrapeAll(t)
	shown := map[string]bool{}
	ids := map[int]bool{}
	queries := 0
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q has an id that is taken, or does not fit", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			queries++
			result, wrong := s.check(target.Expr)
			for _, w := range append(wrong, checkText(target.LegendFormat, result)...) {
				t.Errorf("%s: %s: %s", p.Title, target.Expr, w)
			}
			for name := range s {
				if mentions(target.Expr, name) {
					shown[name] = true
				}
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
	if queries == 0 {
		t.Fatal("the dashboard has no query")
	}
	variable := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		text, _ := v.Query.(map[string]any)["query"].(string)
		m := variable.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("variable %s: %q", v.Name, text)
			continue
		}
		if names, ok := s.names(m[1]); !ok || !slices.Contains(names, m[2]) {
			t.Errorf("variable %s: %s has no label %s", v.Name, m[1], m[2])
		}
	}
	// What is not on the dashboard is left out on purpose.
	for name := range s {
		if strings.HasPrefix(name, "farwire_") && !shown[name] && !slices.Contains(notShown, name) {
			t.Errorf("%s is nowhere on the dashboard", name)
		}
	}
}

// mentions reports whether a query has a name as a whole, or one of the three
// of a histogram.
func mentions(query, name string) bool {
	return regexp.MustCompile(`\b` + name + `(_bucket|_sum|_count)?\b`).MatchString(query)
}

var notShown = []string{"farwire_agent_links", "farwire_agent_state", "farwire_agents_unlisted"}

type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func TestDocs_Alerts_AreValid(t *testing.T) {
	b, err := os.ReadFile("../../../docs/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	dec.KnownFields(true)
	if err := dec.Decode(&r); err != nil {
		t.Fatal(err)
	}
	s := scrapeAll(t)
	alerts := map[string]bool{}
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			result, wrong := s.check(rule.Expr)
			for _, text := range rule.Annotations {
				wrong = append(wrong, checkText(text, result)...)
			}
			if _, err := model.ParseDuration(rule.For); err != nil {
				wrong = append(wrong, err.Error())
			}
			if rule.Annotations["summary"] == "" || alerts[rule.Alert] {
				wrong = append(wrong, "no summary, or a name that is taken")
			}
			alerts[rule.Alert] = true
			for _, w := range wrong {
				t.Errorf("%s: %s", rule.Alert, w)
			}
		}
	}
	if len(alerts) == 0 {
		t.Fatal("there are no rules")
	}
}

// TestDocs_Check_FindsMistakes makes sure that the check finds what it is there for.
func TestDocs_Check_FindsMistakes(t *testing.T) {
	g, metrics := start(t)
	s := read(t, metrics)
	g.Stop()
	for query, want := range map[string]string{
		`sum by (kind) (farwire_sessions_active)`:                  "",
		`farwire_sessions_actve`:                                   "no metric farwire_sessions_actve",
		`farwire_sessions_active{kid="relay"}`:                     "no label kid",
		`farwire_sessions_active{kind="rely"}`:                     "never",
		`farwire_dials_total{class!="oke"}`:                        `never "oke"`,
		`farwire_agents{state=~"available|limted"}`:                `never "limted"`,
		`sum by (knd) (farwire_sessions_active)`:                   "nothing has a label knd",
		`farwire_draining_bucket`:                                  "no metric",
		`histogram_quantile(0.5, farwire_dial_duration_seconds)`:   "no metric",
		`sum by (le) (rate(farwire_dial_duration_seconds_bucket`:   "parse error",
		`rate(farwire_dial_duration_seconds_bucket{le="0.5"}[5m])`: "never",
	} {
		_, wrong := s.check(query)
		if got := strings.Join(wrong, "; "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if wrong := checkText("{{kind}} of {{ $labels.job }}", []string{"kind"}); len(wrong) != 1 || !strings.Contains(wrong[0], "job") {
		t.Errorf("got %q", wrong)
	}
}
