// Package amqpbench measures POST /amqp beside what people write without it:
// a plain consumer of the client library, and a handler that encodes, flushes
// and acknowledges each message. Each contender is a process of its own, so
// that the system accounts its CPU time, and all run against one broker in one
// run, so that only ratios are compared.
//
//	go test -run '^$' -bench . ./test/amqpbench
package amqpbench
