package app

import (
	"context"
	"io"
	"log/slog"

	"aims/internal/identity"
)

// LogHandler writes the operator's log to out as the configuration says.
func (c *Config) LogHandler(out io.Writer) slog.Handler {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		level = slog.LevelInfo // the configuration was checked; this is for one made in code
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "json" {
		return slog.NewJSONHandler(out, o)
	}
	return slog.NewTextHandler(out, o)
}

// redactingHandler takes the values of secrets out of every record before the
// handler below sees it, whichever part wrote it.
type redactingHandler struct {
	below    slog.Handler
	redactor *identity.Redactor
}

func (h *redactingHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.below.Enabled(ctx, level)
}

func (h *redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.redactor.Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redact(a))
		return true
	})
	return h.below.Handle(ctx, clean)
}

func (h *redactingHandler) redact(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() == slog.KindGroup {
		var inner []any
		for _, member := range a.Value.Group() {
			inner = append(inner, h.redact(member))
		}
		return slog.Group(a.Key, inner...)
	}
	return h.redactor.ReplaceAttr(nil, a)
}

func (h *redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.redact(a)
	}
	return &redactingHandler{h.below.WithAttrs(clean), h.redactor}
}

func (h *redactingHandler) WithGroup(name string) slog.Handler {
	return &redactingHandler{h.below.WithGroup(name), h.redactor}
}
