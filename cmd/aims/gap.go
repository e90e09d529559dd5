package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aims/internal/evidence"
	"aims/internal/evidence/criteria"
)

// judged is the moment and the period by which commands judge evidence.
type judged struct {
	asOf
	From  string `name:"from" placeholder:"DATE" help:"First day of the period; without it, a year."`
	Until string `name:"until" placeholder:"DATE" help:"Last day of the period; without it, the day of --as-of, or today."`
}

// query is the flags and more as the API takes them.
func (j judged) query(more ...string) string {
	q := url.Values{}
	more = append(more, "as_of", j.AsOf, "from", j.From, "until", j.Until)
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

type gapCmd struct {
	server
	judged
	Area  string `name:"area" help:"Rows of one clause or area of Annex A only, such as 6 or A.6."`
	Owner string `name:"owner" placeholder:"PERSON" help:"Rows of one owner only."`
	JSON  bool   `name:"json" help:"Print the rows as JSON."`
}

func (c *gapCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var g evidence.Gap
	if err := client.Do(ctx, http.MethodGet, "/api/v1/evidence"+c.query("area", c.Area, "owner", c.Owner), nil, &g); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, struct {
			Requirements []evidence.Row `json:"requirements"`
		}{g.Requirements})
	}
	return printGap(std.out, g)
}

// printGap prints what to do first, then the agents that nobody registered,
// then every row.
func printGap(w io.Writer, g evidence.Gap) error {
	fmt.Fprintf(w, "Evidence towards ISO/IEC 42001:2023, %s; period %s to %s; %d entries in the log\n", summary(g.Requirements),
		g.From.Format(time.DateOnly), g.Until.Format(time.DateOnly), g.Entries)
	printNext(w, g.Steps)
	if len(g.Unregistered) > 0 {
		fmt.Fprint(w, "\nAGENTS SEEN AND NEVER REGISTERED\n")
		if err := printUnregistered(w, g.Unregistered); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	t := table{heading: []string{"REQUIREMENT", "STATE", "LOOKED AT", "EXCEPTIONS", "OWNER", "DUE", "TITLE"}}
	for _, r := range g.Requirements {
		t.add(r.ID, stateText(r.State), fmt.Sprint(r.Population), fmt.Sprint(r.Exceptions), orDash(r.Owner), orDash(r.Due), r.Title)
	}
	if err := t.print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\n`aims status REQUIREMENT` says why, down to the receipts.")
	return err
}

// summary counts the rows by state.
func summary(rows []evidence.Row) string {
	count := map[criteria.State]int{}
	for _, r := range rows {
		count[r.State]++
	}
	var parts []string
	for _, s := range []criteria.State{
		criteria.Shown, criteria.Evidence, criteria.Partial, criteria.Exceptions, criteria.Contradiction, criteria.Stale, criteria.NothingToShow, criteria.NotApplicable,
	} {
		if count[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[s], stateText(s)))
		}
	}
	return fmt.Sprintf("%d requirements: %s", len(rows), strings.Join(parts, ", "))
}

// stateText is a state in words.
func stateText(s criteria.State) string {
	if s == criteria.Evidence {
		return "to be attested"
	}
	return strings.ReplaceAll(string(s), "_", " ")
}

// explained is how many steps are explained: those to do now.
const explained = 3

func printNext(w io.Writer, steps []evidence.Step) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprint(w, "\nWHAT TO DO FIRST\n")
	for i, s := range steps {
		who := "usually the " + s.Usually + "; nobody is named yet"
		if len(s.Owners) > 0 {
			who = strings.Join(s.Owners, ", ")
		}
		if i >= explained {
			fmt.Fprintf(w, "%2d. %-27s %2d of %2d open  (%s)\n", s.Number, s.Name, len(s.Open), s.Of, who)
			continue
		}
		fmt.Fprintf(w, "%2d. %s: %s\n", s.Number, s.Name, s.Do)
		fmt.Fprintf(w, "    who: %s\n    for: %s\n", who, strings.Join(s.Open, ", "))
		if s.Next != nil {
			fmt.Fprintf(w, "    now: %s %s. %s\n         all of it: aims status %s\n", printable(s.Next.On), printable(s.Next.Text), s.Next.Remedy, s.Next.Requirement)
		}
		if len(s.Unblocks) > 0 {
			fmt.Fprintf(w, "    then: %s\n", strings.Join(s.Unblocks, ", "))
		}
	}
	if steps[0].Number == 1 && steps[0].Next == nil {
		fmt.Fprintln(w, "`aims init` writes a directory to begin with; `aims plan -f DIR` and `aims apply -f DIR` put it in force.")
	}
}

func printUnregistered(w io.Writer, list []evidence.Unregistered) error {
	t := table{heading: []string{"AGENT", "FIRST SEEN", "LAST SEEN", "DECISIONS", "TURNED AWAY", "NEWEST RECEIPT"}}
	for _, u := range list {
		t.add(u.Agent, instant(u.First), instant(u.Last), fmt.Sprint(u.Decisions), fmt.Sprint(u.Refused), u.Receipt)
	}
	return t.print(w)
}
