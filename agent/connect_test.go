package agent_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// An agent says in words why it refuses a gateway.
func TestWelcome_Invalid_IsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ welcome, want string }{
		"a later version":   {`{"version":2,"gateway":"g"}`, "the gateway speaks version 2 of the agent protocol and this agent version 1"},
		"of other kinds":    {`{"version":2,"gateway":{"id":7},"link":"x","refused":{}}`, "the gateway speaks version 2 of the agent protocol and this agent version 1"},
		"no version":        {`{}`, "the gateway speaks version 0 of the agent protocol and this agent version 1"},
		"refused":           {`{"version":9,"code":"version","refused":"upgrade\n\u001b[31m me"}`, "upgrade?? me"},
		"wrong kinds":       {`{"version":1,"gateway":7}`, "waiting for the gateway's welcome: malformed message"},
		"not JSON":          {`{`, "waiting for the gateway's welcome: message is not JSON"},
		"no gateway":        {`{"version":1}`, "the welcome names no gateway"},
		"too long":          {strings.Repeat(" ", 17<<10), "waiting for the gateway's welcome: message too long"},
		"one with no words": {`{"version":1,"code":"identity"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			gw, side := net.Pipe()
			defer gw.Close()
			left := make(chan error, 1)
			go func() {
				left <- agent.JoinConn(t.Context(), agent.RunOptions{
					Gateways: []string{"https://gw"}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet,
				}, side, nil)
			}()
			receive(t, gw)
			go send(gw, tc.welcome)
			if err := <-left; err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), "[31m", ""), tc.want) {
				t.Errorf("the agent says %v, want %s", err, tc.want)
			}
		})
	}
}

// The waits are drawn from the whole of an interval that grows, so that agents
// do not come back in step, and stays so short that they are soon back.
func TestReconnect_Waits_AreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for failures, longest := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
			var waits []time.Duration
			for range 300 {
				began := time.Now()
				agent.WaitAfter(context.Background(), failures)
				waits = append(waits, time.Since(began))
			}
			if least, most := slices.Min(waits), slices.Max(waits); least > longest/20 || most < longest*19/20 || most > longest {
				t.Errorf("after %d failures an agent waits between %v and %v, want all from 0 to %v", failures, least, most, longest)
			}
		}
	})
}

// An agent that is refused says why once for each reason, and comes back less
// and less often: after 2.5 to 5 seconds at first, after half a minute to a
// whole one in the end.
func TestRun_Refused_BacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const why, other = "agent secret or token missing or wrong", "gateway has as many agents as it takes"
		least, most := make([]time.Duration, 8), make([]time.Duration, 8)
		for try := range 200 {
			log, book := newLog(t)
			waits := agent.RefusedWaits(t.Context(), log, []string{why, why, why, why, why, other, other, why})
			for i, w := range waits {
				if try == 0 || w < least[i] {
					least[i] = w
				}
				most[i] = max(most[i], w)
			}
			if book.Count(why) != 2 || book.Count(other) != 1 || book.Count("level=WARN") != 3 || book.Count("gateway=gw.example") != 3 {
				t.Fatalf("the log:\n%s", book)
			}
		}
		for i, longest := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute, time.Minute, time.Minute} {
			if least[i] < longest/2 || most[i] > longest || most[i]-least[i] < longest/4 {
				t.Errorf("refused %d times, agents wait between %v and %v, want all from %v to %v", i+1, least[i], most[i], longest/2, longest)
			}
		}
	})
	// One that is told to stop does not wait.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if waits := agent.RefusedWaits(ctx, quiet, []string{"no"}); waits[0] != 0 {
			t.Errorf("waited %v", waits[0])
		}
	})
}

// However many gateways there are, the hello to the next names no more of them
// than it has room for.
func TestHello_ManyLinks_FitsItsLimit(t *testing.T) {
	for _, name := range []string{"%064d", "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<%04d"} {
		var ids []string
		for i := range 1000 {
			ids = append(ids, fmt.Sprintf(name, i))
			if length, named, err := agent.HelloAfter(ids); err != nil || length > 3<<10 || named < min(i+1, 5) {
				t.Fatalf("with %d links it has %d bytes, names %d, %v", i+1, length, named, err)
			}
		}
	}
}
