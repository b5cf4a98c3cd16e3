package main

import (
	"log/slog"
	"math"
	"net/netip"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/preauth"
)

// limitFlags say what a key may, and what those without one.
type limitFlags struct {
	Rate          float64 `default:"10" placeholder:"N" help:"Requests per second for each API key, above 0."`
	Burst         *int    `placeholder:"N" help:"Requests at once for each API key, at least 1. Default: the rate."`
	MaxSessions   int     `default:"1000" placeholder:"N" help:"Relays at a time for each API key, and as many HTTP requests and as many tunnels; at least 1; -1 means no limit."`
	MaxStreams    int     `default:"100" placeholder:"N" help:"AMQP streams at a time for each API key, at least 1; -1 means no limit."`
	MaxCrawls     int     `default:"4" placeholder:"N" help:"Crawls at a time for each API key, at least 1; -1 means no limit."`
	pagesFlag     `embed:""`
	MaxSites      int `default:"100" placeholder:"N" help:"Enrolled sites for each API key's owner, at least 1; -1 means no limit."`
	MaxConnsPerIP int `name:"max-conns-per-ip" default:"256" placeholder:"N" help:"Connections without a valid key from one address (IPv6: one /64); beyond it the one that has waited longest is closed. At least 1; -1 means no limit."`
}

// pagesFlag is the limit that holds for recrawls, too.
type pagesFlag struct {
	MaxPagesPerDay int `default:"20000" placeholder:"N" help:"Pages that each API key may crawl in 24 hours, at least 1; -1 means no limit."`
}

// limits checks the flag.
func (f *pagesFlag) limits() (farwire.Limits, error) {
	return farwire.Limits{PagesPerDay: f.MaxPagesPerDay}, checkLimit("--max-pages-per-day", f.MaxPagesPerDay)
}

// checkLimit refuses what is no number of things at a time or in a day.
func checkLimit(flag string, n int) error {
	if n < 1 && n != -1 {
		return misusef("%s: %d is not a limit; give 1 or more, or -1 for no limit", flag, n)
	}
	return nil
}

// limits checks the flags.
func (f *limitFlags) limits() (l farwire.Limits, err error) {
	switch {
	case !(f.Rate > 0) || math.IsInf(f.Rate, 1):
		return l, misusef("--rate: %v is not a number of requests per second; give more than 0", f.Rate)
	case f.Burst != nil && *f.Burst < 1:
		return l, misusef("--burst: %d is less than one request; give 1 or more, or leave it out", *f.Burst)
	}
	for _, l := range []struct {
		flag string
		n    int
	}{{"--max-sessions", f.MaxSessions}, {"--max-streams", f.MaxStreams}, {"--max-crawls", f.MaxCrawls},
		{"--max-pages-per-day", f.MaxPagesPerDay}, {"--max-sites", f.MaxSites}, {"--max-conns-per-ip", f.MaxConnsPerIP}} {
		if err := checkLimit(l.flag, l.n); err != nil {
			return farwire.Limits{}, err
		}
	}
	if f.Burst != nil {
		l.Burst = *f.Burst
	}
	return farwire.Limits{Rate: f.Rate, Burst: l.Burst, Sessions: f.MaxSessions, Streams: f.MaxStreams,
		Crawls: f.MaxCrawls, PagesPerDay: f.MaxPagesPerDay, Sites: f.MaxSites}, nil
}

// guard bounds connections without a key. All together they take no more than half
// of the descriptors: the rest is for those who have shown one.
func (f *limitFlags) guard(trusted []netip.Prefix, wrong *attempts.Counter, log *slog.Logger) *preauth.Guard {
	_, most := netio.Descriptors()
	return preauth.New(preauth.Options{PerNetwork: f.MaxConnsPerIP, Total: most / 2, Trusted: trusted, Wrong: wrong, Logger: log})
}
