package cli

import (
	"errors"
	"io/fs"
	"log/slog"

	"baton"
	"baton/internal/output"
	"baton/internal/settings"
)

// names are the names of the settings in flags, variables and files.
var names = settings.Names{Prefix: "BATON_CONSOLE_"}

// shorthands are the one-letter flags.
var shorthands = map[string]string{"files": "f"}

// maxSeconds limits settings in seconds.
const maxSeconds = 3600

// options returns all settings of the program, by name.
func options() map[string]settings.Option {
	all := map[string]settings.Option{}
	add := func(name, description string, def any, oneOf ...string) {
		s := baton.Setting{Name: name, Description: description, Default: def}
		switch def.(type) {
		case bool:
			s.Kind = baton.BoolSetting
		case int:
			s.Kind, s.Max = baton.IntSetting, maxSeconds
		case []string:
			s.Kind = baton.StringsSetting
		case baton.Secret:
			s.Kind = baton.SecretSetting
		}
		all[name] = settings.Option{Setting: s, OneOf: oneOf}
		if s.Kind == baton.SecretSetting {
			all[name+"-file"] = settings.Option{FileOf: name, Setting: baton.Setting{Name: name + "-file", Description: "Read " + name + " from this file"}}
		}
	}
	add("config", "File of settings, YAML", "")
	add("log-format", "How to log: json or console (json unless stderr is a terminal)", "", "json", "console")
	add("log-level", "What to log: debug, info, warn or error", "info", "debug", "info", "warn", "error")
	add("data", "Folder of the database, the keys and temporary files", "baton-console")
	add("database", "PostgreSQL database instead of the one in the data folder: postgres://user:password@host/database", baton.Secret{})
	add("keys", "File with the keys that seal secrets (in the data folder)", "")
	add("listen", "Address to listen on, host:port", "127.0.0.1:8443")
	add("url", "Address that people and connectors use, such as https://console.example.com (made from --listen)", "")
	add("tls", "self-signed: speak TLS with a certificate that is made for a trial", "", "self-signed")
	add("tls-cert", "File with the certificate chain for TLS, PEM", "")
	add("tls-key", "File with its key, PEM", "")
	add("allow-network", "Private networks that the console may connect to, as 10.0.0.0/8: hosted connectors connect to public addresses only", []string(nil))
	add("trust-proxy", "Networks of the proxies before the console, as 10.0.0.0/8: their X-Forwarded-For says whom a call comes from", []string(nil))
	add("drain-seconds", "Seconds to serve on after SIGTERM while /ready says no, until the balancer has noticed (0)", 0)
	add("otel-collector-endpoint", "Export traces to this OpenTelemetry collector", "")
	add("otel-collector-endpoint-tls-cert-path", "PEM file with an authority to trust for the OpenTelemetry collector", "")
	add("otel-collector-endpoint-tls-insecure", "A collector endpoint without a scheme is http, not https", false)
	add("otel-tracing-disabled", "Export no traces", false)
	add("bootstrap", "File with the people, apps and connectors to begin with, YAML", "")
	add("env-file", "File to write the address and the credentials of the bootstrap file's connectors to", "")
	add("as", "E-mail address of the person who does it", "")
	add("connector", "Name of a connector", "")
	add("reason", "Why", "")
	add("head", "File with a head that audit head printed", "")
	add("fingerprint", "Fingerprint of the key that signs evidence, SHA256:HEX, from outside of the pack", "")
	add("erased", "File with the list that people erased printed", "")
	add("apply", "Do it, instead of showing what it would do", false)
	add("files", "File, or folder of files, with the configuration, YAML", "")
	add("source", "Name of this set of files, if several are applied to one console", "files")
	add("prune", "Remove what the files of this source described before, and do not any more", false)
	add("plan", "Apply only the changes of the plan with this digest", "")
	add("json", "Print JSON", false)
	add("once", "End when everything is there, and print what that is", false)
	add("facts", "Print every fact, one a line, instead of counts", false)
	return all
}

func optionList() []settings.Option {
	var list []settings.Option
	for _, o := range options() {
		list = append(list, o)
	}
	return list
}

// flagText keeps the text of a flag, so that flags are parsed by the same code as other sources.
type flagText struct {
	kind  baton.SettingKind
	texts []string
}

func (f *flagText) String() string        { return "" }
func (f *flagText) Set(text string) error { f.texts = append(f.texts, text); return nil }
func (f *flagText) Type() string          { return [...]string{"text", "", "number", "list", "secret"}[f.kind] }
func (f *flagText) IsBoolFlag() bool      { return f.kind == baton.BoolSetting }

// start resolves the settings and sets up the log.
func (r *run) start() error {
	var bad settings.Problems
	all, flags := optionList(), map[string][]string{}
	for name, f := range r.flags {
		flags[name] = f.texts
	}
	first := names.Resolve(all, flags, r.env, nil, new(settings.Problems)) // without the file, whose name is a setting
	var file map[string]settings.Given
	if path := first.Values.String("config"); path != "" {
		var err error
		if file, err = settings.File(path, all, &bad); err != nil {
			kind := baton.Storage
			if errors.Is(err, fs.ErrNotExist) {
				kind = baton.NotFound
			}
			return r.ready(first, baton.Errorf(kind, "--config: %w", err).WithFix("Name a file that can be read."))
		}
	}
	resolved := names.Resolve(all, flags, r.env, file, &bad)
	names.Misspelt(all, r.env, &bad)
	return r.ready(resolved, bad.Err())
}

func (r *run) ready(resolved settings.Resolved, err error) error {
	r.Resolved = resolved
	format := r.Values.String("log-format")
	r.json = format == "json" || format == "" && r.serving && !isTerminal(r.stderr)
	var level slog.Level
	_ = level.UnmarshalText([]byte(r.Values.String("log-level"))) // one of four valid words
	r.log = slog.New(output.NewHandler(r.json, output.NewRedactor(r.stderr, r.Secrets), level))
	if err == nil {
		for name := range options() {
			if r.From[name].Label == "--"+name && options()[name].Kind == baton.SecretSetting {
				r.warn("--%s on the command line can be seen by others on this machine; use --%s-file or %s", name, name, names.Variable(name))
			}
		}
	}
	return err
}
