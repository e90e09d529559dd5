//go:build !unix

package bench

import "errors"

// ownUsage is what this process has used.
func ownUsage() (usage, error) {
	return usage{}, errors.New("the use of processor and memory is measured on Unix systems only")
}
