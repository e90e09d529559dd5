package provenance

import (
	"slices"
	"strings"
	"unicode"
)

// ToolText is what a tool register says of a tool in words.
type ToolText struct {
	Action      string // as policies name it
	Name        string
	Title       string
	Description string
	Effects     []string // read, write, send, pay, credential, delete, execute
}

// Lexicon tells which tools of a register a prompt asks for. A tool is asked for
// by what it does, in the plain verbs of each effect, or by a word of its name
// that few tools share. Descriptions do not count: a tool that deletes
// repositories would be asked for by every prompt about a repository. A server can
// make its tool asked for by its name; effects and labels are the operator's.
type Lexicon struct {
	tools []entry
	// vocabulary are the words of all names and descriptions: a prompt that has
	// one of them names nobody by it.
	vocabulary map[string]bool
}

type entry struct {
	action  string
	effects []string
	rare    []string // stems of the name that few tools have
}

// effectWords are plain verbs and their things, by effect.
var effectWords = map[string]map[string]bool{
	"delete":     stems("delete remove clear cancel erase discard drop revoke purge empty wipe trash uninstall unsubscribe"),
	"pay":        stems("pay payment buy purchase order transfer refund reimburse checkout donate spend money"),
	"credential": stems("password passphrase credential login sign key token authenticate verify"),
	"send": stems("send email mail message reply respond forward share post publish comment invite submit upload push notify contact " +
		"announce transfer reserve register"),
	"write":   stems("write create add update change edit modify set insert save rename move copy make upload store schedule"),
	"execute": stems("run execute start launch deploy install build restart"),
}

// consequential are effects that a prompt has to ask for each on its own.
var consequential = []string{"delete", "pay", "credential", "send"}

// idle are words that say nothing about a tool.
var idle = setOf("a an the of to in on for from by with and or if is are be this that it its as at you your my me user using use can could please " +
	"current given get gets return returns all any each i we our us have has had was were will would should do does did not")

// negations take the next few words back.
var negations = setOf("not no never without dont doesnt cannot cant wont shouldnt neither nor avoid")

// affirmations turn a negation round: "do not forget to send".
var affirmations = setOf("forget hesitate only just fail")

func stems(list string) map[string]bool {
	s := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		s[stem(w)] = true
	}
	return s
}

// NewLexicon reads a register's tools.
func NewLexicon(tools []ToolText) *Lexicon {
	l := &Lexicon{vocabulary: map[string]bool{}}
	having := map[string]int{}
	for _, t := range tools {
		for s := range namesOf(t) {
			having[s]++
		}
		for _, w := range words(t.Name + " " + t.Title + " " + t.Description) {
			l.vocabulary[singular(w)] = true
		}
	}
	few := max(2, len(tools)/10)
	for _, t := range tools {
		e := entry{action: t.Action, effects: slices.Clone(t.Effects)}
		for s := range namesOf(t) {
			if having[s] <= few {
				e.rare = append(e.rare, s)
			}
		}
		l.tools = append(l.tools, e)
	}
	return l
}

func namesOf(t ToolText) map[string]bool {
	s := map[string]bool{}
	for _, w := range words(t.Name + " " + t.Title) {
		if len(w) > 1 && !idle[w] {
			s[stem(w)] = true
		}
	}
	return s
}

// Implies says of each tool, by its action, whether the prompt asks for it. A
// tool that does several things of consequence has to be asked for each of them. Reading is
// always asked for.
func (l *Lexicon) Implies(prompt string) map[string]bool {
	asked := wishes(prompt)
	out := make(map[string]bool, len(l.tools))
	for _, t := range l.tools {
		out[t.action] = t.impliedBy(asked)
	}
	return out
}

func (t *entry) impliedBy(asked map[string]bool) bool {
	has := func(effect string) bool {
		for s := range effectWords[effect] {
			if asked[s] {
				return true
			}
		}
		return false
	}
	named := func(s string) bool {
		undone, ok := strings.CutPrefix(s, "un") // "unstar": take the star away
		return asked[s] || ok && asked[undone] && has("delete")
	}
	if slices.ContainsFunc(t.rare, named) {
		return true
	}
	grave := slices.ContainsFunc(t.effects, func(e string) bool { return slices.Contains(consequential, e) })
	if grave {
		return !slices.ContainsFunc(t.effects, func(e string) bool { return slices.Contains(consequential, e) && !has(e) })
	}
	return slices.ContainsFunc(t.effects, func(e string) bool { return e == "read" || has(e) })
}

// wishes are the stems of the words of a prompt, without those that a negation
// takes back in the same sentence.
func wishes(prompt string) map[string]bool {
	const reach = 3 // words of weight that a negation takes back
	out := map[string]bool{}
	for sentence := range strings.FieldsFuncSeq(prompt, func(r rune) bool { return r == '.' || r == '!' || r == '?' || r == ';' || r == '\n' }) {
		left := 0
		for _, w := range words(sentence) {
			switch {
			case negations[w]:
				left = reach
			case left > 0 && affirmations[w]:
				left = 0
			case len(w) < 2 || idle[w]:
			case left > 0:
				left--
			default:
				out[stem(w)] = true
			}
		}
	}
	return out
}

// Names are the proper names in a prompt: words written with a capital that are
// no words of the register and, where they begin a sentence, none that often do.
func (l *Lexicon) Names(prompt string) map[string]bool {
	out := map[string]bool{}
	begins := true // of a sentence
	for _, field := range strings.Fields(prompt) {
		word := strings.TrimFunc(field, func(r rune) bool { return !unicode.IsLetter(r) })
		for _, s := range []string{"'s", "’s"} {
			word = strings.TrimSuffix(word, s)
		}
		if w := singular(strings.ToLower(word)); capitalised(word) && !l.vocabulary[w] && !(begins && opens(w)) {
			out[w] = true
		}
		begins = strings.ContainsAny(field[len(field)-1:], ".!?:;")
	}
	return out
}

// openers are words that begin sentences and name nobody, beside verbs of effects.
var openers = setOf("please help find check then after before also first second next last finally once when while since because read look hello hi dear " +
	"thank let go there here now today tomorrow what which who where how why see show tell ask need want visit browse open follow summarize")

func opens(w string) bool {
	if openers[w] || idle[w] {
		return true
	}
	for _, verbs := range effectWords {
		if verbs[stem(w)] {
			return true
		}
	}
	return false
}

// capitalised reports whether w is a capital and two or more small letters.
func capitalised(w string) bool {
	n := 0
	for i, r := range w {
		if i == 0 && !unicode.IsUpper(r) || i > 0 && !unicode.IsLower(r) {
			return false
		}
		n++
	}
	return n > 2
}

// Named reports whether one of the names is in the part of an e-mail address
// before the at sign. It is a hint that the user meant its owner and no proof: whoever
// knows the prompt can make an address with the name, so no rule may rest on it
// alone where the address came from an untrusted result.
func Named(names map[string]bool, address string) bool {
	local, _, ok := strings.Cut(address, "@")
	return ok && slices.ContainsFunc(words(local), func(w string) bool { return names[singular(w)] })
}
