package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"aims/internal/api"
	"aims/internal/assessment"
	"aims/internal/content"
	"aims/internal/policy/bundle"
	"aims/internal/policy/guards"
	"aims/internal/rehearsal/scenario"
)

// threats plays the threat model's scenarios: on this machine against the
// guards that ship or a bundle, or on the server against the policies in force.
type threats struct {
	policies string // directory of a bundle
	more     string // directory of further scenarios
	active   bool
	record   bool
	asJSON   bool
}

func (c threats) run(ctx context.Context, std streams, s server) error {
	var report scenario.Report
	var id string
	var err error
	if c.active {
		report, id, err = c.remote(ctx, std, s)
	} else {
		report, err = c.local(ctx, std)
	}
	if err != nil {
		return err
	}
	if c.asJSON {
		err = printJSON(std.out, struct {
			scenario.Report
			Receipt string `json:"receipt,omitempty"`
		}{report, id})
	} else {
		err = printRehearsal(std.out, report, id)
	}
	if err == nil && report.AsExpected < report.Scenarios {
		err = failf(exitFailed, "%d of %d scenarios did not end as they must", report.Scenarios-report.AsExpected, report.Scenarios)
	}
	return err
}

func (c threats) local(ctx context.Context, std streams) (scenario.Report, error) {
	r := scenario.Rehearsal{Threats: assessment.Library()}
	var err error
	if r.Scenarios, err = scenario.Library(); err != nil {
		return scenario.Report{}, err
	}
	if c.more != "" {
		more, err := scenario.Load(os.DirFS(c.more))
		if err != nil {
			return scenario.Report{}, withCode(exitUsage, err)
		}
		r.Scenarios = append(r.Scenarios, more...)
	}
	if r.Bundle, err = c.bundle(); err != nil {
		return scenario.Report{}, withCode(exitUsage, err)
	}
	checker, err := content.New(content.Limits{})
	if err != nil {
		return scenario.Report{}, err
	}
	r.Content = checker.Labels
	r.Progress = func(played, of int) {
		if played%10 == 0 {
			fmt.Fprintf(std.err, "%d of %d scenarios played\n", played, of)
		}
	}
	return scenario.Rehearse(ctx, r)
}

func (c threats) bundle() (*bundle.Bundle, error) {
	if c.policies != "" {
		return bundle.Load(os.DirFS(c.policies))
	}
	files, err := guards.Files()
	if err != nil {
		return nil, err
	}
	return bundle.New(files)
}

// remote has the server play them against the policies in force.
func (c threats) remote(ctx context.Context, std streams, s server) (report scenario.Report, id string, err error) {
	request := api.RehearsalRequest{Record: c.record}
	if request.Scenarios, err = scenarioFiles(c.more); err != nil {
		return report, "", withCode(exitUsage, err)
	}
	client, err := s.client()
	if err != nil {
		return report, "", err
	}
	body, err := client.Open(ctx, http.MethodPost, "/api/v1/rehearsal", request)
	if err != nil {
		return report, "", err
	}
	defer body.Close()
	for lines := json.NewDecoder(body); ; {
		var line api.RehearsalLine
		if err := lines.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("it ended early")
			}
			return report, "", failf(exitFailed, "the rehearsal broke off: %w", err)
		}
		switch {
		case line.Problem != "":
			return report, "", failf(exitFailed, "%s", line.Problem)
		case line.Report != nil:
			return *line.Report, line.Receipt, nil
		case line.Progress != nil:
			fmt.Fprintf(std.err, "%d of %d scenarios played\n", line.Progress.Read, line.Progress.Of)
		}
	}
}

func scenarioFiles(dir string) ([]api.ScenarioFile, error) {
	if dir == "" {
		return nil, nil
	}
	root := os.DirFS(dir)
	if _, err := scenario.Load(root); err != nil { // with the places, before anything is sent
		return nil, err
	}
	names, err := fs.Glob(root, "*/*.yaml")
	if err != nil {
		return nil, err
	}
	var files []api.ScenarioFile
	for _, name := range names {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		files = append(files, api.ScenarioFile{Name: name, Text: string(text)})
	}
	return files, nil
}

// printRehearsal prints what did not end as it must, and what is left of each threat.
func printRehearsal(w io.Writer, r scenario.Report, id string) error {
	for _, result := range r.Results {
		if result.AsExpected {
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", result.Scenario, result.Title)
		for _, s := range result.Steps {
			if s.AsExpected() {
				continue
			}
			why := strings.Join(s.Policies, ", ")
			if s.Cause != "" {
				why = s.Cause
			}
			fmt.Fprintf(w, "    step %d, %s: %s, must be %s (%s)\n", s.Step, s.What, s.Got, s.Expected, why)
		}
	}
	t := table{heading: []string{"LEFT", "SCENARIOS", "THROUGH", "OWASP", "THREAT"}}
	for _, left := range r.Residual {
		t.add(string(left.Level), fmt.Sprint(left.Scenarios), fmt.Sprint(len(left.Through)), strings.Join(left.OWASP, " "), left.Title)
	}
	if err := t.print(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d scenarios, %d as they must be; %d of %d acts of attackers stopped; policies %s\n",
		r.Scenarios, r.AsExpected, r.Stopped, r.Attacks, r.Bundle)
	if id != "" {
		fmt.Fprintf(w, "recorded: %s\n", id)
	}
	return nil
}
