package app

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"aims/internal/policy"
)

// starter is the commented configuration that the first start writes.
//
//go:embed starter/aims.yaml
var starter []byte

// WriteStarter writes the commented configuration to path and, where there is
// none, a policy directory beside it that permits agents no tool, and returns
// the files written. It overwrites nothing.
func WriteStarter(configPath string) ([]string, error) {
	if err := os.MkdirAll(filepath.Dir(configPath), 0o755); err != nil {
		return nil, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	if err := writeNew(configPath, starter); err != nil {
		return nil, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	written := []string{configPath}
	dir := filepath.Join(filepath.Dir(configPath), defaultPolicyDir)
	if _, err := os.Stat(dir); err == nil {
		return written, nil
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return written, err
	}
	agents := filepath.Join(dir, "agents.cedar")
	return append(written, agents), writeNew(agents, policy.Starter())
}

// CopyTree writes the embedded files under root to dir, which may exist,
// overwrites nothing and returns the files written.
func CopyTree(from fs.FS, root, dir string) ([]string, error) {
	var written []string
	err := fs.WalkDir(from, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(filepath.FromSlash(root), filepath.FromSlash(name))
		if err != nil {
			return err
		}
		target := filepath.Join(dir, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := fs.ReadFile(from, path.Clean(name))
		if err != nil {
			return err
		}
		written = append(written, target)
		return writeNew(target, text)
	})
	return written, err
}

// writeNew writes a file that must not exist.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
