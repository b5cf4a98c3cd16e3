package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// logFlags are the flags of every command that runs until it is stopped.
type logFlags struct {
	LogFormat string     `default:"text" placeholder:"FORMAT" help:"text, or json for machines."`
	LogLevel  slog.Level `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
}

// logLevel reads the value of --log-level.
func logLevel(ctx *kong.DecodeContext, target reflect.Value) error {
	var name string
	if err := ctx.Scan.PopValueInto("level", &name); err != nil {
		return err
	}
	var level slog.Level
	if level.UnmarshalText([]byte(name)) != nil {
		return fmt.Errorf("%q is not a level; give debug, info, warn or error", name)
	}
	target.Set(reflect.ValueOf(level))
	return nil
}

// logger returns what such a command logs with. It goes on when nobody reads its log any
// more, as when the tee behind it ends: a line into the broken pipe would else end it, with
// all sessions.
func (f logFlags) logger(w io.Writer) (*slog.Logger, error) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not ignored: a browser would inherit that
	o := &slog.HandlerOptions{Level: f.LogLevel}
	switch f.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		o.ReplaceAttr = readableDuration
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, misusef("--log-format: %q is not a format; give text or json", f.LogFormat)
}

// readableDuration has JSON say a duration as text does, "10s": a number of nanoseconds would
// not show its unit.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// lines returns where lines for people go in the format of the log.
func (f logFlags) lines(w io.Writer) io.Writer {
	if f.LogFormat == "json" {
		return jsonLines{w, slog.LevelInfo}
	}
	return w
}

// stderrOf returns where a command says what is not logged: plain lines, or with
// --log-format json a JSON object for each.
func stderrOf(args []string, level slog.Level) io.Writer {
	if !wantsJSON(args) {
		return os.Stderr
	}
	return jsonLines{os.Stderr, level}
}

// wantsJSON finds out before the flags are parsed, because their errors are told so
// as well.
func wantsJSON(args []string) bool {
	if len(args) == 0 || !slices.Contains([]string{"serve", "agent", "work"}, args[0]) {
		return false
	}
	format := os.Getenv(variable("log-format"))
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--log-format="); ok {
			format = value
		} else if arg == "--log-format" && i+1 < len(args) {
			format = args[i+1]
		}
	}
	return format == "json"
}

// jsonLines writes each line as a JSON object, in the form of the log.
type jsonLines struct {
	w     io.Writer
	level slog.Level
}

func (j jsonLines) Write(b []byte) (int, error) {
	log := slog.New(slog.NewJSONHandler(j.w, nil))
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			log.Log(context.Background(), j.level, line)
		}
	}
	return len(b), nil
}
