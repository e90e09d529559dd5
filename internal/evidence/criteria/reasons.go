package criteria

import (
	"fmt"
	"strings"
)

// reason is what stands in the way of a result and what to do about it; "" where
// it is met.
func (r Result) reason() string {
	why := r.why()
	if why == "" || r.Remedy == "" {
		return why
	}
	return why + " To do: " + r.Remedy
}

// why is the sentence that says what stands in the way of a result.
func (r Result) why() string {
	switch r.Outcome {
	case Met:
		return ""
	case NothingYet:
		return fmt.Sprintf("Nothing to show yet: no %s. Asked: %s", r.Of, r.Text)
	case Unavailable:
		return "Unavailable: " + r.Note
	case OutOfDate:
		if len(r.Exceptions) == 0 {
			return fmt.Sprintf("Out of date: the newest evidence is of %s and counted until %s. Asked: %s", r.Newest[:10], r.FreshUntil, r.Text)
		}
		return "Out of date: " + r.exceptions()
	}
	return r.exceptions()
}

// exceptions says how many of which do not hold and names them.
func (r Result) exceptions() string {
	same := true
	for _, e := range r.Exceptions {
		same = same && e.Text == r.Exceptions[0].Text
	}
	k := len(r.Exceptions)
	switch {
	case r.Population == 1 && k == 1:
		return capital(fmt.Sprintf("%s %s.", r.Exceptions[0].On, r.Exceptions[0].Text))
	case same:
		var on []string
		for _, e := range r.Exceptions {
			on = append(on, bare(e.On))
		}
		return fmt.Sprintf("%d of %d %s %s: %s.", k, r.Population, r.Of, agree(r.Exceptions[0].Text, k), names(on))
	}
	var each []string
	for _, e := range r.Exceptions {
		each = append(each, bare(e.On)+" "+e.Text)
	}
	list := names(each)
	if len(each) <= 5 {
		list = strings.Join(each, "; ")
	}
	return fmt.Sprintf("%d of %d %s: %s.", k, r.Population, r.Of, list)
}

// capital begins a sentence; ids stay as they are.
func capital(sentence string) string {
	if rest, ok := strings.CutPrefix(sentence, "the "); ok {
		return "The " + rest
	}
	return sentence
}

// bare is an id without its kind.
func bare(on string) string {
	if _, id, ok := strings.Cut(on, "/"); ok {
		return id
	}
	return on
}

// agree puts the verb of what is said of one into the plural where it is said of more.
func agree(text string, of int) string {
	if of == 1 {
		return text
	}
	verb, rest, _ := strings.Cut(text, " ")
	switch {
	case plurals[verb] != "":
		verb = plurals[verb]
	case strings.HasSuffix(verb, "ies"): // supplies
		verb = strings.TrimSuffix(verb, "ies") + "y"
	default: // names, says, uses; what is past has no s
		verb = strings.TrimSuffix(verb, "s")
	}
	return verb + " " + rest
}

// plurals are the verbs that take more than a letter away.
var plurals = map[string]string{"has": "have", "is": "are", "was": "were", "does": "do"}
