package framework

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aims/internal/aims"
	"aims/iso42001"
)

// Role is what an organisation is for an AI system under the EU AI Act (Art 3).
type Role string

const (
	Provider    Role = "provider"
	Deployer    Role = "deployer"
	Importer    Role = "importer"
	Distributor Role = "distributor"
	NoRole      Role = "none"
)

func roles() []Role { return []Role{Provider, Deployer, Importer, Distributor, NoRole} }

// HighRisk is how the EU AI Act classes an AI system (Art 6).
type HighRisk string

const (
	AnnexI      HighRisk = "annex-i"   // a product, or its safety component, of Annex I
	AnnexIII    HighRisk = "annex-iii" // a use of Annex III
	NotHighRisk HighRisk = "none"
)

// Answers says what of the EU AI Act applies to one AI system. What is empty or
// nil is not answered.
type Answers struct {
	System string
	// Roles may be several: who builds an agent and uses it is provider and
	// deployer. NoRole stands alone.
	Roles        []Role
	Prohibited   *bool // a practice of Art 5 is suspected
	HighRisk     HighRisk
	Transparency *bool // it deals with people or makes content (Art 50)
	// GPAI: the organisation itself provides a general-purpose AI model. That is
	// rare enough for false to be the answer where nobody says otherwise.
	GPAI bool
}

// Question is what has to be answered before duties of a system are shown.
type Question struct {
	ID     string   `json:"id"`
	Text   string   `json:"text"`
	Values []string `json:"values"`
	Refs   []string `json:"refs"` // where the EU AI Act decides it
}

// System is what of the EU AI Act applies to one AI system. Either there are
// questions, or the duties are all that the facts know.
type System struct {
	System    string     `json:"system"`
	Questions []Question `json:"questions"`
	// Warnings come before everything else.
	Warnings []string `json:"warnings"`
	Duties   []Duty   `json:"duties"`
	// NotShown counts the articles that the facts hold and that the answers leave
	// out.
	NotShown int `json:"not_shown"`
}

// Applies says whether a duty applies on a day.
type Applies string

const (
	AppliesNow   Applies = "yes"
	AppliesLater Applies = "not_yet"
	AppliesOpen  Applies = "open" // in application, but what it attaches to is not: a question of interpretation
)

// Duty is one article that applies to a system by its answers.
type Duty struct {
	Ref   string `json:"ref"`
	Topic string `json:"topic"`
	// Kind is duty, voluntary, or context for what gives this organisation no
	// duty and matters all the same.
	Kind      string `json:"kind"`
	Addressee string `json:"addressee"`
	// Condition limits the duty by something that is not asked.
	Condition string `json:"condition,omitempty"`
	// From is the day on which it applies after the Omnibus. AttachesFrom is the
	// later day on which that to which it attaches applies.
	From         string `json:"from"`
	AttachesFrom string `json:"attaches_from,omitempty"`
	// Superseded is the day before the Omnibus, which is still widely quoted.
	Superseded string  `json:"superseded,omitempty"`
	Applies    Applies `json:"applies"`
	Note       string  `json:"note,omitempty"`
	Pairs      []Pair  `json:"pairs"`
}

// act fills the view of the EU AI Act. Without systems it asks the questions of
// one that is not named.
func (v *View) act(states map[string]State, systems []Answers) error {
	timetable := iso42001.Timetable()
	v.Timetable = &timetable
	v.NotJudged = append(v.NotJudged,
		Uncovered{[]string{"Art 22", "Art 23", "Art 24"}, "duties of authorised representatives, importers and distributors: the facts do not hold them"},
		Uncovered{[]string{}, fmt.Sprintf("the facts hold %d articles and annexes of the Act; what is not among them was not looked at", len(iso42001.Articles()))})
	if len(systems) == 0 {
		systems = []Answers{{}}
	}
	unpaired := map[string]bool{}
	for i, a := range systems {
		if err := a.check(); err != nil {
			return err
		}
		if slices.ContainsFunc(systems[:i], func(b Answers) bool { return a.System == b.System }) {
			return aims.Errorf(aims.Invalid, nil, "AI system %q: answers twice; expected one set", a.System)
		}
		s, err := v.system(a, states)
		if err != nil {
			return err
		}
		for _, d := range s.Duties {
			if len(d.Pairs) == 0 && !unpaired[d.Ref] {
				unpaired[d.Ref] = true
				v.NotMapped = append(v.NotMapped, Uncovered{[]string{d.Ref}, d.Topic + ": applies, and no requirement has anything near it"})
			}
		}
		v.Systems = append(v.Systems, s)
	}
	return nil
}

func (a Answers) check() error {
	for i, r := range a.Roles {
		switch {
		case !slices.Contains(roles(), r):
			return aims.Errorf(aims.Invalid, nil, "AI system %q: role %q; expected provider, deployer, importer, distributor or none", a.System, r)
		case r == NoRole && len(a.Roles) > 1, slices.Contains(a.Roles[:i], r):
			return aims.Errorf(aims.Invalid, nil, "AI system %q: roles %v; expected each once, and none alone", a.System, a.Roles)
		}
	}
	if !slices.Contains([]HighRisk{"", AnnexI, AnnexIII, NotHighRisk}, a.HighRisk) {
		return aims.Errorf(aims.Invalid, nil, "AI system %q: high-risk %q; expected annex-i, annex-iii or none", a.System, a.HighRisk)
	}
	return nil
}

func (a Answers) any(list ...Role) bool {
	return slices.ContainsFunc(list, func(r Role) bool { return slices.Contains(a.Roles, r) })
}

// open is what is not answered yet and would change what is shown.
func (a Answers) open() []Question {
	questions := []Question{}
	ask := func(missing bool, id, text string, refs []string, values ...string) {
		if missing {
			questions = append(questions, Question{id, text, values, refs})
		}
	}
	ask(len(a.Roles) == 0, "role", "What is the organisation for this AI system: does it develop it or have it developed and put it into service under its own name (provider), use it (deployer), bring it into the EU (importer), pass it on (distributor), or is the Act out of reach (none)? Who builds and uses is both.",
		[]string{"Art 2", "Art 3", "Art 25"}, "provider", "deployer", "importer", "distributor", "none")
	ask(a.Prohibited == nil, "prohibited", "Is a prohibited practice suspected, such as manipulation, social scoring, or emotion recognition at work?",
		[]string{"Art 5"}, "yes", "no")
	if a.any(NoRole) {
		return questions
	}
	ask(a.HighRisk == "", "high_risk", "Is it high-risk: a regulated product or its safety component (annex-i), a listed use such as hiring, credit or education (annex-iii), or neither (none)?",
		[]string{"Art 6"}, "annex-i", "annex-iii", "none")
	ask(a.Transparency == nil && (len(a.Roles) == 0 || a.any(Provider, Deployer)), "transparency", "Does it deal with people directly, or make or change text, sound, images or video, so that people must be told?",
		[]string{"Art 50"}, "yes", "no")
	return questions
}

func (v *View) system(a Answers, states map[string]State) (System, error) {
	s := System{System: a.System, Questions: a.open(), Warnings: []string{}, Duties: []Duty{}}
	if a.Prohibited != nil && *a.Prohibited {
		s.Warnings = append(s.Warnings, "A prohibited practice (Art 5) is suspected: no evidence mends that. Suspend the system and have the question decided by somebody qualified.")
	}
	if len(s.Questions) > 0 {
		return s, nil
	}
	if a.any(Importer, Distributor) && a.HighRisk != NotHighRisk {
		s.Warnings = append(s.Warnings, "Importers and distributors of high-risk systems have duties of their own (Arts 23, 24), which the facts do not hold.")
	}
	if a.HighRisk == AnnexI && !a.any(NoRole) {
		s.Warnings = append(s.Warnings, "Annex I: for products of its Section B only a few articles of the Act apply (Art 2(2)); this view does not tell them apart.")
	}
	articles := iso42001.Articles()
	for _, article := range articles {
		rule, known := rules()[article.Ref]
		to, addressed := addressees()[article.Addressee]
		if !known || !addressed {
			return System{}, aims.Errorf(aims.Internal, nil, "nothing says to whom %s (%s) applies", article.Ref, article.Addressee)
		}
		if a.any(to...) && rule.applies(a) {
			s.Duties = append(s.Duties, v.duty(article, rule, a, states))
		}
	}
	s.NotShown = len(articles) - len(s.Duties)
	return s, nil
}

// duty is what an article asks of a system to which it applies.
func (v *View) duty(article iso42001.Article, rule rule, a Answers, states map[string]State) Duty {
	d := Duty{
		Ref: article.Ref, Topic: article.Topic, Addressee: article.Addressee, Note: article.Note,
		Kind: cmp.Or(rule.kind, "duty"), From: article.From, Pairs: []Pair{},
	}
	conditions := []string{rule.only}
	if a.any(Deployer) {
		conditions = append(conditions, rule.deployer)
	}
	conditions = slices.DeleteFunc(conditions, func(c string) bool { return c == "" })
	d.Condition = strings.Join(conditions, "; ")
	if a.HighRisk == AnnexI {
		d.From = article.FromAnnexI
	}
	if article.From != article.FromAnnexI {
		for _, old := range v.Timetable.Superseded {
			if old.Now == d.From {
				d.Superseded = old.Old
			}
		}
	}
	if article.Interpreted {
		d.AttachesFrom = classificationFrom(a.HighRisk)
	}
	switch {
	case v.At < d.From:
		d.Applies = AppliesLater
	case v.At < d.AttachesFrom:
		d.Applies = AppliesOpen
	default:
		d.Applies = AppliesNow
	}
	for _, ref := range iso42001.Reverse(iso42001.EUAIAct) {
		if !iso42001.Within(article.Ref, ref.Ref) {
			continue
		}
		for _, p := range ref.Pairs {
			d.Pairs = append(d.Pairs, pair(p, d.Ref, states))
		}
	}
	return d
}

// classificationFrom is when the classification as high-risk itself applies.
func classificationFrom(h HighRisk) string {
	for _, a := range iso42001.Articles() {
		if a.Ref == "Art 6" && h == AnnexI {
			return a.FromAnnexI
		} else if a.Ref == "Art 6" {
			return a.From
		}
	}
	return ""
}
