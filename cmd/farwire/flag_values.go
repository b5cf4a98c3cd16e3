package main

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// values read what flags are given, and say in plain words what is wrong with it.
var values = []kong.Option{
	kong.TypeMapper(reflect.TypeFor[bool](), boolMapper{}),
	kong.TypeMapper(reflect.TypeFor[int](), value(strconv.Atoi, "is not a whole number")),
	kong.TypeMapper(reflect.TypeFor[float64](), value(readNumber, "is not a number; give one such as 10 or 0.5")),
	kong.TypeMapper(reflect.TypeFor[time.Duration](), value(time.ParseDuration, "is not a time; give one with its unit, such as 30s, 5m or 1h30m")),
}

// boolMapper reads a flag that needs no value: --allow-private, or --allow-private=false.
type boolMapper struct{}

func (boolMapper) IsBool() bool { return true }

func (boolMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	yes := true
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		given := ctx.Scan.Pop().Value
		switch strings.ToLower(fmt.Sprint(given)) {
		case "true", "yes", "1":
		case "false", "no", "0":
			yes = false
		default:
			return fmt.Errorf("%q is neither yes nor no; give true or false", given)
		}
	}
	target.SetBool(yes)
	return nil
}

func value[T any](read func(string) (T, error), wrong string) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		v, err := read(text)
		if err != nil {
			return fmt.Errorf("%q %s", text, wrong)
		}
		target.Set(reflect.ValueOf(v))
		return nil
	}
}

func readNumber(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// A list is a flag of several values, with commas between them or the flag
// given more than once.
type list []string

// UnmarshalText adds what one flag gives. Blanks around an item do not count,
// and an item that is empty is an error.
func (l *list) UnmarshalText(text []byte) error {
	for i, item := range strings.Split(string(text), ",") {
		item = strings.TrimSpace(item)
		switch {
		case len(text) == 0:
			return errors.New("empty; give it a value or leave it out")
		case item == "":
			return fmt.Errorf("entry %d is empty; separate entries by one comma", i+1)
		}
		*l = append(*l, item)
	}
	return nil
}

// Lines are a flag of several values that may hold commas: the flag is given more than
// once, and its variable or file has one value a line.
type lines []string

// UnmarshalText adds what one flag gives. Lines that are empty do not count.
func (l *lines) UnmarshalText(text []byte) error {
	had := len(*l)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			*l = append(*l, line)
		}
	}
	if len(*l) == had {
		return errors.New("empty; give it a value or leave it out")
	}
	return nil
}
