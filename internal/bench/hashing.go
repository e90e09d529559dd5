package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"aims/receipt"
)

// The hash role finds the limit of verification: it hashes every leaf and
// every node of the tree of an export (RFC 6962 §2.1) and does nothing else.
// The bytes are in memory when the clock runs, and nothing is read, parsed,
// compared or paired.

// hashed is what it prints.
type hashed struct {
	Leaves uint64        `json:"leaves"`
	Root   string        `json:"root"` // of the tree, base64
	Took   time.Duration `json:"took"`
}

const (
	subtree = 256 // leaves that are hashed together, as in a tile
	// together is how many of them are in memory at a time.
	together = 256
)

func hashRole(ctx context.Context, args []string, say func(any) error) (func() error, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("hash needs a directory, got %d arguments", len(args))
	}
	runtime.GOMAXPROCS(verifyCores)
	source, err := receipt.OpenExport(args[0])
	if err != nil {
		return nil, err
	}
	entries, err := source.Entries(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer entries.Close()
	in := bufio.NewReaderSize(entries, 1<<20)
	var result hashed
	var roots []receipt.Hash
	groups := make([]group, together)
	for more := true; more; {
		read := 0
		for ; read < len(groups) && more; read++ {
			if more, err = groups[read].read(in); err != nil {
				return nil, err
			}
			result.Leaves += uint64(len(groups[read].ends))
		}
		start := time.Now()
		hashAll(groups[:read])
		result.Took += time.Since(start)
		for i := range read {
			if len(groups[i].ends) > 0 {
				roots = append(roots, groups[i].root)
			}
		}
	}
	start := time.Now()
	root := fold(roots)
	result.Took += time.Since(start)
	result.Root = root.String()
	return source.Close, say(result)
}

// group is the leaves of one subtree, each after the byte that it is hashed
// with, one after the other.
type group struct {
	data []byte
	ends []int
	root receipt.Hash
}

// read fills the group, and says whether there may be more leaves.
func (g *group) read(in io.Reader) (more bool, err error) {
	g.data, g.ends = g.data[:0], g.ends[:0]
	var size [2]byte
	for range subtree {
		if _, err := io.ReadFull(in, size[:]); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		start := len(g.data) + 1
		g.data = append(g.data, 0)
		g.data = append(g.data, make([]byte, binary.BigEndian.Uint16(size[:]))...)
		if _, err := io.ReadFull(in, g.data[start:]); err != nil {
			return false, err
		}
		g.ends = append(g.ends, len(g.data))
	}
	return true, nil
}

// hashAll hashes each group's leaves and nodes, on verifyCores goroutines.
func hashAll(groups []group) {
	var next atomic.Int64
	var done sync.WaitGroup
	for range verifyCores {
		done.Go(func() {
			hashes := make([]receipt.Hash, subtree)
			for i := next.Add(1) - 1; i < int64(len(groups)); i = next.Add(1) - 1 {
				g := &groups[i]
				from := 0
				for n, end := range g.ends {
					hashes[n] = sha256.Sum256(g.data[from:end])
					from = end
				}
				g.root = fold(hashes[:len(g.ends)])
			}
		})
	}
	done.Wait()
}

// fold hashes pairs of nodes level by level, in place, until the root is left;
// an odd one at the end goes up as it is.
func fold(nodes []receipt.Hash) (root receipt.Hash) {
	var pair [1 + 2*sha256.Size]byte
	pair[0] = 1
	for len(nodes) > 1 {
		above := 0
		for i := 0; i < len(nodes); i += 2 {
			if i+1 < len(nodes) {
				copy(pair[1:], nodes[i][:])
				copy(pair[1+sha256.Size:], nodes[i+1][:])
				nodes[above] = sha256.Sum256(pair[:])
			} else {
				nodes[above] = nodes[i]
			}
			above++
		}
		nodes = nodes[:above]
	}
	if len(nodes) == 1 {
		root = nodes[0]
	}
	return root
}
