package iso42001

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Framework is a text that the 70 ids are compared with.
type Framework string

const (
	EUAIAct   Framework = "eu-ai-act"
	NISTAIRMF Framework = "nist-ai-rmf"
	ISO27001  Framework = "iso27001"
	OWASPASI  Framework = "owasp-asi"
)

// Frameworks is the four of them.
func Frameworks() []Framework { return []Framework{EUAIAct, NISTAIRMF, ISO27001, OWASPASI} }

// Title is the framework's name and edition.
func (f Framework) Title() string {
	switch f {
	case EUAIAct:
		return "Regulation (EU) 2024/1689 (AI Act), as changed by Regulation (EU) 2026/1744"
	case NISTAIRMF:
		return "NIST AI Risk Management Framework 1.0"
	case ISO27001:
		return "ISO/IEC 27001:2022"
	case OWASPASI:
		return "OWASP Top 10 for Agentic Applications 2026"
	}
	return string(f)
}

// ParseFramework reads a framework's name; the error lists the four.
func ParseFramework(name string) (Framework, error) {
	if f := Framework(name); slices.Contains(Frameworks(), f) {
		return f, nil
	}
	return "", fmt.Errorf("unknown framework %q; expected eu-ai-act, nist-ai-rmf, iso27001 or owasp-asi", name)
}

// Confidence is who says that two texts are near each other.
type Confidence string

const (
	Official            Confidence = "official"
	NISTHostedCommunity Confidence = "nist_hosted_community"
	ThirdParty          Confidence = "third_party"
	Structural          Confidence = "structural"
	OurReading          Confidence = "our_reading"
)

// ConfidenceMeaning is what a confidence says, and how many pairs have it.
type ConfidenceMeaning struct {
	Confidence Confidence `json:"confidence"`
	Meaning    string     `json:"meaning"`
	Pairs      int        `json:"pairs"`
}

// Confidences is every confidence, strongest first. No pair is official.
func Confidences() []ConfidenceMeaning {
	meta := read().crosswalk.Meta
	var out []ConfidenceMeaning
	for _, c := range []Confidence{Official, NISTHostedCommunity, ThirdParty, Structural, OurReading} {
		out = append(out, ConfidenceMeaning{c, meta.Confidence[c], meta.ConfidenceCounts[c]})
	}
	return out
}

// Pair says that evidence for a requirement is likely useful for a reference of
// another framework. It never says that one stands for the other.
type Pair struct {
	Framework   Framework  `json:"framework"`
	Requirement string     `json:"requirement"`
	Ref         string     `json:"ref"`
	Title       string     `json:"title,omitempty"` // of the reference; the facts have none for eu-ai-act and nist-ai-rmf
	Confidence  Confidence `json:"confidence"`
	Sources     []string   `json:"sources"` // ids of CrosswalkSources
	Note        string     `json:"note,omitempty"`
}

// Reference is a place of another framework with all its pairs.
type Reference struct {
	Ref   string `json:"ref"`
	Title string `json:"title,omitempty"`
	Pairs []Pair `json:"pairs"`
}

// CrosswalkSource is where a pair or a date was found.
type CrosswalkSource struct {
	ID    string `yaml:"id" json:"id"`
	Title string `yaml:"title" json:"title"`
	Where string `yaml:"where" json:"where"`
	Kind  string `yaml:"kind" json:"kind"`
	Note  string `yaml:"note" json:"note,omitempty"`
}

// CrosswalkSources is every source that pairs and dates name.
func CrosswalkSources() []CrosswalkSource { return slices.Clone(read().crosswalk.Sources) }

// MappingOf is every pair of a requirement. The error is an *UnknownError.
func MappingOf(id string) ([]Pair, error) {
	if _, err := Get(id); err != nil {
		return nil, err
	}
	return clonePairs(read().pairs[id]), nil
}

// NoteOf is what the facts say of a requirement against a framework as a whole;
// mostly "", and only known for iso27001. The error is an *UnknownError.
func NoteOf(id string, framework Framework) (string, error) {
	if _, err := Get(id); err != nil {
		return "", err
	}
	for _, m := range read().crosswalk.Mappings {
		if m.ISO42001 == id && framework == ISO27001 {
			return m.ISO27001Note, nil
		}
	}
	return "", nil
}

// Reverse is every reference of a framework that has a pair, in the order of
// that framework, its pairs in the order of ISO 42001.
func Reverse(framework Framework) []Reference {
	f := read()
	at := map[string]int{}
	var refs []Reference
	for _, r := range f.requirements {
		for _, p := range f.pairs[r.ID] {
			if p.Framework != framework {
				continue
			}
			i, seen := at[p.Ref]
			if !seen {
				i, at[p.Ref] = len(refs), len(refs)
				refs = append(refs, Reference{Ref: p.Ref, Title: p.Title})
			}
			refs[i].Pairs = append(refs[i].Pairs, clonePairs([]Pair{p})...)
		}
	}
	slices.SortFunc(refs, func(a, b Reference) int { return slices.Compare(order(a.Ref), order(b.Ref)) })
	return refs
}

// Unmapped is references of a framework that have no counterpart among the 70.
type Unmapped struct {
	Framework Framework `json:"framework"`
	Refs      []string  `json:"refs"`
	Note      string    `json:"note"`
}

// NotMapped is what the facts declare to have no counterpart. A reference that
// is neither there nor in Reverse was not judged.
func NotMapped() []Unmapped {
	n := read().crosswalk.NotMapped
	out := []Unmapped{{ISO27001, slices.Clone(n.ISO27001), n.Note}}
	var articles []string
	for _, a := range read().articles {
		if len(a.Requirements) == 0 {
			articles = append(articles, a.Ref)
		}
	}
	return append(out, Unmapped{EUAIAct, articles, "no pair found"})
}

// Schedule is when the EU AI Act applies, after the 2026 Omnibus. Note has to
// be shown with it.
type Schedule struct {
	Note       string       `yaml:"note" json:"note"`
	Sources    []string     `yaml:"sources" json:"sources"`
	Milestones []Milestone  `yaml:"milestones" json:"milestones"`
	Superseded []Superseded `yaml:"superseded_dates" json:"superseded"`
	Standards  []Standard   `yaml:"harmonised_standards" json:"standards"`
}

// Milestone is one date, written 2026-08-02. Status is past or upcoming as of
// About.AsOf, not as of today.
type Milestone struct {
	Date   string `yaml:"date" json:"date"`
	What   string `yaml:"what" json:"what"`
	Status string `yaml:"status" json:"status"`
}

// Superseded is a date that is still widely quoted and no longer holds.
type Superseded struct {
	Old string `yaml:"old" json:"old"`
	Was string `yaml:"was" json:"was"`
	Now string `yaml:"now" json:"now"`
}

// Standard is where a standard that the act may rely on stands.
type Standard struct {
	ID    string `yaml:"id" json:"id"`
	Topic string `yaml:"topic" json:"topic"`
	State string `yaml:"state" json:"state"`
}

// Timetable is the timetable of the EU AI Act.
func Timetable() Schedule {
	t := read().crosswalk.Timetable
	t.Sources, t.Milestones = slices.Clone(t.Sources), slices.Clone(t.Milestones)
	t.Superseded, t.Standards = slices.Clone(t.Superseded), slices.Clone(t.Standards)
	return t
}

// Article is an article or annex of the EU AI Act. Dates are written 2026-08-02.
type Article struct {
	Ref       string `json:"ref"`
	Topic     string `json:"topic"`
	Addressee string `json:"addressee"` // in words, as in the facts
	// AppliesFrom is as in the facts. From is its date; where the date depends on
	// the kind of high-risk system, From is for Annex III and FromAnnexI for
	// Annex I, otherwise the two are the same.
	AppliesFrom string `json:"applies_from"`
	From        string `json:"from"`
	FromAnnexI  string `json:"from_annex_i"`
	// Interpreted says that the date rests on a reading that Note gives.
	Interpreted bool   `json:"interpreted"`
	Note        string `json:"note,omitempty"`
	// Requirements are the ids paired with the article or a part of it.
	Requirements []string `json:"requirements"`
}

// Articles is the articles of the EU AI Act that the crosswalk looked at.
func Articles() []Article {
	articles := slices.Clone(read().articles)
	for i, a := range articles {
		articles[i].Requirements = slices.Clone(a.Requirements)
	}
	return articles
}

func clonePairs(pairs []Pair) []Pair {
	out := slices.Clone(pairs)
	for i, p := range out {
		out[i].Sources = slices.Clone(p.Sources)
	}
	return out
}

// order makes references comparable as people read them: numbers as numbers,
// the functions of the NIST framework in its own order, articles before annexes.
func order(ref string) []string {
	for i, function := range []string{"GOVERN", "MAP", "MEASURE", "MANAGE"} {
		ref = strings.Replace(ref, function, strconv.Itoa(i), 1)
	}
	ref = strings.Replace(ref, "Annex", "Art Annex", 1) // after every "Art 9"
	if ref != "" && ref[0] >= '0' && ref[0] <= '9' {
		ref = " " + ref // clauses of ISO 27001 before its Annex A
	}
	var parts []string
	for ref != "" {
		n := strings.IndexFunc(ref, func(r rune) bool { return r >= '0' && r <= '9' })
		if n < 0 {
			return append(parts, ref)
		}
		digits := ref[n:]
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end]
		}
		parts = append(parts, ref[:n], strings.Repeat("0", max(0, 6-len(digits)))+digits)
		ref = ref[n+len(digits):]
	}
	return parts
}

// buildCrosswalk makes pairs and articles of the file's lists.
func (f *facts) buildCrosswalk() error {
	titles := map[string]string{}
	for _, a := range f.crosswalk.Agentic {
		titles[a.ID] = a.Title
	}
	for _, m := range f.crosswalk.Mappings {
		pairs := []Pair{}
		add := func(framework Framework, list []pairFact) {
			for _, p := range list {
				pair := Pair{framework, m.ISO42001, p.Ref, p.Title, p.Confidence, p.Sources, p.Note}
				if framework == OWASPASI {
					pair.Title = titles[p.Ref]
				}
				pairs = append(pairs, pair)
			}
		}
		add(EUAIAct, m.EUAIAct)
		add(NISTAIRMF, m.NIST)
		add(ISO27001, m.ISO27001)
		add(OWASPASI, m.OWASP)
		f.pairs[m.ISO42001] = pairs
	}
	for _, a := range f.crosswalk.Articles {
		article := Article{
			Ref: a.Ref, Topic: a.Topic, Addressee: a.Addressee, AppliesFrom: a.AppliesFrom,
			Note: a.Note, Requirements: a.ISO42001,
		}
		date, interpreted := strings.CutSuffix(a.AppliesFrom, " (see note)")
		article.Interpreted = interpreted
		var two bool
		if article.From, article.FromAnnexI, two = strings.Cut(date, " / "); !two {
			article.FromAnnexI = date
		}
		for _, d := range []string{article.From, article.FromAnnexI} {
			if _, err := time.Parse(time.DateOnly, d); err != nil {
				return fmt.Errorf("crosswalk.yaml: %s: applies_from %q; expected a date, or two for Annex III and Annex I", a.Ref, a.AppliesFrom)
			}
		}
		f.articles = append(f.articles, article)
	}
	return nil
}
