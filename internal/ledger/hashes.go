package ledger

import (
	"context"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// hashes reads the tree's nodes: of full tiles from storage, of the right edge
// from memory.
func (l *Ledger) hashes(ctx context.Context, t *tree) tlog.HashReader {
	tiles := map[tlog.Tile][]byte{}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			at := tlog.TileForIndex(torchwood.TileHeight, index)
			at.W = t.width(at.L, uint64(at.N))
			data, ok := tiles[at]
			if !ok {
				var err error
				if data, err = l.hashTile(ctx, t, at); err != nil {
					return nil, err
				}
				tiles[at] = data
			}
			var err error
			if out[i], err = tlog.HashFromTile(at, data, index); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

// width is how many hashes of a tile the tree has.
func (t *tree) width(level int, number uint64) int {
	have := t.size() >> (8 * uint(level))
	if have <= number*torchwood.TileWidth {
		return 0
	}
	return int(min(have-number*torchwood.TileWidth, torchwood.TileWidth))
}

// hashTile is the data of a tile that the tree has at least at this width.
func (l *Ledger) hashTile(ctx context.Context, t *tree, at tlog.Tile) ([]byte, error) {
	number := uint64(at.N)
	have := t.width(at.L, number)
	if at.W < 1 || at.W > have {
		return nil, fmt.Errorf("ledger: the tree of size %d has %d hashes in tile %s", t.size(), have, torchwood.TilePath(at))
	}
	if have < torchwood.TileWidth {
		return join(t.partial[at.L][:at.W]), nil
	}
	if at.L > 0 {
		data, err := l.tile(ctx, at.L, number)
		return data[:min(len(data), at.W*tlog.HashSize)], err
	}
	first := number * torchwood.TileWidth
	hashes, err := l.leafHashes(ctx, first, first+uint64(at.W))
	return join(hashes), err
}
