package otlp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// Handler returns a handler that exports records of a level or above. It discards
// them if logs are not exported.
func (e *Exporter) Handler(level slog.Leveler) slog.Handler {
	if e.cfg.Logs.URL == "" {
		return slog.DiscardHandler
	}
	return &handler{exporter: e, level: level}
}

// handler flattens groups: the name of a group becomes a prefix with a dot.
type handler struct {
	exporter *Exporter
	level    slog.Leveler
	attrs    []keyValue
	prefix   string
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	out := logRecord{
		Observed:     nano(time.Now()),
		Severity:     min(max(int(r.Level)+9, 1), 24), // the levels of slog have the same distances
		SeverityText: r.Level.String(),
		Body:         text(r.Message),
		Attributes:   slices.Clone(h.attrs),
	}
	if !r.Time.IsZero() {
		out.Time = nano(r.Time)
	}
	r.Attrs(func(a slog.Attr) bool {
		out.Attributes = appendAttr(out.Attributes, h.prefix, a)
		return true
	})
	for _, a := range out.Attributes {
		if a.Key == h.exporter.cfg.TraceKey && a.Value.String != nil {
			out.TraceID = traceID(*a.Value.String)
		}
	}
	h.exporter.logs.add(out)
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		next.attrs = appendAttr(next.attrs, h.prefix, a)
	}
	return &next
}

func (h *handler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.prefix += name + "."
	}
	return &next
}

// appendAttr adds an attribute and replaces one with the same key.
func appendAttr(list []keyValue, prefix string, a slog.Attr) []keyValue {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range value.Group() {
			list = appendAttr(list, prefix, inner)
		}
		return list
	}
	if a.Key == "" {
		return list
	}
	if value.Kind() == slog.KindDuration {
		a.Key, value = a.Key+"_seconds", slog.Float64Value(value.Duration().Seconds())
	}
	kv := keyValue{prefix + a.Key, valueOf(value)}
	if i := slices.IndexFunc(list, func(old keyValue) bool { return old.Key == kv.Key }); i >= 0 {
		list[i] = kv
		return list
	}
	return append(list, kv)
}

func valueOf(v slog.Value) anyValue {
	switch v.Kind() {
	case slog.KindBool:
		b := v.Bool()
		return anyValue{Bool: &b}
	case slog.KindInt64:
		n := strconv.FormatInt(v.Int64(), 10)
		return anyValue{Int: &n}
	case slog.KindFloat64:
		// JSON has no infinite numbers.
		if f := v.Float64(); f-f == 0 {
			return anyValue{Double: &f}
		}
	case slog.KindTime:
		return text(v.Time().Format(time.RFC3339Nano))
	case slog.KindAny:
		return anyOf(v.Any())
	}
	return text(v.String()) // a uint64 may be too large for an intValue
}

// anyOf encodes other values as JSON text. Unlike fmt, encoding/json does not read
// unexported fields, which may hold a secret.
func anyOf(v any) anyValue {
	switch v := v.(type) {
	case error:
		return text(v.Error())
	case []string:
		list := &arrayValue{Values: []anyValue{}}
		for _, s := range v {
			list.Values = append(list.Values, text(s))
		}
		return anyValue{Array: list}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return text(fmt.Sprintf("%T", v))
	}
	return text(string(b))
}
