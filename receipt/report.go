package receipt

import "fmt"

// State is what a check found.
type State string

const (
	// Passed: there was something to check, all of it was, and nothing was found wrong.
	Passed State = "ok"
	// Broken: at least one exception.
	Broken State = "failed"
	// Unchecked: nothing can be said; the note says why. It is never a pass.
	Unchecked State = "not checked"
)

// Exception is one thing that is not as it should be.
type Exception struct {
	// Place is where: "entry 17", "entries 256–511", "checkpoint of size 512",
	// "payload input of entry 3", "tail".
	Place string `json:"place"`
	Text  string `json:"text"`
}

func (e Exception) String() string { return e.Place + ": " + e.Text }

// Check is the result of one check over its whole population.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Population is how many of Of were examined.
	Population uint64 `json:"population"`
	Of         string `json:"of"`
	// Exceptions is how many were found; First are the first of them.
	Exceptions uint64      `json:"exceptions"`
	First      []Exception `json:"first,omitempty"`
	// Note says what a reader must know to judge the result.
	Note string `json:"note,omitempty"`
}

// Report is the result of a verification.
type Report struct {
	Origin string `json:"origin"`
	// Size is the number of entries that were read.
	Size uint64 `json:"size"`
	// Root is the tree hash of these entries, base64.
	Root   string  `json:"root"`
	Checks []Check `json:"checks"`
}

// Verified says whether the log is what its key signed: the checks that make
// that up had something to check and passed, and no other check failed. A check
// that could not be made stays to be judged by its note.
func (r Report) Verified() bool {
	passed := 0
	for _, c := range r.Checks {
		switch {
		case c.State == Broken:
			return false
		case c.State == Passed && checks[checkOf(c.Name)].required:
			passed++
		}
	}
	return passed == requiredChecks()
}

// Check returns the check of that name.
func (r Report) Check(name string) (Check, bool) {
	for _, c := range r.Checks {
		if c.Name == name {
			return c, true
		}
	}
	return Check{}, false
}

// checkNumber numbers the checks in the order of the report.
type checkNumber int

const (
	contentsCheck checkNumber = iota
	signatureCheck
	treeCheck
	hashCheck
	headCheck
	witnessCheck
	tailCheck
	indexCheck
	timeCheck
	outcomeCheck
	bodyCheck
	payloadCheck
	decisionCheck
	checkCount
)

// checks names each check and what it is over. A required check is part of
// what Verified means.
var checks = [checkCount]struct {
	name, of string
	required bool
}{
	contentsCheck:  {"contents", "statements of what is included", false},
	signatureCheck: {"signatures", "checkpoints", true},
	treeCheck:      {"tree", "signed checkpoints", true},
	hashCheck:      {"hashes", "entries", false},
	headCheck:      {"head", "entries", true},
	witnessCheck:   {"witnesses", "entries", false},
	tailCheck:      {"tail", "checkpoints kept elsewhere", false},
	indexCheck:     {"indexes", "entries", true},
	timeCheck:      {"time", "entries", true},
	outcomeCheck:   {"outcomes", "decisions", false},
	bodyCheck:      {"bodies", "entries", false},
	payloadCheck:   {"payloads", "payload digests", false},
	decisionCheck:  {"decisions", "policy decisions", false},
}

func checkOf(name string) checkNumber {
	for id := range checks {
		if checks[id].name == name {
			return checkNumber(id)
		}
	}
	return contentsCheck
}

func requiredChecks() int {
	n := 0
	for _, c := range checks {
		if c.required {
			n++
		}
	}
	return n
}

// maxListed is how many exceptions of a check are listed; all are counted.
const maxListed = 10

// tally collects one check's result.
type tally struct {
	population uint64
	exceptions uint64
	first      []Exception
	note       string
	unchecked  bool
}

// tallies are the results of all checks, of the whole log or of a part.
type tallies [checkCount]tally

// except counts an exception and lists it if it is one of the first.
func (t *tallies) except(id checkNumber, place, format string, args ...any) {
	c := &t[id]
	c.exceptions++
	c.list(place, format, args...)
}

func (c *tally) list(place, format string, args ...any) {
	if len(c.first) < maxListed {
		c.first = append(c.first, Exception{Place: place, Text: fmt.Sprintf(format, args...)})
	}
}

// skip says that a check could not be made, and why.
func (t *tallies) skip(id checkNumber, format string, args ...any) {
	t[id].unchecked, t[id].note = true, fmt.Sprintf(format, args...)
}

func (t *tallies) say(id checkNumber, format string, args ...any) {
	if t[id].note != "" {
		t[id].note += "; "
	}
	t[id].note += fmt.Sprintf(format, args...)
}

// add takes over the result of the part of the log that comes next.
func (t *tallies) add(part *tallies) {
	for id := range part {
		from, to := &part[id], &t[id]
		to.population += from.population
		to.exceptions += from.exceptions
		room := min(maxListed-len(to.first), len(from.first))
		to.first = append(to.first, from.first[:room]...)
	}
}

func (t *tallies) clear() {
	for id := range t {
		t[id] = tally{first: t[id].first[:0]}
	}
}

// result is the tally in the words of a report. An empty population is nothing
// to show, never a pass.
func (t *tallies) result(id checkNumber) Check {
	c := Check{Name: checks[id].name, Of: checks[id].of, State: Passed, Population: t[id].population,
		Exceptions: t[id].exceptions, First: t[id].first, Note: t[id].note}
	switch {
	case c.Exceptions > 0:
		c.State = Broken
	case t[id].unchecked:
		c.State = Unchecked
	case c.Population == 0:
		c.State = Unchecked
		if c.Note == "" {
			c.Note = "there are none"
		}
	}
	return c
}

func entryPlace(index uint64) string { return fmt.Sprintf("entry %d", index) }

// entriesPlace names the entries from one index up to, and without, another.
func entriesPlace(from, to uint64) string {
	if from >= to {
		return fmt.Sprintf("tree of size %d", to)
	}
	if to-from == 1 {
		return entryPlace(from)
	}
	return fmt.Sprintf("entries %d–%d", from, to-1)
}

func payloadPlace(p *Payload) string {
	return fmt.Sprintf("payload %s of entry %d", p.Name, p.Index)
}
