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

// An agent says in words why a gateway is none for it.
func TestStrangeWelcomes(t *testing.T) {
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
					Gateways: []string{"http://gw"}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet,
				}, side, nil)
			}()
			hear(t, gw)
			go say(gw, tc.welcome)
			if err := <-left; err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), "[31m", ""), tc.want) {
				t.Errorf("the agent says %v, want %s", err, tc.want)
			}
		})
	}
}

// The waits are drawn from the whole of an interval that grows, so that agents
// do not come back in step, and stays so short that they are soon back.
func TestWaitsAreSpread(t *testing.T) {
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

// However many gateways there are, the hello to the next names no more of them
// than it has room for.
func TestHelloHasRoomForTheLinks(t *testing.T) {
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
