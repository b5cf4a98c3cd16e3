package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// withoutNATS starts two gateways as the page does it without NATS, on the services of
// the cluster: each agent attaches to both.
func withoutNATS(t *testing.T, c *cluster, target string) {
	env := slices.DeleteFunc(slices.Clone(c.gatewayVariables), func(v string) bool { return strings.HasPrefix(v, "NATS_URL=") })
	env = append(env, c.page.variables("gateway.env without NATS", nil)...)
	front, first, second := harness.Listen(t), harness.Listen(t), harness.Listen(t)
	names := [2]string{port(first), port(second)}
	frontName := port(front)
	var gateways [2]*harness.Gateway
	for i := range gateways {
		addr, peer := harness.FreeAddr(t), 1-i
		cmd := c.page.command(fmt.Sprintf("gateway %d without NATS", i+1), []string{
			fmt.Sprintf("10.0.0.1%d:8080", i+1), addr, fmt.Sprintf("https://gw%d.example.com", peer+1), "https://" + names[peer],
		})
		cmd.Env = append(cmd.Env, env...)
		gateways[i] = harness.StartGateway(t, cmd)
	}
	harness.NginxConf(t, c.nginx(gateways, frontName)+c.page.block("nginx.conf without NATS",
		"10.0.0.11:8080", gateways[0].Addr, "10.0.0.12:8080", gateways[1].Addr,
		"listen 443 ssl;\n    server_name gw1.example.com;", listen(names[0]),
		"listen 443 ssl;\n    server_name gw2.example.com;", listen(names[1]),
	), front, first, second)
	c.startAgent("agent at1 without NATS", "https://gw1.example.com", "https://"+names[0], "https://gw2.example.com", "https://"+names[1])
	c.startAgent("agent de1 without NATS", "https://gw1.example.com", "https://"+names[0])
	for _, g := range gateways {
		for _, slug := range []string{"at1", "de1"} {
			g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug)
			dialler{c, "ws://" + g.Addr}.relay(c.alice, target, "agent", slug).mustEcho()
		}
	}
	dialler{c, "wss://" + frontName}.relay(c.alice, target).mustEcho()
}
