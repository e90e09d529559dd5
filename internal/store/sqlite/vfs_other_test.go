//go:build !linux

package sqlite

func commitRefused(call, path string) { panic("needs Linux") }
