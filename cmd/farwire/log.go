package main

import (
	"io"
	"log/slog"
)

// logFlags are the flags of every command that runs until it is stopped.
type logFlags struct {
	LogFormat string     `default:"text" placeholder:"FORMAT" help:"text, or json for machines."`
	LogLevel  slog.Level `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
}

func (f logFlags) logger(w io.Writer) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: f.LogLevel}
	switch f.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, misusef("--log-format: %q is not a format; give text or json", f.LogFormat)
}
