package upstream

import (
	"sync"

	"aims/internal/gateway/envelope"
)

// maxInbox bounds the bytes of messages that wait for a call on a link whose
// reader serves other calls too.
const maxInbox = 4 << 20

// inbox holds what a server on pipes sent for one call, until the call takes it.
// Its reader never waits for a slow agent: notifications that do not fit are
// dropped and counted.
type inbox struct {
	id   int64
	wake chan struct{} // has room for one

	mu       sync.Mutex
	waiting  []Answer
	bytes    int
	total    int
	response *Answer
	failure  error
}

func newInbox(id int64) *inbox { return &inbox{id: id, wake: make(chan struct{}, 1)} }

// put adds a message; false says that it did not fit and stays the caller's.
func (b *inbox) put(a Answer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	size := len(a.Message.Raw())
	if b.bytes+size > maxInbox {
		return false
	}
	b.waiting = append(b.waiting, a)
	b.bytes += size
	b.signal()
	return true
}

// finish adds the response; a second one is refused and stays the caller's.
func (b *inbox) finish(a Answer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.response != nil {
		return false
	}
	b.response = &a
	b.signal()
	return true
}

// fail says why the call gets no response.
func (b *inbox) fail(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failure = why
	b.signal()
}

// failed is why the call gets no response, nil while it may get one.
func (b *inbox) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failure
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox. total is how many messages came in all.
func (b *inbox) take() (waiting []Answer, response *Answer, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting, response = b.waiting, b.response
	b.waiting, b.bytes, b.response = nil, 0, nil
	return waiting, response, b.total
}

// discard gives back the memory of what nobody took.
func (b *inbox) discard() {
	waiting, response, _ := b.take()
	for i := range waiting {
		waiting[i].Release()
	}
	if response != nil {
		response.Release()
	}
}

// loose says that a notification concerns the session and not a call.
func loose(m *envelope.Message) bool {
	switch m.MethodName() {
	case "notifications/tools/list_changed", "notifications/prompts/list_changed",
		"notifications/resources/list_changed", "notifications/resources/updated",
		"notifications/cancelled", "notifications/elicitation/complete":
		return true
	}
	return false
}
