package bench

import (
	"os"
	"sync"
)

// bareLoop is the least that any group commit does: records that wait are
// written together at the end of a file, the file is synced, and everyone who
// waited goes on. It has no order to keep, nothing to hash and nothing to find
// again, so it is the limit for a durable log on a file system.
type bareLoop struct {
	file    *os.File
	pending chan bareRecord
	done    sync.WaitGroup
}

type bareRecord struct {
	data    []byte
	durable chan error
}

// mostTogether bounds one commit; more callers than this are not measured.
const mostTogether = 1024

func openBareLoop(path string) (*bareLoop, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	l := &bareLoop{file: file, pending: make(chan bareRecord, mostTogether)}
	l.done.Go(l.commit)
	return l, nil
}

// append returns when data is durable.
func (l *bareLoop) append(data []byte) error {
	r := bareRecord{data: data, durable: make(chan error, 1)}
	l.pending <- r
	return <-r.durable
}

func (l *bareLoop) commit() {
	var together []bareRecord
	var buffer []byte
	for r := range l.pending {
		together, buffer = append(together[:0], r), append(buffer[:0], r.data...)
		for more := len(l.pending); more > 0; more-- {
			r := <-l.pending
			together, buffer = append(together, r), append(buffer, r.data...)
		}
		_, err := l.file.Write(buffer)
		if err == nil {
			err = syncData(l.file)
		}
		for _, r := range together {
			r.durable <- err
		}
	}
}

// close ends the loop; nobody may be appending.
func (l *bareLoop) close() error {
	close(l.pending)
	l.done.Wait()
	return l.file.Close()
}
