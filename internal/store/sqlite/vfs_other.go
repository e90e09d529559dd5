//go:build !linux

package sqlite

// useVFS names SQLite's own VFS.
func useVFS() (string, error) { return "", nil }
