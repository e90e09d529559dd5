package session

import "sync/atomic"

// knowledge is what a run has read and was told, as far as it is in memory.
type knowledge struct{ bytes atomic.Int64 }
