//go:build !unix

package upstream

// looks says that quiet can tell; where it cannot, net/http makes all requests.
const looks = false

func (w *wire) quiet() bool { return false }
