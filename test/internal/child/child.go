// Package child runs this program again in another role, which takes commands and
// answers each of them.
package child

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// endsWithin is how long a child may take to end after its last command.
const endsWithin = time.Minute

// A Process reads a command a line and answers each with JSON values. Not safe for
// concurrent use.
type Process struct {
	Cmd      *exec.Cmd
	commands io.WriteCloser
	answers  *json.Decoder
}

// Start runs this program with these arguments, and with env beside the environment of
// this process. The child's first answer goes into v. Close ends it.
func Start(v any, args, env []string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{Cmd: exec.Command(self, args...)}
	p.Cmd.Env, p.Cmd.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.commands, err = p.Cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	p.answers = json.NewDecoder(out)
	if err := p.answers.Decode(v); err != nil {
		p.Close()
		return nil, fmt.Errorf("start the child process: %w", err)
	}
	return p, nil
}

// Ask sends a command and puts the answer into v.
func (p *Process) Ask(command string, v any) error {
	if _, err := fmt.Fprintln(p.commands, command); err != nil {
		return err
	}
	return p.answers.Decode(v)
}

// Next puts a further answer to the last command into v.
func (p *Process) Next(v any) error { return p.answers.Decode(v) }

// Close ends the commands, and with them the process, which is killed when it does not
// end within a minute.
func (p *Process) Close() error {
	p.commands.Close()
	late := time.AfterFunc(endsWithin, func() { p.Cmd.Process.Kill() })
	defer late.Stop()
	return p.Cmd.Wait()
}
