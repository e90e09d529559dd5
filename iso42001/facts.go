package iso42001

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed facts/iso42001.yaml facts/crosswalk.yaml
var texts embed.FS

// standardFile and crosswalkFile name every key that the two files may have:
// decoding is strict, so that a fact which nobody reads cannot be added unseen.
type standardFile struct {
	Meta struct {
		Schema              string            `yaml:"schema"`
		Standard            string            `yaml:"standard"`
		Edition             string            `yaml:"edition"`
		NormativeReferences []string          `yaml:"normative_references"`
		Annexes             map[string]string `yaml:"annexes"`
		TextPolicy          string            `yaml:"text_policy"`
		Modes               map[Mode]string   `yaml:"modes"`
		EvidenceCeiling     string            `yaml:"evidence_ceiling"`
		WordingRule         string            `yaml:"wording_rule"`
		Counts              map[string]int    `yaml:"counts"`
	} `yaml:"meta"`
	EvidenceSources       []Source        `yaml:"evidence_sources"`
	ClauseGroups          []Group         `yaml:"clause_groups"`
	Clauses               []clauseFact    `yaml:"clauses"`
	DocumentedInformation []Document      `yaml:"documented_information_register"`
	NotRequired           []string        `yaml:"not_required_by_the_standard"`
	AnnexA                []areaFact      `yaml:"annex_a"`
	Controls              []controlFact   `yaml:"controls"`
	Mislabelled           mislabelledFact `yaml:"explainer_label_mapping"`
}

type requirementFact struct {
	ID                string        `yaml:"id"`
	Title             string        `yaml:"title"`
	TitleVerifiedBy   []string      `yaml:"title_verified_by"`
	Summary           string        `yaml:"summary"`
	EvidenceCeiling   Mode          `yaml:"evidence_ceiling"`
	AutomaticSources  int           `yaml:"automatic_sources"`
	AgentEvidence     []EvidenceUse `yaml:"agent_evidence"`
	MachineChecks     []string      `yaml:"machine_checks"`
	NotShownByMachine string        `yaml:"not_shown_by_machine"`
}

type clauseFact struct {
	requirementFact       `yaml:",inline"`
	DisplayTitle          string     `yaml:"display_title"`
	Parent                string     `yaml:"parent"`
	Points                []string   `yaml:"points"`
	DocumentedInformation Documented `yaml:"documented_information"`
}

type controlFact struct {
	requirementFact `yaml:",inline"`
	Area            string `yaml:"area"`
	ObjectiveID     string `yaml:"objective_id"`
	AnnexB          string `yaml:"annex_b"`
}

type areaFact struct {
	ID        string        `yaml:"id"`
	Title     string        `yaml:"title"`
	Objective objectiveFact `yaml:"objective"`
	Controls  []string      `yaml:"controls"`
	SubAreas  []struct {
		ID        string        `yaml:"id"`
		Title     string        `yaml:"title"`
		Objective objectiveFact `yaml:"objective"`
	} `yaml:"sub_areas"`
}

type objectiveFact struct {
	ID      string `yaml:"id"`
	Summary string `yaml:"summary"`
}

type mislabelledFact struct {
	Note     string `yaml:"note"`
	Mappings []struct {
		Explainer    string   `yaml:"explainer"`
		WrongBecause string   `yaml:"wrong_because"`
		RealArea     string   `yaml:"real_area"`
		RealControls []string `yaml:"real_controls"`
		Also         []string `yaml:"also"`
	} `yaml:"mappings"`
	NotCovered []string `yaml:"not_covered_by_explainer"`
}

type crosswalkFile struct {
	Meta struct {
		Schema           string                `yaml:"schema"`
		Pivot            string                `yaml:"pivot"`
		AsOf             string                `yaml:"as_of"`
		ReadingRules     []string              `yaml:"reading_rules"`
		Confidence       map[Confidence]string `yaml:"confidence"`
		ConfidenceCounts map[Confidence]int    `yaml:"confidence_counts"`
	} `yaml:"meta"`
	Sources   []CrosswalkSource `yaml:"sources"`
	Timetable Schedule          `yaml:"eu_ai_act_timetable"`
	Articles  []articleFact     `yaml:"eu_ai_act_articles"`
	Mappings  []mappingFact     `yaml:"mappings"`
	Agentic   []agenticFact     `yaml:"owasp_agentic_top10_2026"`
	Reverse   struct {
		EUAIAct  map[string][]string `yaml:"eu_ai_act"`
		NIST     map[string][]string `yaml:"nist_ai_rmf"`
		ISO27001 map[string][]string `yaml:"iso27001_2022"`
		OWASP    map[string][]string `yaml:"owasp_agentic_2026"`
	} `yaml:"reverse_index"`
	NotMapped struct {
		ISO27001 []string `yaml:"iso27001_annex_a_without_42001_counterpart"`
		Note     string   `yaml:"note"`
	} `yaml:"not_mapped"`
}

type articleFact struct {
	Ref                 string   `yaml:"ref"`
	Topic               string   `yaml:"topic"`
	Addressee           string   `yaml:"addressee"`
	AppliesFrom         string   `yaml:"applies_from"`
	InApplicationOnAsOf bool     `yaml:"in_application_on_as_of"`
	Note                string   `yaml:"note"`
	ISO42001            []string `yaml:"iso42001"`
}

type pairFact struct {
	Ref        string     `yaml:"ref"`
	Title      string     `yaml:"title"`
	Confidence Confidence `yaml:"confidence"`
	Sources    []string   `yaml:"sources"`
	Note       string     `yaml:"note"`
}

type mappingFact struct {
	ISO42001     string     `yaml:"iso42001"`
	Title        string     `yaml:"title"`
	EUAIAct      []pairFact `yaml:"eu_ai_act"`
	NIST         []pairFact `yaml:"nist_ai_rmf"`
	ISO27001     []pairFact `yaml:"iso27001_2022"`
	OWASP        []pairFact `yaml:"owasp_agentic_2026"`
	ISO27001Note string     `yaml:"iso27001_note"`
}

type agenticFact struct {
	ID       string     `yaml:"id"`
	Title    string     `yaml:"title"`
	ISO42001 []pairFact `yaml:"iso42001"`
	EUAIAct  []pairFact `yaml:"eu_ai_act"`
	NIST     []pairFact `yaml:"nist_ai_rmf"`
	ISO27001 []pairFact `yaml:"iso27001_2022"`
}

// facts is both files, with the requirements found by id.
type facts struct {
	standard     standardFile
	crosswalk    crosswalkFile
	requirements []Requirement
	byID         map[string]int
	areas        []Area
	pairs        map[string][]Pair // by requirement
	articles     []Article
}

// read reads the embedded files once: nothing changes what it returns, and
// everything public hands out copies.
var read = sync.OnceValue(func() *facts {
	f, err := load(text("facts/iso42001.yaml"), text("facts/crosswalk.yaml"))
	if err != nil {
		// The files were embedded at build, and a test reads them.
		panic(err)
	}
	return f
})

func text(name string) []byte {
	b, err := texts.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return b
}

func load(standard, crosswalk []byte) (*facts, error) {
	f := &facts{byID: map[string]int{}, pairs: map[string][]Pair{}}
	if err := decode("iso42001.yaml", standard, &f.standard); err != nil {
		return nil, err
	}
	if err := decode("crosswalk.yaml", crosswalk, &f.crosswalk); err != nil {
		return nil, err
	}
	f.build()
	if err := f.buildCrosswalk(); err != nil {
		return nil, err
	}
	return f, errors.Join(f.check()...)
}

func decode(name string, text []byte, out any) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: a second YAML document; a file is one", name)
	}
	return nil
}

// check is everything that the files must keep to besides their shape: closed
// ids, declared sources, an index that agrees with what it indexes.
func (f *facts) check() (wrong []error) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	counts := f.standard.Meta.Counts
	if c, a := len(f.standard.Clauses), len(f.standard.Controls); c != 32 || a != 38 || counts["clause_requirements"] != c || counts["annex_a_controls"] != a {
		say("iso42001.yaml: %d clause requirements and %d controls; expected 32 and 38", c, a)
	}
	if len(f.byID) != len(f.requirements) {
		say("iso42001.yaml: an id twice")
	}
	sources := map[string]bool{}
	for _, s := range f.standard.EvidenceSources {
		sources[s.ID] = true
	}
	for _, r := range f.requirements {
		for _, e := range r.Evidence {
			if !sources[e.Source] {
				say("iso42001.yaml: %s: evidence source %q is not declared", r.ID, e.Source)
			}
			if !e.Mode.known() {
				say("iso42001.yaml: %s: mode %q; expected automatic, assisted or manual", r.ID, e.Mode)
			}
		}
		if !r.Ceiling.known() {
			say("iso42001.yaml: %s: ceiling %q; expected automatic, assisted or manual", r.ID, r.Ceiling)
		}
		if r.Summary == "" || r.Title == "" || len(r.MachineChecks) == 0 || r.NotShownByMachine == "" {
			say("iso42001.yaml: %s: a title, summary, machine check or limit is missing", r.ID)
		}
		if f.areaTitle(r.Area) == "" {
			say("iso42001.yaml: %s: area %q is not declared", r.ID, r.Area)
		}
	}
	return append(wrong, f.checkCrosswalk()...)
}

func (f *facts) checkCrosswalk() (wrong []error) {
	say := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("crosswalk.yaml: "+format, args...))
	}
	sources := map[string]bool{}
	for _, s := range f.crosswalk.Sources {
		sources[s.ID] = true
	}
	counted := map[Confidence]int{}
	reverse := map[Framework]map[string][]string{EUAIAct: {}, NISTAIRMF: {}, ISO27001: {}, OWASPASI: {}}
	for _, m := range f.crosswalk.Mappings {
		if _, known := f.byID[m.ISO42001]; !known {
			say("unknown id %q", m.ISO42001)
		}
		for _, p := range f.pairs[m.ISO42001] {
			counted[p.Confidence]++
			reverse[p.Framework][p.Ref] = append(reverse[p.Framework][p.Ref], p.Requirement)
			for _, s := range p.Sources {
				if !sources[s] {
					say("%s × %s: source %q is not declared", p.Requirement, p.Ref, s)
				}
			}
			if f.crosswalk.Meta.Confidence[p.Confidence] == "" || len(p.Sources) == 0 {
				say("%s × %s: confidence %q without meaning, or no source", p.Requirement, p.Ref, p.Confidence)
			}
		}
	}
	if len(f.crosswalk.Mappings) != len(f.requirements) || len(f.pairs) != len(f.requirements) {
		say("%d mappings; expected one for each of the %d ids", len(f.crosswalk.Mappings), len(f.requirements))
	}
	if !maps.Equal(counted, f.crosswalk.Meta.ConfidenceCounts) {
		say("confidence_counts %v; the pairs say %v", f.crosswalk.Meta.ConfidenceCounts, counted)
	}
	given := f.crosswalk.Reverse
	for framework, index := range map[Framework]map[string][]string{EUAIAct: given.EUAIAct, NISTAIRMF: given.NIST, ISO27001: given.ISO27001, OWASPASI: given.OWASP} {
		if !maps.EqualFunc(index, reverse[framework], sameSet) {
			say("reverse_index of %s disagrees with the mappings", framework)
		}
	}
	for _, a := range f.articles {
		if !sameSet(a.Requirements, f.articleRequirements(a.Ref)) {
			say("%s: its list of ids disagrees with the mappings", a.Ref)
		}
	}
	return wrong
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// articleRequirements are the ids paired with an article or a part of it.
func (f *facts) articleRequirements(article string) (ids []string) {
	for _, r := range f.requirements {
		for _, p := range f.pairs[r.ID] {
			if p.Framework == EUAIAct && Within(article, p.Ref) {
				ids = append(ids, r.ID)
				break
			}
		}
	}
	return ids
}

// Within says whether a reference of the EU AI Act, such as "Art 26(6)", is an
// article or a part of it.
func Within(article, ref string) bool {
	return ref == article || strings.HasPrefix(ref, article+"(")
}
