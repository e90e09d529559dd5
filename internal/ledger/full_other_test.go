//go:build !linux

package ledger_test

import (
	"errors"
	"os"
)

func childOnFullDisk() error { return errors.New("needs Linux") }

func dataSync(f *os.File) error { return f.Sync() }
