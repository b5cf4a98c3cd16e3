package farwire_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// numbers returns the path of each number in the options; limits are apart,
// because a negative number means no limit in all of them.
func numbers(v reflect.Value, path string) (list []string) {
	for i := range v.NumField() {
		name := path + v.Type().Field(i).Name
		switch f := v.Field(i); {
		case f.Type() == reflect.TypeFor[farwire.Limits](), f.Type() == reflect.TypeFor[farwire.Compression]():
		case f.Kind() == reflect.Struct:
			list = append(list, numbers(f, name+".")...)
		case f.CanInt():
			list = append(list, name)
		}
	}
	return list
}

func TestOptions_NegativeNumber_NoLimitOrRefusedByName(t *testing.T) {
	noLimit := map[string]bool{"Relay.KeepAlive": true, "AMQP.StallTimeout": true, "AMQP.QueueLimit": true}
	list := numbers(reflect.ValueOf(farwire.Options{}), "")
	if len(list) < 14 {
		t.Fatalf("found the numbers %q alone", list)
	}
	for _, path := range list {
		var o farwire.Options
		field := reflect.ValueOf(&o).Elem()
		for name := range strings.SplitSeq(path, ".") {
			field = field.FieldByName(name)
		}
		field.SetInt(-int64(time.Hour))
		_, err := farwire.New(o)
		if allowed := err == nil; allowed != noLimit[path] || err != nil && !strings.HasPrefix(err.Error(), "farwire: Options."+path+": ") {
			t.Errorf("%s negative: %v", path, err)
		}
	}
}

// Huge numbers, as from a parser that failed elsewhere, leave a gateway that works.
func TestOptions_HugeNumbers_RelayAndCrawlWork(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) {
		for _, path := range numbers(reflect.ValueOf(*o), "") {
			field := reflect.ValueOf(o).Elem()
			for name := range strings.SplitSeq(path, ".") {
				field = field.FieldByName(name)
			}
			field.SetInt(math.MaxInt64)
		}
		limits := reflect.ValueOf(&o.Limits).Elem()
		for i := range limits.NumField() {
			if f := limits.Field(i); f.CanFloat() {
				f.SetFloat(math.MaxFloat64)
			} else {
				f.SetInt(math.MaxInt64)
			}
		}
	})
	p := w.connected(newTarget(t, echo), "")
	p.text("hello")
	p.wantText("hello")
	if h := w.crawled(testKey, `{"url":"`+newSite(t, threePages).URL+`"}`); h.code != 1000 {
		t.Errorf("the crawl ended with %d: %v", h.code, h.messages)
	}
}

func TestOptions_NegativeLimits_NoLimit(t *testing.T) {
	var o farwire.Options
	limits := reflect.ValueOf(&o.Limits).Elem()
	for i := range limits.NumField() {
		if f := limits.Field(i); f.CanFloat() {
			f.SetFloat(-1)
		} else {
			f.SetInt(-1)
		}
	}
	if _, err := farwire.New(o); err != nil {
		t.Error(err)
	}
}

func TestOptions_NoSuchValue_RefusedByName(t *testing.T) {
	for field, o := range map[string]farwire.Options{
		"Limits.Rate":       {Limits: farwire.Limits{Rate: math.NaN()}},
		"Limits.HTTPRate":   {Limits: farwire.Limits{HTTPRate: math.NaN()}},
		"Auth":              {Auth: (*farwire.KeySet)(nil)},
		"Agents":            {Agents: (*agent.Pool)(nil)},
		"Storage":           {Storage: (*farwire.FolderStorage)(nil)},
		"Relay.Compression": {Relay: farwire.RelayOptions{Compression: 7}},
		"StripHeaders":      {StripHeaders: []string{"X-Corp-*", "X-*-Secret"}}, // which would leave nothing out
	} {
		if _, err := farwire.New(o); err == nil || !strings.HasPrefix(err.Error(), "farwire: Options."+field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// The exit of an agent.Direct whose error was dropped reaches nothing: every session would
// be told that no agent is attached.
func TestOptions_ExitWithoutDialContext_Refused(t *testing.T) {
	for _, e := range []agent.Exit{{}, {ID: "farwire-de1", Slug: "de1", Country: "DE"}} {
		_, err := farwire.New(farwire.Options{Agents: e})
		if err == nil || err.Error() != "farwire: Options.Agents: an agent.Exit without a DialContext; agent.Direct returns one that dials from this process" {
			t.Errorf("%+v: %v", e, err)
		}
	}
}
