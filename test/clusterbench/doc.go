// Package clusterbench measures a cluster of 20 gateways and 1000 agents, all in one
// process, on a real NATS: how soon a new agent is known to all, what a dial costs with
// a hop and without, and what is lost when all gateways are restarted one after another.
//
//	go test -run xxx -bench . -benchtime 20x ./test/clusterbench
package clusterbench
