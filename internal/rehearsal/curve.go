package rehearsal

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"aims/pdp"
)

// strict takes back, rule by rule, what speaks for a value beside the user and
// the sources that nobody outside writes. It is for the curve: no more than one who
// wants to know what each of them is worth needs.
//
//go:embed strict.cedar
var strict []byte

// Variant is some of the rules of a policy set.
type Variant struct {
	Name     string
	Policies []pdp.Source
}

// rule is one policy by itself.
type rule struct {
	id     string
	source pdp.Source
}

// Curve gives the sets that show what each rule buys: none of them; one more
// at a time, until all; all but one; and all of them where fewer and fewer things
// speak for a value. Files and rules count in their order.
func Curve(policies []pdp.Source) ([]Variant, error) {
	all, err := rulesOf(policies)
	if err != nil {
		return nil, err
	}
	stricter, err := rulesOf([]pdp.Source{{Name: "strict.cedar", Text: strict}})
	if err != nil {
		return nil, err
	}
	variants := []Variant{{Name: "no guard"}}
	add := func(name string, rules ...rule) {
		v := Variant{Name: name}
		for _, r := range rules {
			v.Policies = append(v.Policies, r.source)
		}
		variants = append(variants, v)
	}
	for i, r := range all {
		add("+ "+r.id, all[:i+1]...)
	}
	for i, r := range all {
		add("all but "+r.id, slices.Concat(all[:i], all[i+1:])...)
	}
	names := ""
	for i, r := range slices.Backward(stricter) {
		names = r.id + " " + names
		add("all, "+strings.TrimSpace(names), slices.Concat(all, stricter[i:])...)
	}
	return variants, nil
}

func rulesOf(sources []pdp.Source) ([]rule, error) {
	var rules []rule
	for _, s := range sources {
		list, err := cedar.NewPolicyListFromBytes(s.Name, s.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		for i, p := range list {
			id := string(p.Annotations()["id"])
			if id == "" {
				id = fmt.Sprintf("%s#%d", s.Name, i)
			}
			rules = append(rules, rule{id, pdp.Source{Name: fmt.Sprintf("%s-%03d.cedar", strings.TrimSuffix(s.Name, ".cedar"), i), Text: p.MarshalCedar()}})
		}
	}
	return rules, nil
}
