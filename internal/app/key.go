package app

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The files of the log's signing key in the data directory: the private one,
// and the verifier key that may be given to anyone (C2SP signed-note).
const (
	signingKeyFile  = "log.key"
	VerifierKeyFile = "log.vkey"
)

// logKey is the key that signs the log's checkpoints.
type logKey struct {
	note.Signer
	verifier string
}

// openKey reads the signing key or, when mayCreate allows it, makes one. The
// key's name is the log's origin; a configured origin must be the same.
func openKey(dataDir, origin string, mayCreate bool) (*logKey, error) {
	name := origin
	if name == "" {
		var unique [6]byte
		rand.Read(unique[:])
		name = "localhost/aims-" + hex.EncodeToString(unique[:])
	}
	text, err := readKey(dataDir, signingKeyFile, name, mayCreate)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a signing key: %w", filepath.Join(dataDir, signingKeyFile), err)
	}
	if origin != "" && origin != signer.Name() {
		return nil, fmt.Errorf("origin is %q in the configuration and %q in the signing key; the name of a log cannot change", origin, signer.Name())
	}
	seed, err := seedOf(text)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &logKey{signer, verifier}, os.WriteFile(filepath.Join(dataDir, VerifierKeyFile), []byte(verifier+"\n"), 0o644)
}

// readKey reads a private key (C2SP signed-note's form in x/mod/sumdb/note)
// that nobody else may read, or makes one with a name.
func readKey(dir, file, name string, mayCreate bool) (string, error) {
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mayCreate:
		return createKey(path, name)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the database holds a log, but its signing key %s is not there; put the key back, or begin a new log with another database", path)
	case err != nil:
		return "", err
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by other users of this machine: run chmod 600 on it, and begin a new log if others may have read it", path)
	}
	return strings.TrimSpace(string(text)), nil
}

func createKey(path, name string) (string, error) {
	private, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(private + "\n")
	return private, errors.Join(err, f.Sync(), f.Close())
}

// seedOf takes the Ed25519 seed out of a private key's text, in which it
// stands last, after one byte for the algorithm.
func seedOf(private string) ([]byte, error) {
	parts := strings.SplitN(private, "+", 5) // PRIVATE, KEY, name, hash, and base64, which may hold more of them
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, errors.New("the private key is malformed")
	}
	return raw[1:], nil
}
