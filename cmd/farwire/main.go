// Command farwire is the library of the same name ready to run: a gateway, an
// exit agent, and clients for the terminal.
//
// Each command is a file, and a struct whose fields are its flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/farwire/farwire/internal/safetext"
)

type commands struct {
	Serve serve        `cmd:"" help:"Run the whole gateway on one port, with an agent in this process."`
	Agent agentCommand `cmd:"" help:"Run an agent: connect to gateways and carry their sessions."`
	Relay relay        `cmd:"" help:"Relay a WebSocket to this terminal: lines in, frames out."`
	Crawl crawl        `cmd:"" help:"Crawl a site and print its llms.txt."`
	Check check        `cmd:"" help:"Check an llms.txt: its form, and whether its links answer."`

	Agents   agents   `cmd:"" help:"List the agents of a gateway."`
	Work     work     `cmd:"" help:"Recrawl due sites from the gateways' stores; serve nothing."`
	Sessions sessions `cmd:"" help:"List your running sessions at a gateway, or end one."`
	Keygen   keygen   `cmd:"" help:"Make a key, and the line of a keys file that admits it."`
	Health   health   `cmd:"" help:"Check whether a gateway is ready: exit status 0 if it is, else 1."`
	Version  version  `cmd:"" help:"Print version, commit and Go version."`

	Completion completion `cmd:"" hidden:"" help:"Print a script that completes commands and flags in bash, zsh or fish."`
}

// Exit statuses.
const (
	statusOK     = 0
	statusFailed = 1
	statusMisuse = 2

	statusPartial = 3 // of a crawl that wrote a file and had to stop, or lost pages
	statusTooFew  = 4 // of a crawl whose file has fewer pages than --fail-below
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go obeySignals(signals, cancel, func() { os.Exit(statusFailed) })
	os.Exit(run(ctx, os.Args[1:]))
}

// sameSignal is how long a further signal is the first one come again: timeout(1) sends its
// signal to the program and to the program's group, and so does Ctrl-C below a program that
// passes it on.
const sameSignal = 100 * time.Millisecond

// obeySignals has the first signal ask a command to finish, and the second one stop it. A
// handler that only steps aside after the first could miss the second.
func obeySignals(signals <-chan os.Signal, finish, stop func()) {
	<-signals
	first := time.Now()
	finish()
	for range signals {
		if time.Since(first) >= sameSignal {
			stop()
			return
		}
	}
}

func run(ctx context.Context, args []string) int {
	stdlog.SetOutput(io.Discard) // there net/http writes what a site sends that nobody has asked for
	var cli commands
	helped := false
	told := stderrOf(args, slog.LevelError)
	var env environment
	parser, err := kong.New(&cli, append(values,
		kong.Name("farwire"),
		kong.Description("A network of exits for WebSocket, AMQP and crawling.\n\n"+
			"Every flag of a command is also an environment variable; a flag beats its variable."+
			"\n\nfarwire completion bash (or zsh, fish) prints a script that completes commands and flags in your shell."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
		kong.ValueFormatter(helpFlag),
		kong.Resolvers(&env),
		kong.TypeMapper(reflect.TypeFor[slog.Level](), kong.MapperFunc(logLevel)),
		kong.Exit(func(int) { helped = true }), // after --help
	)...)
	if err != nil {
		panic("farwire: the commands are declared wrongly: " + err.Error())
	}
	selected, err := parser.Parse(asCommand(args))
	switch {
	case helped:
		return statusOK
	case errors.As(err, new(*fs.PathError)): // the help could not be written
		return fail(told, err)
	case err != nil:
		return fail(told, misuse(err.Error()+env.source(err)+helpHint(err)))
	}
	noteUnknownVariables(stderrOf(args, slog.LevelWarn), parser.Model, os.Environ())
	if err := refuseEmptyValues(selected); err != nil {
		return fail(told, err)
	}
	selected.BindTo(ctx, (*context.Context)(nil))
	return fail(told, selected.Run())
}

// asCommand turns what people try elsewhere, --version and help COMMAND, into
// what it is called here.
func asCommand(args []string) []string {
	switch {
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	case len(args) > 0 && args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	}
	return withNegatives(args)
}

// withNegatives joins a flag and the negative number behind it, as in
// --max-sessions -1, by an equals sign: no flag of ours is a digit.
func withNegatives(args []string) []string {
	joined := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(joined, args[i:]...)
		}
		last := len(joined) - 1
		if last >= 0 && negative.MatchString(arg) && strings.HasPrefix(joined[last], "--") && !strings.Contains(joined[last], "=") {
			joined[last] += "=" + arg
			continue
		}
		joined = append(joined, arg)
	}
	return joined
}

var negative = regexp.MustCompile(`^-\.?[0-9]`)

// helpHint ends a complaint of kong's, which says what is wrong and not
// always what would be right.
func helpHint(err error) string {
	command := "farwire"
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil && p.Context.Selected() != nil {
		command += " " + p.Context.Selected().Name
	}
	return "; " + command + " --help says what there is"
}

// noteUnknownVariables says which variables look as if they were for this
// program and are not: a name misspelt would else count for nothing in silence.
func noteUnknownVariables(w io.Writer, app *kong.Application, environ []string) {
	known := make(map[string]bool)
	for _, v := range serviceVariables {
		known[v.name] = true
		known[v.name+fileSuffix] = secretVariables[v.name]
	}
	for _, command := range app.Children {
		for _, flag := range command.Flags {
			known[variable(flag.Name)] = true
			if secretFlags[flag.Name] {
				known[variable(flag.Name)+fileSuffix] = true
			}
		}
	}
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, variablePrefix) && !known[name] {
			fmt.Fprintf(w, "farwire: the variable %s is ignored: no option has this name\n", name)
		}
	}
}

// A misuse is an error that the user mends by calling the program otherwise.
// Its text is one line that names the flag and says what to do.
type misuse string

func (m misuse) Error() string { return string(m) }

func misusef(format string, args ...any) error { return misuse(fmt.Sprintf(format, args...)) }

// errSilent ends a command with status 1 after it has said why itself.
var errSilent = errors.New("failed")

// fail prints err and returns the exit status that belongs to it.
func fail(w io.Writer, err error) int {
	var m misuse
	switch {
	case err == nil:
		return statusOK
	case errors.Is(err, errSilent):
		return statusFailed
	case errors.Is(err, errPartial):
		return statusPartial
	case errors.Is(err, errTooFew):
		return statusTooFew
	}
	// It may hold words of a server, down to the names in its certificate.
	fmt.Fprintf(w, "farwire: %s\n", safetext.Printable(strings.ReplaceAll(err.Error(), "\n", " ")))
	if errors.As(err, &m) {
		return statusMisuse
	}
	return statusFailed
}

// environment gives flags that are absent from the command line the value of
// their variable. Kong can do so itself, but not refuse a variable that is set
// to nothing, the way an unset secret reaches a program.
type environment struct {
	flag string // whose variable was read last
}

func (*environment) Validate(*kong.Application) error { return nil }

// Resolve returns the value of a flag's variable. Kong parses it before it
// asks for the next.
func (e *environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" {
		return nil, nil
	}
	secret, found, err := secretFile(flag.Name, os.ReadFile)
	switch {
	case err != nil:
		return nil, misuse(strings.TrimPrefix(err.Error(), "--"+flag.Name+": ")) // which kong adds
	case found:
		return secret, nil
	}
	value, ok := os.LookupEnv(variable(flag.Name))
	if !ok {
		return nil, nil
	}
	e.flag = flag.Name
	if value == "" {
		return nil, misuse("empty; give it a value or leave it out")
	}
	return value, nil
}

// source says which variable a bad value came from, if it came from one.
func (e *environment) source(err error) string {
	if e.flag == "" || !strings.HasPrefix(err.Error(), "--"+e.flag+":") {
		return ""
	}
	return " (in the variable " + variable(e.flag) + ")"
}

const variablePrefix = "FARWIRE_"

// variable returns the name of the environment variable of a flag.
func variable(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// helpFlag returns the help of a flag with its default and its variable.
func helpFlag(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" {
		return v.Help
	}
	extra := "$" + variable(v.Name)
	if v.HasDefault {
		extra = "default " + v.Default + "; " + extra
	}
	return v.Help + " (" + extra + ")"
}

// refuseEmptyValues refuses a flag that was given nothing, as in --key "$UNSET".
func refuseEmptyValues(c *kong.Context) error {
	for _, p := range c.Path {
		if f := p.Flag; f != nil && f.Target.Kind() == reflect.String && f.Target.Len() == 0 {
			return misusef("--%s: empty; give it a value or leave it out", f.Name)
		}
	}
	return nil
}
