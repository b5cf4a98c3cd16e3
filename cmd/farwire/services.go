package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/browser"
	"github.com/farwire/farwire/adapters/openrouter"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/adapters/s3"
)

// serviceVariables are what serve reads beside its flags. These services have
// secrets, which do not belong on a command line, and names by which platforms
// hand them out.
var serviceVariables = []struct{ name, help string }{
	{"DATABASE_URL", "PostgreSQL, postgres://USER:PASSWORD@HOST:5432/DATABASE, for the enrolled sites. Unset: SQLite in --data-dir."},
	{"REDIS_URL", "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], for limits that gateways share. Unset: in memory."},
	{"NATS_URL", "nats://[USER:PASSWORD@]HOST[:PORT],..., by which gateways find each other's agents; needs --token-secret. Unset: this process is alone."},
	{"NATS_CREDS", "File with the credentials of a NATS user (JWT and seed)."},
	{"NATS_CA", "PEM file with certificates to trust on the way to NATS."},
	{"NATS_CERT", "PEM file with the certificate to show NATS; needs NATS_KEY."},
	{"NATS_KEY", "PEM file with the key of NATS_CERT."},
	{"S3_ENDPOINT", "An S3 server or R2, such as https://ACCOUNT.r2.cloudflarestorage.com, for hosted files. Unset: --data-dir."},
	{"S3_BUCKET", "The bucket there."},
	{"S3_ACCESS_KEY", "A key that may read, write, delete and list there."},
	{"S3_SECRET_KEY", "The secret of that key."},
	{"S3_REGION", "The region. Unset: auto for R2, the bucket's own for Amazon, else us-east-1."},
	{"S3_PUBLIC_URL", "Where others read the bucket. Unset: the endpoint and the bucket's name."},
	{"FARWIRE_BROWSER", "Path of a Chromium for pages that need a browser; none turns it off. Unset: the one found on PATH."},
	{"BRIGHTDATA_WS_ENDPOINT", "A browser service for them, wss://USER:PASSWORD@HOST:PORT, where a crawl allows it."},
	{"OPENROUTER_API_KEY", "The key of the language model."},
	{"OPENROUTER_BASE_URL", "Another chat completions API than " + openrouter.DefaultBaseURL + "."},
	{"LLM_MODEL", "The model. Unset: " + openrouter.DefaultModel + "."},
	{"LLM_ENHANCEMENT_ENABLED", "true, with a key, lets crawls ask for a language model."},
	{otelEndpoint, "An OTLP receiver, http://HOST:4318, for traces; the other variables of OpenTelemetry count too. Unset: no traces."},
}

// Help is what the help of serve says below its flags.
func (*serve) Help() string { return servicesHelp() }

// servicesHelp lists the services of serve and work.
func servicesHelp() string {
	var b strings.Builder
	b.WriteString("Services, all optional, set by environment variables alone:\n\n")
	for _, v := range serviceVariables {
		fmt.Fprintf(&b, "    %-28s %s\n", v.name, v.help)
	}
	b.WriteString("\nEach secret, of a flag or a service, can be read from the file that its variable names with _FILE behind it.\n")
	return b.String()
}

// serviceVariable returns the value of a variable, or of the file that the variable
// with _FILE behind its name names; none is empty, and one that is set to nothing,
// the way an unset secret reaches a program, is an error.
func serviceVariable(name string) (string, error) {
	value, ok := os.LookupEnv(name)
	if ok && value == "" {
		return "", misusef("%s: empty; give it a value or leave it out", name)
	}
	if secretVariables[name] {
		if fromFile, found, err := variableFile(name, name, os.ReadFile); found {
			return fromFile, err
		}
	}
	return value, nil
}

// secretVariables are those of serviceVariables that hold a secret.
var secretVariables = map[string]bool{"DATABASE_URL": true, "REDIS_URL": true, "NATS_URL": true, "S3_ACCESS_KEY": true,
	"S3_SECRET_KEY": true, "BRIGHTDATA_WS_ENDPOINT": true, "OPENROUTER_API_KEY": true}

// given reports whether a variable of a service is set, itself or by its file.
func given(name string) bool {
	return os.Getenv(name) != "" || secretVariables[name] && os.Getenv(name+fileSuffix) != ""
}

// serviceValues returns the values of several variables, by their names.
func serviceValues(names ...string) (map[string]string, error) {
	values := make(map[string]string)
	for _, name := range names {
		value, err := serviceVariable(name)
		if err != nil {
			return nil, err
		}
		if value != "" {
			values[name] = value
		}
	}
	return values, nil
}

// startTimeout is how long a start waits for a service to answer.
const startTimeout = 5 * time.Second

// services are what a gateway uses outside of its process.
//
// A wrong value, and a service that answers and says no, end the start: nobody
// but who configured it can mend that. A service that does not answer does not:
// a gateway that is restarted while its database is unavailable has to relay all the
// same. It is told in the log, and used when it is there.
type services struct {
	sites   farwire.SiteStore
	storage farwire.Storage
	files   *farwire.FolderStorage // what storage is without a bucket; else nil
	limiter farwire.Limiter        // nil: in memory
	browser *browser.Browser
	model   farwire.Enhancer // nil: none

	used    []string // what they are, for people
	closers []func() error
	checks  []func(context.Context) error // ask a service for a sign of life
}

// services opens those that are configured. The caller closes them.
func (s *serve) services(ctx context.Context, address, name string, log *slog.Logger) (_ *services, err error) {
	v := &services{}
	defer func() {
		if err != nil {
			v.close(log)
		}
	}()
	for _, open := range []func() error{
		func() error { return v.openSites(ctx, s.DataDir, log) },
		func() error { return v.openStorage(s, address, log) },
		func() error { return v.openLimiter(name, len(s.Peers)+1, log) },
		func() error { return v.openBrowser(log) },
		func() error { return v.openModel(s.DataDir, log) },
	} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return v, v.check(ctx)
}

// check makes all checks at once. If several services say no it is the first
// that is told of.
func (v *services) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	errs := make([]error, len(v.checks))
	var wg sync.WaitGroup
	for i, check := range v.checks {
		wg.Go(func() { errs[i] = check(ctx) })
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// needsFolder reports whether anything is kept in the data folder.
func needsFolder() bool {
	return !given("DATABASE_URL") || !given("S3_ENDPOINT") || given("OPENROUTER_API_KEY")
}

// checkFolder reports a data folder that is needed and cannot be written.
func checkFolder(dir string) error {
	if !needsFolder() {
		return nil
	}
	return writable(dir)
}

// String is one line for people.
func (v *services) String() string { return strings.Join(v.used, "; ") }

// close closes them in the reverse order.
func (v *services) close(log *slog.Logger) {
	for i := len(v.closers) - 1; i >= 0; i-- {
		if err := v.closers[i](); err != nil {
			log.Warn("not closed cleanly", "err", err)
		}
	}
}

func (v *services) use(what string, close func() error) {
	v.used = append(v.used, what)
	if close != nil {
		v.closers = append(v.closers, close)
	}
}

// s3Variables are those of the fields of s3.Options.
var s3Variables = map[string]string{
	"Endpoint": "S3_ENDPOINT", "Bucket": "S3_BUCKET", "AccessKey": "S3_ACCESS_KEY",
	"SecretKey": "S3_SECRET_KEY", "Region": "S3_REGION", "PublicURL": "S3_PUBLIC_URL",
}

// openStorage is a bucket if any of its variables is set, else a folder.
func (v *services) openStorage(s *serve, address string, log *slog.Logger) error {
	values, err := serviceValues("S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_REGION", "S3_PUBLIC_URL")
	if err != nil {
		return err
	}
	if len(values) == 0 {
		if v.files, err = s.storage(s.DataDir, address); err != nil {
			return err
		}
		v.storage = v.files
		v.use("files in "+filepath.Join(s.DataDir, "files"), v.files.Close)
		return nil
	}
	bucket, err := s3.New(s3.Options{
		Endpoint: values["S3_ENDPOINT"], Bucket: values["S3_BUCKET"], AccessKey: values["S3_ACCESS_KEY"],
		SecretKey: values["S3_SECRET_KEY"], Region: values["S3_REGION"], PublicURL: values["S3_PUBLIC_URL"],
	})
	if err != nil {
		return s3Misuse(err)
	}
	v.storage = bucket
	v.use("files in the "+bucket.String(), bucket.Close)
	v.checks = append(v.checks, func(ctx context.Context) error {
		switch err := bucket.Check(ctx); {
		case errors.Is(err, s3.ErrUnreachable):
			log.Warn("the bucket cannot be reached yet; files are hosted as soon as it can", "err", err)
		case err != nil:
			return s3Misuse(err)
		}
		return nil
	})
	return nil
}

// s3Misuse names the variable of the field that is wrong.
func s3Misuse(err error) error {
	var field *s3.FieldError
	if !errors.As(err, &field) {
		return misuse("S3_ENDPOINT: " + strings.TrimPrefix(err.Error(), "s3: "))
	}
	return misusef("%s: %s", cmp.Or(s3Variables[field.Field], "S3_ENDPOINT"), field.Reason)
}

// openLimiter counts in Redis if there is one.
func (v *services) openLimiter(name string, gateways int, log *slog.Logger) error {
	address, err := serviceVariable("REDIS_URL")
	switch {
	case err != nil:
		return err
	case address == "":
		v.use("limits in memory", nil)
		return nil
	}
	limiter, err := redislimit.Open(address, redislimit.Options{Name: name, Gateways: gateways, Logger: log})
	if err != nil {
		return misuse("REDIS_URL: " + strings.TrimPrefix(err.Error(), "redislimit: ") + "; write it as redis://:password@host:6379")
	}
	v.limiter = limiter
	v.use("limits in Redis at "+hostOf(address), limiter.Close)
	v.checks = append(v.checks, func(ctx context.Context) error {
		err := limiter.Ping(ctx)
		if err == nil {
			return nil
		}
		// LOADING, CLUSTERDOWN and their like pass.
		var answer redis.Error
		if errors.As(err, &answer) {
			switch code, _, _ := strings.Cut(answer.Error(), " "); code {
			case "NOAUTH", "WRONGPASS", "NOPERM", "ERR":
				return misuse("REDIS_URL: the server answered " + answer.Error())
			}
		}
		log.Warn("Redis cannot be reached yet; limits are counted here until it can", "err", err)
		return nil
	})
	return nil
}

// openBrowser is a browser service, a Chromium of this machine, both or none.
func (v *services) openBrowser(log *slog.Logger) error {
	values, err := serviceValues("FARWIRE_BROWSER", "BRIGHTDATA_WS_ENDPOINT")
	if err != nil {
		return err
	}
	pages, err := newBrowser("FARWIRE_BROWSER", browser.Options{Path: values["FARWIRE_BROWSER"], RemoteURL: values["BRIGHTDATA_WS_ENDPOINT"], Logger: log})
	if err != nil {
		return err
	}
	v.browser = pages
	v.use(pages.String(), pages.Close)
	return nil
}

// newBrowser is browser.New, whose path the setting has.
func newBrowser(setting string, o browser.Options) (*browser.Browser, error) {
	pages, err := browser.New(o)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, exec.ErrNotFound):
		return nil, misusef("%s: %s cannot be run: %s; give the path of a Chromium, or none", setting, o.Path, reason(err))
	case err != nil:
		return nil, asVariable(err, "browser: Options.", map[string]string{"Path": setting, "RemoteURL": "BRIGHTDATA_WS_ENDPOINT"})
	}
	return pages, nil
}

// openModel is a language model if there is a key for one and it is wanted.
func (v *services) openModel(dataDir string, log *slog.Logger) error {
	values, err := serviceValues("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "LLM_MODEL", "LLM_ENHANCEMENT_ENABLED")
	if err != nil {
		return err
	}
	key, enabled := values["OPENROUTER_API_KEY"], false
	if text := values["LLM_ENHANCEMENT_ENABLED"]; text != "" {
		if enabled, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			return misusef("LLM_ENHANCEMENT_ENABLED: %q is neither true nor false", text)
		}
	}
	o := openrouter.Options{APIKey: key, BaseURL: values["OPENROUTER_BASE_URL"], Model: values["LLM_MODEL"], Logger: log}
	if key != "" {
		// What is wrong is said although it may not be wanted yet.
		if _, err := openrouter.New(o); err != nil {
			return asVariable(err, "openrouter: Options.", map[string]string{
				"APIKey": "OPENROUTER_API_KEY", "BaseURL": "OPENROUTER_BASE_URL", "Model": "LLM_MODEL",
			})
		}
	}
	switch {
	case enabled && key == "":
		return misuse("LLM_ENHANCEMENT_ENABLED: true needs a key; set OPENROUTER_API_KEY too")
	case !enabled && key != "" && values["LLM_ENHANCEMENT_ENABLED"] == "":
		v.use("no language model until LLM_ENHANCEMENT_ENABLED is true", nil)
		return nil
	case !enabled:
		v.use("no language model", nil)
		return nil
	}
	answers, err := openrouter.Folder(filepath.Join(dataDir, "answers"), 0)
	if err != nil {
		return misusef("--data-dir: %v; give a folder that this user may write to", err)
	}
	o.Cache = answers
	if v.model, err = openrouter.New(o); err != nil {
		return errors.Join(err, answers.Close())
	}
	v.use("language model "+cmp.Or(o.Model, openrouter.DefaultModel), answers.Close)
	return nil
}

// asVariable names the variable where a package names the field of its options.
func asVariable(err error, prefix string, variables map[string]string) error {
	text := strings.TrimPrefix(err.Error(), prefix)
	for field, name := range variables {
		if reason, ok := strings.CutPrefix(text, field); ok {
			return misuse(name + ": " + strings.TrimLeft(reason, ": "))
		}
	}
	return misuse(text)
}

// hostOf is what of a URL may be shown.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be parsed"
	}
	return cmp.Or(u.Host, "this machine")
}
