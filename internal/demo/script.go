package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"aims/authz"
	"aims/internal/api"
)

// step is one call of the script and what must come of it.
type step struct {
	tool string
	args map[string]any
	want authz.Verdict
	// policy is one that must be among the reasons, so that the call is refused
	// for the right reason; empty for any.
	policy string
	// released says that the treasurer then releases the call, which runs once.
	released bool
}

type chapter struct {
	title string
	steps []step
}

func before() []chapter {
	return []chapter{
		{"The agent does its work.", []step{
			{tool: "files___list_files", want: authz.Allow},
			{tool: "files___read_file", args: map[string]any{"path": "invoices/2041-paper-mill.txt"}, want: authz.Allow},
			{tool: "payments___list_accounts", want: authz.Allow},
			{tool: "payments___transfer_funds", args: map[string]any{"to": "ACC-PAPERMILL", "amount": 480.0, "invoice": "2041"}, want: authz.Allow},
			{tool: "files___write_file", args: map[string]any{"path": "payments/2041.txt", "content": "paid 480.00 EUR"}, want: authz.Allow},
		}},
		{"It tidies up a little too much. A policy refuses.", []step{
			{tool: "files___delete_file", args: map[string]any{"path": "invoices/2041-paper-mill.txt"}, want: authz.Deny, policy: "files-are-kept"},
		}},
		{"It reads its mail. The mail holds instructions of somebody else, and the agent obeys them.", []step{
			{tool: "files___read_file", args: map[string]any{"path": "inbox/reminder.txt"}, want: authz.Allow},
			{tool: "payments___transfer_funds", args: map[string]any{"to": "ACC-7731-NEW", "amount": 9800.0}, want: authz.Deny, policy: "known-recipients-only"},
			{tool: "payments___transfer_funds", args: map[string]any{"to": "ACC-PAPERMILL", "amount": 100.0, "note": "ACC-7731-NEW"}, want: authz.Deny, policy: "no-undeclared-arguments"},
		}},
		{"It pays a larger invoice. The call is held until the treasurer releases it, and then runs once.", []step{
			{tool: "payments___transfer_funds", args: map[string]any{"to": "ACC-LANDLORD", "amount": 3200.0, "invoice": "2043"}, want: authz.Hold, policy: "larger-payments-wait", released: true},
		}},
		{"It tries a tool that it was never shown.", []step{
			{tool: "payments___close_account", args: map[string]any{"account": "own"}, want: authz.Deny},
		}},
	}
}

func after() []chapter {
	return []chapter{
		{"The agent pays the next invoice, but the tool is no longer the one that was approved.", []step{
			{tool: "payments___transfer_funds", args: map[string]any{"to": "ACC-POWERGRID", "amount": 212.6, "invoice": "2042"}, want: authz.Deny},
		}},
		{"Everything else goes on.", []step{
			{tool: "payments___list_invoices", want: authz.Allow},
		}},
	}
}

// hidden are tools that no policy could allow the agent, so that it is not shown them.
func hidden() []string { return []string{"payments___close_account", "files___delete_file"} }

// drive plays the script. It returns false when something went otherwise than it must.
func drive(ctx context.Context, s *screen, a *agent, trigger string) (bool, error) {
	names, err := a.toolNames(ctx)
	if err != nil {
		return false, fmt.Errorf("the agent cannot list its tools: %w", err)
	}
	good := true
	for _, name := range hidden() {
		good = good && !slices.Contains(names, name)
	}
	s.check(good && len(names) > 0, "the agent is shown %d tools, none that no policy could allow it", len(names))
	played, err := play(ctx, s, a, before())
	if err != nil {
		return false, err
	}
	found, err := changeTool(ctx, s, a, trigger)
	if err != nil {
		return false, err
	}
	went, err := play(ctx, s, a, after())
	return good && played && found && went, err
}

func play(ctx context.Context, s *screen, a *agent, chapters []chapter) (bool, error) {
	good := true
	for _, c := range chapters {
		s.chapter("%s", c.title)
		for _, st := range c.steps {
			went, err := perform(ctx, s, a, st)
			if err != nil {
				return false, err
			}
			good = good && went
			if !st.released {
				continue
			}
			if went, err = release(ctx, s, a, st); err != nil {
				return false, err
			}
			good = good && went
		}
	}
	return good, nil
}

// perform makes the call of a step and says whether it ended as it must.
func perform(ctx context.Context, s *screen, a *agent, st step) (bool, error) {
	s.call(st.tool, st.args)
	o, err := a.call(ctx, st.tool, st.args)
	if err != nil {
		return false, fmt.Errorf("call of %s: %w", st.tool, err)
	}
	s.verdict(o)
	if o.verdict != st.want || !o.because(st.policy) {
		s.check(false, "expected %s %s", st.want, st.policy)
		return false, nil
	}
	return true, nil
}

// release has the treasurer release the held call. The agent makes it again,
// and once more.
func release(ctx context.Context, s *screen, a *agent, st step) (bool, error) {
	id, err := a.grant(ctx)
	if err != nil {
		return false, fmt.Errorf("the release of %s: %w", st.tool, err)
	}
	s.note("       %s", s.paint(bold, "The treasurer releases "+id+"."))
	st.want, st.policy = authz.Allow, ""
	ran, err := perform(ctx, s, a, st)
	if err != nil {
		return false, err
	}
	st.want, st.policy = authz.Hold, "larger-payments-wait"
	held, err := perform(ctx, s, a, st)
	return ran && held, err
}

func (o observed) because(policy string) bool {
	return policy == "" || slices.ContainsFunc(o.reasons, func(r string) bool {
		return len(r) > len(policy)+2 && r[len(r)-len(policy)-2:] == "("+policy+")"
	})
}

// changeTimeout bounds the wait until the gateway notices a changed tool.
const changeTimeout = 15 * time.Second

// changeTool lets the payments server change a tool and waits until the
// gateway shows it under quarantine.
func changeTool(ctx context.Context, s *screen, a *agent, trigger string) (bool, error) {
	s.chapter("The payments server is tampered with: a tool that was pinned now says something else.")
	if err := os.WriteFile(trigger, nil, 0o600); err != nil {
		return false, err
	}
	ctx, stop := context.WithTimeout(ctx, changeTimeout)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		tool, err := a.quarantined(ctx)
		if err == nil && tool != nil {
			s.printf("     %s is quarantined: %s\n", tool.Action, tool.Why)
			for _, d := range tool.Difference {
				s.printf("       %s\n", d.Field)
				if len(d.Before) > 0 {
					s.printf("         %s\n", s.paint(red, "- "+shorten(string(d.Before), 200)))
				}
				if len(d.After) > 0 {
					s.printf("         %s\n", s.paint(green, "+ "+shorten(string(d.After), 400)))
				}
			}
			return len(tool.Difference) > 0, nil
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return false, err
		}
		select {
		case <-ctx.Done():
			s.check(false, "the gateway did not notice the change within %s", changeTimeout)
			return false, nil
		case <-tick.C:
		}
	}
}

// quarantined is the first tool under quarantine. Agents list tools at any
// time, and the gateway compares each list with the pins.
func (a *agent) quarantined(ctx context.Context) (*api.Tool, error) {
	if _, err := a.toolNames(ctx); err != nil {
		return nil, err
	}
	var tools []api.Tool
	if err := a.manage.Do(ctx, http.MethodGet, "/api/v1/tools", nil, &tools); err != nil {
		return nil, err
	}
	for i := range tools {
		if tools[i].State == api.ToolQuarantined {
			return &tools[i], nil
		}
	}
	return nil, nil
}
