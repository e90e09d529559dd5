package pack

import (
	"bytes"
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"
)

// sampleItems is how many decisions are drawn. It is a reading aid; every
// decision is made again.
const sampleItems = 25

// Sample is a sample of the decisions of the period that anybody draws again:
// the items are those whose ids, hashed with the seed, come first.
type Sample struct {
	Query string `json:"query"`
	// Population is how many there are, Digest the SHA-256 of their ids, one per
	// line, in the order of the log.
	Population uint64       `json:"population"`
	Digest     string       `json:"digest"`
	Seed       string       `json:"seed"`
	Method     string       `json:"method"`
	Items      []SampleItem `json:"items"`
}

// SampleItem is one decision of the sample, in the order of the log.
type SampleItem struct {
	Index   uint64 `json:"index"`
	Receipt string `json:"receipt"`
	Agent   string `json:"agent"`
	Action  string `json:"action"`
	Verdict string `json:"verdict"`
}

// sampler draws as the decisions pass by, and keeps no more than it draws.
type sampler struct {
	seed       string
	population uint64
	ids        hash.Hash
	drawn      ranking
}

type drawn struct {
	rank  [sha256.Size]byte
	index uint64
	id    string
	body  []byte
}

// ranking is a heap with the last rank on top.
type ranking []drawn

func (r ranking) Len() int           { return len(r) }
func (r ranking) Less(i, j int) bool { return bytes.Compare(r[i].rank[:], r[j].rank[:]) > 0 }
func (r ranking) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranking) Push(x any)        { *r = append(*r, x.(drawn)) }
func (r *ranking) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// newSampler takes log and period for its seed: nobody chooses them for the
// items that they draw.
func newSampler(origin string, r Request) *sampler {
	return &sampler{seed: fmt.Sprintf("%s %s %s", origin, r.From.UTC().Format(time.DateOnly), r.last()), ids: sha256.New()}
}

// offer takes the body of a decision.
func (s *sampler) offer(index uint64, body []byte) error {
	id, ok := idOf(body)
	if !ok {
		return errors.New("a decision without an id")
	}
	s.population++
	s.ids.Write(id)
	s.ids.Write([]byte{'\n'})
	rank := sha256.Sum256(append([]byte(s.seed+"\n"), id...))
	if len(s.drawn) == sampleItems {
		if bytes.Compare(rank[:], s.drawn[0].rank[:]) >= 0 {
			return nil
		}
		heap.Pop(&s.drawn)
	}
	heap.Push(&s.drawn, drawn{rank, index, string(id), bytes.Clone(body)})
	return nil
}

// idOf is the id of a body of ours, which begins with it.
func idOf(body []byte) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(body, []byte(`{"id":"`))
	if !ok {
		return nil, false
	}
	id, _, ok := bytes.Cut(rest, []byte{'"'})
	return id, ok && len(id) > 0
}

func (s *sampler) result(f *found) Sample {
	out := Sample{Query: "decisions about calls of agents, " + f.request.String(), Population: s.population,
		Digest: "sha256:" + hex.EncodeToString(s.ids.Sum(nil)), Seed: s.seed,
		Method: fmt.Sprintf("the %d with the smallest SHA-256 of seed, newline, id", sampleItems), Items: []SampleItem{}}
	for _, d := range s.drawn {
		var body struct {
			Actor struct {
				ID string `json:"id"`
			} `json:"actor"`
			Action  string `json:"action"`
			Verdict string `json:"verdict"`
		}
		if err := json.Unmarshal(d.body, &body); err != nil {
			continue // the verification of bodies names it
		}
		out.Items = append(out.Items, SampleItem{d.index, d.id, body.Actor.ID, body.Action, body.Verdict})
	}
	slices.SortFunc(out.Items, func(a, b SampleItem) int { return int(int64(a.Index) - int64(b.Index)) })
	return out
}
