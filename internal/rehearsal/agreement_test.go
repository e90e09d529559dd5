package rehearsal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"aims/internal/provenance"
	"aims/internal/rehearsal/trajectory"
)

// cut is the length at which results are recorded no further.
const cut = 400

// agreement counts the values of arguments by what the live index and the
// recording say of them.
type agreement struct{ both, neither, live, recorded int }

func (a *agreement) count(live, recorded bool) {
	switch {
	case live && recorded:
		a.both++
	case live:
		a.live++
	case recorded:
		a.recorded++
	default:
		a.neither++
	}
}

func (a *agreement) share() float64 {
	return 100 * float64(a.both+a.neither) / float64(max(1, a.both+a.neither+a.live+a.recorded))
}

// What the live index finds in prompt and results is what the recording found
// in them, as far as the results were recorded whole. They differ by design: the
// user's word counts only as a whole, and a result's also in disguise.
func TestLiveProvenanceAgreesWithTheRecording(t *testing.T) {
	dir := "testdata"
	if given := os.Getenv("AIMS_TEST_TRAJECTORIES"); given != "" {
		dir = given
	}
	runs, err := trajectory.Load(filepath.Join(dir, "trajectories"))
	if err != nil {
		t.Fatal(err)
	}
	var user, result agreement
	missed := map[string]int{}
	for i := range runs {
		run := &runs[i]
		index := provenance.New(provenance.Limits{})
		index.Prompt(run.Prompt)
		for n, c := range run.Calls {
			sources := func(place string) []trajectory.Source { return c.Sources[place] }
			walk(c.Args, func(_, place, text string, value json.RawMessage) {
				if len(text) < 3 {
					return // too short to be from anywhere
				}
				o := index.Of(value)
				user.count(o.User, slices.Contains(sources(place), trajectory.Prompt))
				from := slices.ContainsFunc(sources(place), func(s trajectory.Source) bool { return s != trajectory.Prompt })
				result.count(o.Result, from)
				if from && !o.Result {
					missed[text]++
				}
			})
			if len(c.Result) >= cut {
				break // what follows may be from what was not recorded
			}
			index.Result(n, nil, []byte(c.Result))
		}
	}
	t.Logf("user: %+v, %.1f %% agree; results: %+v, %.1f %% agree; missed %.300v", user, user.share(), result, result.share(), missed)
	if user.share() < 90 || result.share() < 90 || result.recorded*20 > result.both {
		t.Errorf("user %+v, results %+v, missed %v", user, result, missed)
	}
}
