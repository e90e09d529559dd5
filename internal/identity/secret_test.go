package identity_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aims/internal/aims"
	"aims/internal/identity"
)

const value = `s3cr3t/"+value`

func TestSecretShowsItselfNowhere(t *testing.T) {
	s := identity.NewSecret(value)
	type config struct {
		Token  identity.Secret
		hidden identity.Secret
		Nested *struct{ Token identity.Secret }
	}
	c := config{Token: s, hidden: s, Nested: &struct{ Token identity.Secret }{s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", c)
		fmt.Fprintf(&out, verb+"\n", []identity.Secret{s})
		fmt.Fprintf(&out, verb+"\n", map[string]any{"token": s, "config": &c})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "secret", s, "config", c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "secret", s, "config", c)
	if err := json.NewEncoder(&out).Encode(map[string]any{"secret": s, "config": c}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, fmt.Errorf("with %v: %w", s, aims.Errorf(aims.Internal, errors.New(s.String()), "%v", s)))
	if strings.Contains(out.String(), "s3cr3t") || strings.Contains(out.String(), fmt.Sprintf("%x", "s3cr3t")) {
		t.Errorf("the secret shows:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "[secret]") || s.Reveal() != value {
		t.Errorf("it is not there at all")
	}
}

func TestSecretIsReadFromItsReference(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(value + "\n")
	t.Setenv("AIMS_TEST_SECRET", value)
	for _, reference := range []string{"env:AIMS_TEST_SECRET", "file:" + file, "command:cat " + file} {
		s, err := identity.ParseSecret(reference)
		if err != nil {
			t.Fatal(err)
		}
		if s.Reveal() != "" {
			t.Errorf("%s: resolved too early", reference)
		}
		if err := s.Resolve(t.Context()); err != nil || s.Reveal() != value {
			t.Errorf("%s: %q, %v", reference, s.Reveal(), err)
		}
	}
	renewed, err := identity.ParseSecret("file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	holder := renewed // a copy, as the connection to an upstream has one
	for _, v := range []string{"first", "second"} {
		write(v)
		if err := renewed.Resolve(t.Context()); err != nil || holder.Reveal() != v {
			t.Errorf("renewed to %q: the copy has %q, %v", v, holder.Reveal(), err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := renewed.Resolve(t.Context()); code(err) != aims.Unavailable || holder.Reveal() != "second" {
		t.Errorf("gone: %v, kept %q", err, holder.Reveal())
	}
}

func TestMissingAndLiteralSecretsFail(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"env:AIMS_TEST_NOT_SET", "file:/does/not/exist", "file:" + empty, "command:false", "command:/does/not/exist", "command:yes"} {
		s, err := identity.ParseSecret(reference)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Resolve(t.Context()); code(err) != aims.Unavailable {
			t.Errorf("%s: %v", reference, err)
		}
	}
	for _, literal := range []string{"hunter2hunter2", "", "env:", "https://user:hunter2hunter2@host"} {
		var s identity.Secret
		err := s.UnmarshalText([]byte(literal))
		if code(err) != aims.Invalid || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", literal, err)
		}
	}
}

func TestRedactor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("renewed-value"), 0o600); err != nil {
		t.Fatal(err)
	}
	renewable, err := identity.ParseSecret("file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	r := identity.NewRedactor(identity.NewSecret(value), identity.NewSecret(value+"-and-more"), identity.NewSecret("abc"), renewable)
	key := "aims_" + strings.Repeat("Ab0_-", 9)[:43]
	quoted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain": "GET with " + value + " failed", "longer": value + "-and-more!", "query": "?token=" + url.QueryEscape(value),
		"base64": "Basic " + base64.StdEncoding.EncodeToString([]byte(value)), "json": string(quoted), "key": "key=" + key,
	} {
		got := r.Redact(text)
		if !strings.Contains(got, "[secret]") || strings.Contains(got, "s3cr3t") || strings.Contains(got, "-and-more") || strings.Contains(got, key) ||
			strings.Contains(got, base64.StdEncoding.EncodeToString([]byte(value))) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := r.Redact("abc renewed-value"); got != "abc renewed-value" {
		t.Errorf("what is no secret (yet) changed: %q", got)
	}
	if err := renewable.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.Redact("abc renewed-value"); got != "abc [secret]" {
		t.Errorf("a renewed secret: %q", got)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: r.ReplaceAttr}))
	log.Error("upstream said "+value, "error", errors.New("token "+value), "url", "http://x/"+value, "header", map[string][]string{"A": {value}})
	if strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("the log holds the secret: %s", out.String())
	}
}
