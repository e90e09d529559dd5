//go:build !linux

package ledger_test

import "errors"

func childOnFullDisk() error { return errors.New("needs Linux") }
