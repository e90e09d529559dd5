//go:build unix

package upstream

import "syscall"

// looks says that quiet can tell.
const looks = true

// quiet says that the server has neither closed an idle wire nor sent anything
// that nobody asked for: what it sent would be taken for the next answer.
func (w *wire) quiet() bool {
	quiet := false
	err := w.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		quiet = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true
	})
	return err == nil && quiet
}
