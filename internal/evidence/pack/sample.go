package pack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aims/internal/evidence/sample"
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

// sampler draws as the decisions pass by.
type sampler struct {
	seed string
	*sample.Sampler
}

// newSampler takes log and period for its seed: nobody chooses them for the
// items that they draw.
func newSampler(origin string, r Request) *sampler {
	seed := fmt.Sprintf("%s %s %s", origin, r.From.UTC().Format(time.DateOnly), r.last())
	return &sampler{seed, sample.New(seed, sampleItems)}
}

// offer takes the body of a decision.
func (s *sampler) offer(index uint64, body []byte) error {
	id, ok := idOf(body)
	if !ok {
		return errors.New("a decision without an id")
	}
	s.Offer(sample.Item{Index: index, ID: string(id), Body: body})
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
	out := Sample{Query: "decisions about calls of agents, " + f.request.String(), Population: s.Population(),
		Digest: s.Digest(), Seed: s.seed, Method: s.Method(), Items: []SampleItem{}}
	for _, d := range s.Items() {
		var body struct {
			Actor struct {
				ID string `json:"id"`
			} `json:"actor"`
			Action  string `json:"action"`
			Verdict string `json:"verdict"`
		}
		if err := json.Unmarshal(d.Body, &body); err != nil {
			continue // the verification of bodies names it
		}
		out.Items = append(out.Items, SampleItem{d.Index, d.ID, body.Actor.ID, body.Action, body.Verdict})
	}
	return out
}
