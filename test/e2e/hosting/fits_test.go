package hosting

import (
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/sqlstore"
	"github.com/farwire/farwire/internal/harness"
)

// Two workers on one database have agents in different countries: the one that has none
// for a site leaves it as it is, and the other one crawls it as soon as it is there.
func TestWork_AgentOfOneWorkerFits_ThatOneCrawls(t *testing.T) {
	for name, database := range map[string]func(t *testing.T, dir string) (url string, environ []string){
		"sqlite": func(_ *testing.T, dir string) (string, []string) { return "sqlite:" + dir + "/sites.db", nil },
		"postgres": func(t *testing.T, _ string) (string, []string) {
			db := harness.Postgres(t)
			return db.URL, []string{"DATABASE_URL=" + db.URL}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			url, environ := database(t, dir)
			environ = append(environ, "FARWIRE_BROWSER=none")
			g := serve(t, environ, "--data-dir", dir, "--no-recrawl", "--local-agent", "de1:DE")
			store, err := sqlstore.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			german, free := newChanging(t), newChanging(t)
			enrolled := func(s *changing, geo string, due time.Time) outcome {
				t.Helper()
				out := crawl(t, g, map[string]any{"url": s.url, "enableAutoUpdate": true, "geo": geo})
				sites, err := store.Enrolled(t.Context(), s.url)
				if err != nil || out.code != 1000 || len(sites) != 1 {
					t.Fatalf("the enrolment came to %+v, %+v, %v", out, sites, err)
				}
				if _, err := store.MakeDue(t.Context(), sites[0].ID, due); err != nil {
					t.Fatal(err)
				}
				s.change()
				return out
			}
			due := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
			inGermany := enrolled(german, "SE,DE", due)
			anywhere := enrolled(free, "", due.Add(time.Minute))
			work := func(agent string) *harness.TestProcess {
				t.Helper()
				cmd := harness.Farwire(t, "work", "--data-dir", dir, "--allow-private", "--local-agent", agent, "--public-url", "http://"+g.Addr)
				cmd.Env = append(cmd.Env, environ...)
				return harness.Start(t, cmd)
			}
			austria := work("at5:AT")
			await(t, g, anywhere.url, free.says())
			waitFor(t, g, "the site that fits is done", func() bool { return strings.Contains(austria.Log(), "outcome=changed") })
			sites, err := store.Enrolled(t.Context(), german.url)
			if err != nil || len(sites) != 1 || !sites[0].NextCrawl.Equal(due) || sites[0].Failures != 0 || sites[0].Leased {
				t.Errorf("no exit fits it: %+v, %v; it was due at %v", sites, err, due)
			}
			germany := work("de1:DE")
			await(t, g, inGermany.url, german.says())
			if log := austria.Log(); strings.Contains(log, "site="+german.url) {
				t.Errorf("a worker without an agent that fits worked the site:\n%s", log)
			}
			for _, worker := range []*harness.TestProcess{austria, germany} {
				worker.Signal(harness.Terminate)
				if status := worker.Status(); status != 0 {
					t.Errorf("a worker ended with status %d", status)
				}
			}
		})
	}
}
