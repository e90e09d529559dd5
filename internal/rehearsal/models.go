package rehearsal

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"aims/internal/rehearsal/trajectory"
)

// Headline are the models whose figures are published, without the dates of
// their versions.
func Headline() []string {
	return []string{"gpt-4o", "gpt-4o-mini", "gemini-2.5-pro", "gpt-5.1", "gpt-5-mini"}
}

var version = regexp.MustCompile(`-[0-9]{4}-?[0-9]{2}-?[0-9]{2}$`)

// Choose gives the models of the runs that are wanted, with or without the date
// of their version; without a wish the headline models that are there, and where
// none is, all.
func Choose(runs []trajectory.Run, wanted []string) ([]string, error) {
	var all, chosen []string
	for _, r := range runs {
		all = append(all, r.Model)
	}
	all = unique(all)
	is := func(model, name string) bool { return model == name || version.ReplaceAllString(model, "") == name }
	for _, name := range wanted {
		i := slices.IndexFunc(all, func(m string) bool { return is(m, name) })
		if i < 0 {
			return nil, fmt.Errorf("there are no runs of the model %q; there are some of %s", name, strings.Join(all, ", "))
		}
		chosen = append(chosen, all[i])
	}
	if len(wanted) > 0 {
		return unique(chosen), nil
	}
	for _, m := range all {
		if slices.ContainsFunc(Headline(), func(name string) bool { return is(m, name) }) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return all, nil
	}
	return chosen, nil
}
