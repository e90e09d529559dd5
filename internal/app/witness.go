package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"aims/internal/aims"
	"aims/internal/store/sqlite"
	"aims/internal/witness"
)

// WitnessConfig is what a witness runs with. It is a program of its own, on a
// machine that the log's operator does not control.
type WitnessConfig struct {
	Listen  string
	DataDir string
	// Name is the witness's name, a URL without scheme; it is part of its key.
	Name string
	// Logs are the verifier keys of the logs that it watches.
	Logs []string
	Log  slog.Handler
	Now  func() time.Time
	// Ready is told the address and the verifier key when it serves.
	Ready func(url, vkey string)
}

const witnessKeyFile = "witness.key"

// RunWitness serves a witness until ctx ends.
func RunWitness(ctx context.Context, c WitnessConfig) error {
	logs := make([]note.Verifier, len(c.Logs))
	for i, vkey := range c.Logs {
		var err error
		if logs[i], err = note.NewVerifier(vkey); err != nil {
			return aims.Errorf(aims.Invalid, err, "%q is not the verifier key of a log", vkey)
		}
	}
	signer, err := witnessSigner(c.DataDir, c.Name)
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, filepath.Join(c.DataDir, "witness.db"), c.Now, witness.Schema())
	if err != nil {
		return err
	}
	defer db.Close()
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return aims.Errorf(aims.Unavailable, err, "%s cannot be listened on", c.Listen)
	}
	w := witness.New(db, witness.Options{Signer: signer, Logs: logs, Log: slog.New(c.Log)})
	server := &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: headerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	c.Ready("http://"+l.Addr().String(), signer.Verifier().String())
	context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), defaultStopTimeout)
		defer cancel()
		server.Shutdown(ctx)
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return aims.Errorf(aims.Unavailable, err, "the listener ended")
	}
	return nil
}

func witnessSigner(dir, name string) (*torchwood.CosignatureSigner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, aims.Errorf(aims.Unavailable, err, "%s cannot be used", dir)
	}
	text, err := readKey(dir, witnessKeyFile, name, true)
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "the witness's key cannot be used")
	}
	key, err := note.NewSigner(text)
	if err == nil && key.Name() != name {
		return nil, aims.Errorf(aims.Invalid, nil, "the key in %s is that of the witness %q", dir, key.Name())
	}
	if err != nil {
		return nil, aims.Errorf(aims.Invalid, err, "the witness's key cannot be used")
	}
	seed, err := seedOf(text)
	if err != nil {
		return nil, err
	}
	return torchwood.NewCosignatureSigner(name, ed25519.NewKeyFromSeed(seed))
}
