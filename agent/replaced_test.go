package agent_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// hello says hello to the pool, as the agent of the record de1, and stays.
func hello(t *testing.T, p *agent.Pool, wg *sync.WaitGroup, instance, more string) (welcome map[string]any, leave func()) {
	t.Helper()
	return helloAs(t, p, wg, "de1", instance, more)
}

func helloAs(t *testing.T, p *agent.Pool, wg *sync.WaitGroup, slug, instance, more string) (welcome map[string]any, leave func()) {
	t.Helper()
	gw, c := net.Pipe()
	wg.Go(func() { p.AttachRecorded(gw, slug) })
	send(c, fmt.Sprintf(`{"version":1,"instance":%q,"slug":"x","country":"FR"%s}`, instance, more))
	if welcome = receive(t, c); welcome["refused"] == nil {
		if _, err := c.Write([]byte(controlStream(""))); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			buf := make([]byte, 1<<10)
			for {
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
		})
	}
	synctest.Wait()
	return welcome, func() { c.Close(); synctest.Wait() }
}

// One that was replaced does not replace the newer in turn, as long as that is
// there.
func TestExclusive_ReplacedAgent_Yields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := agent.NewPool(agent.PoolOptions{Logger: quiet, Records: []agent.Record{
			{Slug: "de1", Country: "DE", TokenSHA256: sha("the token of de1"), Exclusive: true},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		const yield = `,"yield":true`
		first, olderLeaves := hello(t, p, &wg, "older", "")
		_, newerLeaves := hello(t, p, &wg, "newer", "")
		olderLeaves()
		for range 3 {
			if w, _ := hello(t, p, &wg, "older", yield); w["code"] != "replaced" || w["gateway"] != first["gateway"] || w["refused"] != "another agent serves the exclusive slug de1" {
				t.Errorf("the older one is told %v", w)
			}
		}
		newerLeaves()
		if w, leave := hello(t, p, &wg, "older", yield); w["refused"] != nil {
			t.Errorf("with nobody there it is told %v", w)
		} else {
			leave()
		}
		wg.Wait()
	})
}

// The same agent's newer link takes the place of the older: that has lost its
// other end.
func TestRegister_SameInstanceAgain_ReplacesItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := agent.NewPool(agent.PoolOptions{Logger: quiet, Records: []agent.Record{
			{Slug: "de1", Country: "DE", TokenSHA256: sha("the token of de1")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		first, _ := hello(t, p, &wg, "one", "")
		second, leave := hello(t, p, &wg, "one", "")
		if first["gateway"] != second["gateway"] || first["link"].(float64) >= second["link"].(float64) {
			t.Errorf("welcomes are %v and %v", first, second)
		}
		_, other := hello(t, p, &wg, "two", "")
		time.Sleep(5 * time.Second) // they answer no pings, and would be lost later
		if n := p.Agents()[0].Links; n != 2 {
			t.Errorf("%d links of two agents", n)
		}
		leave()
		other()
		wg.Wait()
	})
}

// Whom an exclusive slug replaces is an agent of that slug, whatever its instance is called.
func TestRegister_ExclusiveSlug_OtherSlugsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := agent.NewPool(agent.PoolOptions{Logger: quiet, Records: []agent.Record{
			{Slug: "de1", Country: "DE", TokenSHA256: sha("the token of de1"), Exclusive: true},
			{Slug: "at5", Country: "AT", TokenSHA256: sha("the token of at5")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var leave []func()
		for _, who := range [][2]string{{"at5", "one"}, {"at5", "two"}, {"de1", "one"}, {"de1", "two"}} {
			w, leaves := helloAs(t, p, &wg, who[0], who[1], "")
			if w["refused"] != nil || w["slug"] != who[0] {
				t.Errorf("%v is told %v", who, w)
			}
			leave = append(leave, leaves)
		}
		for _, in := range p.Agents() {
			if want := map[string]int{"at5": 2, "de1": 2}[in.Slug]; in.Links != want || in.State == agent.Draining {
				t.Errorf("%s has %d links, %s; want %d", in.Slug, in.Links, in.State, want)
			}
			e := selectOne(t, p, agent.Query{Slugs: []string{in.Slug}})
			if e.Slug != in.Slug {
				t.Errorf("%s: the exit is %s", in.Slug, e.Slug)
			}
		}
		for _, leaves := range leave {
			leaves()
		}
		wg.Wait()
	})
}

// A record that has gone since the hello is gone, and its agent is told.
func TestRegister_RecordGoneSinceTheHello_SaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := agent.NewPool(agent.PoolOptions{Logger: quiet, Secret: secret, Records: []agent.Record{
			{Slug: "de1", Country: "DE", TokenSHA256: sha("the token of de1")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		gw, c := net.Pipe()
		left := make(chan error, 1)
		go func() { left <- p.AttachRecorded(gw, "de1") }()
		send(c, `{"version":1,"instance":"one","slug":"x","country":"FR"}`)
		if w := receive(t, c); w["refused"] != nil {
			t.Fatalf("it is told %v", w)
		}
		if err := p.SetRecords(nil); err != nil {
			t.Fatal(err)
		}
		go io.WriteString(c, controlStream(""))
		said, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(said), `"code":"identity"`) {
			t.Errorf("it is told %q, %v", said, err)
		}
		if err := <-left; err == nil || len(p.Agents()) > 0 {
			t.Errorf("it is attached: %v, %v", err, p.Agents())
		}
	})
}

// An agent that was replaced says so when it comes again.
func TestHello_AfterReplacement_SaysYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gateways, sides [2]net.Conn
		for i := range gateways {
			gateways[i], sides[i] = net.Pipe()
		}
		left := make(chan error, 1)
		began := time.Now()
		go func() {
			left <- agent.JoinTwice(t.Context(), agent.RunOptions{
				Gateways: []string{"https://gw"}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet,
			}, sides[0], sides[1])
		}()
		for i, gw := range gateways {
			if h := receive(t, gw); (h["yield"] == true) != (i == 1) {
				t.Errorf("hello %d is %v", i, h)
			}
			send(gw, `{"version":1,"code":"replaced","refused":"another agent serves"}`)
		}
		<-left
		if took := time.Since(began); took < 30*time.Second {
			t.Errorf("it comes again after %v", took)
		}
	})
}
