package review_test

import (
	"slices"
	"strings"
	"testing"

	"aims/internal/policy/review"
)

const quiet = `@reason("r") @control("A.9.2") `

// rules puts the usual annotations before each policy.
func rules(policies ...string) string {
	var b strings.Builder
	for _, p := range policies {
		b.WriteString(quiet + p + "\n")
	}
	return b.String()
}

const (
	onPay    = `principal, action == Action::"payments___pay", resource`
	released = ` unless { context has approval && context.approval.roles.contains("boss") };`
)

func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		policies string
		severity review.Severity
		policy   string
		want     string // empty: nothing of this severity about this policy
	}{
		"no reason":                       {`@id("a") @control("A.9.2") permit (` + onPay + `);`, review.Warning, "a", "no @reason"},
		"no control":                      {`@id("a") @reason("r") permit (` + onPay + `);`, review.Warning, "a", "no @control"},
		"no id":                           {rules(`permit (` + onPay + `);`), review.Note, "a.cedar#1", "no @id"},
		"shadowed permit":                 {rules(`@id("a") permit (`+onPay+`) when { context.input.amount < 5 };`, `@id("b") forbid (principal, action, resource);`), review.Warning, "a", "the forbid b (a.cedar:2) refuses all"},
		"shadowed by conditions":          {rules(`@id("a") permit (`+onPay+`) when { context.input.amount < 5 && context.tool.new };`, `@id("b") forbid (principal, action in Action::"call_tool", resource) when { context.tool.new };`), review.Warning, "a", "the forbid b"},
		"shadowed by the house":           {rules(`@id("a") permit (` + onPay + `) when { context.tool.quarantined };`), review.Warning, "a", "the forbid house-quarantine"},
		"not shadowed":                    {rules(`@id("a") permit (`+onPay+`) when { context.input.amount < 5 };`, `@id("b") forbid (principal, action in Action::"call_tool", resource) when { context.tool has new && context.session.depth > 1 };`), review.Warning, "a", ""},
		"a hold does not shadow":          {rules(`@id("a") permit (`+onPay+`);`, `@id("b") @hold("boss") forbid (principal, action in Action::"call_tool", resource)`+released), review.Warning, "a", ""},
		"a forbid that overflows refuses": {rules(`@id("a") forbid (` + onPay + `) when { context.input.amount < 5 && context.input.amount + 9223372036854775806 > 0 && context.input.amount >= 5 };`), review.Error, "a", ""},
		"and more than one that does not": {rules(`@id("a") forbid (`+onPay+`) when { context.input.amount + 9223372036854775806 > 0 && context.tool.new };`, `@id("b") forbid (`+onPay+`) when { context.tool.new };`), review.Note, "a", ""},
		"narrower scope":                  {rules(`@id("a") permit (`+onPay+`);`, `@id("b") forbid (principal is Agent, action, resource);`), review.Warning, "a", ""},
		"equal":                           {rules(`@id("a") permit (`+onPay+`) when { context.input.amount < 5 && context.tool.new };`, `@id("b") permit (`+onPay+`) when { context.tool.new } unless { context.input.amount >= 5 };`), review.Warning, "b", "means the same as a"},
		"equal is said once":              {rules(`@id("a") permit (`+onPay+`);`, `@id("b") permit (`+onPay+`);`), review.Warning, "a", ""},
		"equal, turned round":             {rules(`@id("a") permit (`+onPay+`) when { context.input.amount == 5 };`, `@id("b") permit (`+onPay+`) when { 5 == context.input.amount };`), review.Warning, "b", "means the same"},
		"redundant":                       {rules(`@id("a") permit (principal in Role::"x", action == Action::"payments___pay", resource);`, `@id("b") permit (principal, action in [Action::"payments___pay", Action::"mail___send"], resource);`), review.Note, "a", "adds nothing to b"},
		"redundant in a role":             {rules(`@id("a") forbid (principal is Agent in Role::"x", action in Action::"call_tool", resource);`, `@id("b") forbid (principal in Role::"x", action, resource);`), review.Note, "a", "adds nothing to b"},
		"other role":                      {rules(`@id("a") permit (principal in Role::"x", action == Action::"payments___pay", resource);`, `@id("b") permit (principal in Role::"y", action, resource);`), review.Note, "a", ""},
		"never holds":                     {rules(`@id("a") @hold("boss") forbid (`+onPay+`)`+released, `@id("b") forbid (principal, action, resource);`), review.Warning, "a", "never holds anything"},
		"two roles":                       {rules(`@id("a") @hold("boss") forbid (`+onPay+`)`+released, `@id("b") @hold("other") forbid (`+onPay+`) unless { context has approval && context.approval.roles.contains("other") };`), review.Warning, "a", ""},
		"false":                           {rules(`@id("a") permit (` + onPay + `) when { context.input.amount > 3 && 1 > 2 };`), review.Error, "a", "false for every request"},
		"always an error":                 {rules(`@id("a") permit (` + onPay + `) when { 9223372036854775807 + 1 > 2 };`), review.Error, "a", "cannot be evaluated"},
		"opposites":                       {rules(`@id("a") permit (` + onPay + `) when { context.tool.new && context.input.amount < 3 } unless { context.tool.new };`), review.Error, "a", "opposite"},
		"two values":                      {rules(`@id("a") permit (` + onPay + `) when { context.session.purpose == "x" && context.session.purpose == "y" };`), review.Error, "a", `must equal both "x" and "y"`},
		"one value twice":                 {rules(`@id("a") permit (` + onPay + `) when { context.session.purpose == "x" && "x" == context.session.purpose };`), review.Error, "a", ""},
		"a hold for ever":                 {rules(`@id("a") @hold("boss") forbid (` + onPay + `);`), review.Error, "a", "no approval can release"},
		"another role's approval":         {rules(`@id("a") @hold("boss") forbid (` + onPay + `) unless { context has approval && context.approval.roles.contains("bos") };`), review.Warning, "a", "does not release"},
		"some approvals":                  {rules(`@id("a") @hold("boss") forbid (` + onPay + `) unless { context has approval && context.approval.roles.contains("boss") && context.input.amount < 10 };`), review.Warning, "a", "does not release"},
		"a released hold":                 {rules(`@id("a") @hold("boss") forbid (` + onPay + `) when { context.input.amount > 10 }` + released), review.Error, "a", ""},
		"released in one when":            {rules(`@id("a") @hold("boss") forbid (` + onPay + `) when { context.input.amount > 10 && !(context has approval && context.approval.roles.contains("boss")) };`), review.Warning, "a", ""},
		"unknown server":                  {rules(`@id("a") permit (principal, action, resource == McpServer::"paymnets");`), review.Warning, "a", `no server "paymnets"`},
		"unknown server below":            {rules(`@id("a") permit (` + onPay + `) when { resource == McpServer::"x" };`), review.Warning, "a", `no server "x"`},
		"merged endpoint":                 {rules(`@id("a") permit (principal, action == Action::"tools/list", resource == McpServer::"*");`), review.Warning, "a", ""},
		"unknown agent":                   {rules(`@id("a") permit (principal == Agent::"bot", action == Action::"payments___pay", resource);`), review.Warning, "a", `no agent "bot"`},
		"unknown role":                    {rules(`@id("a") permit (principal in Role::"clrek", action == Action::"payments___pay", resource);`), review.Warning, "a", `no role that anybody holds "clrek"`},
		"nobody to release":               {rules(`@id("a") @hold("ceo") forbid (` + onPay + `) unless { context has approval && context.approval.roles.contains("ceo") };`), review.Warning, "a", "nobody holds the role"},
		"uncovered tools":                 {rules(`@id("a") permit (` + onPay + `);`), review.Note, "", "mail___send: no rule permits it"},
		"covered":                         {rules(`@id("a") permit (principal, action, resource);`), review.Note, "", "no rule permits" + "!"},
		"denied in spite":                 {rules(`@id("a") permit (principal, action, resource);`, `@id("b") forbid (principal, action == Action::"mail___send", resource);`), review.Note, "", "mail___send: every call is denied, although"},
	} {
		s := subject(t, "a.cedar", c.policies)
		s.Known = review.Known{Servers: []string{"payments", "mail"}, Agents: []string{"billing"}, People: []string{"ada"}, Roles: []string{"x", "y", "clerk", "boss", "other"}}
		findings := review.Check(s)
		got := found(findings, c.severity, c.policy)
		want, unwanted := c.want, ""
		if rest, ok := strings.CutSuffix(want, "!"); ok {
			want, unwanted = "", rest
		}
		switch {
		case unwanted != "":
			if slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, unwanted) }) {
				t.Errorf("%s: %q", name, got)
			}
		case want == "":
			if len(got) > 0 {
				t.Errorf("%s: %q", name, got)
			}
		case !slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, want) }):
			t.Errorf("%s: %v\nlacks %s about %s: %s", name, findings, c.severity, c.policy, want)
		}
	}
}

func TestFindingsAboutTheBundle(t *testing.T) {
	const daily = "budgets:\n- {name: daily, of: sum, argument: amount, tools: [payments___pay], per: agent, window: 24h}\n"
	limited := rules(`@id("a") forbid (` + onPay + `) when { context.budget.daily.after.greaterThan(decimal("10.0")) };`)
	for name, c := range map[string]struct {
		files    []string
		severity review.Severity
		want     string
	}{
		"a good budget":     {[]string{"a.cedar", limited, "bundle.yaml", daily}, review.Warning, ""},
		"no limit":          {[]string{"a.cedar", rules(`@id("a") permit (` + onPay + `);`), "bundle.yaml", daily}, review.Warning, "the budget daily limits nothing"},
		"no tool":           {[]string{"a.cedar", rules(`@id("a") permit (` + onPay + `);`), "bundle.yaml", strings.Replace(daily, "payments___pay", "x___*", 1)}, review.Warning, "counts no tool"},
		"text is summed":    {[]string{"a.cedar", limited, "bundle.yaml", strings.Replace(daily, "argument: amount", "argument: note", 1)}, review.Error, "of the type string"},
		"nothing is summed": {[]string{"a.cedar", limited, "bundle.yaml", strings.Replace(daily, "argument: amount", "argument: amuont", 1)}, review.Error, "which no tool"},
		"a nullable number": {[]string{"a.cedar", limited, "bundle.yaml", strings.Replace(daily, "argument: amount", "argument: rate", 1)}, review.Error, ""},
		"some are summed":   {[]string{"a.cedar", limited, "bundle.yaml", strings.Replace(daily, "payments___pay", `"payments___*"`, 1)}, review.Warning, "1 of the 2 tools"},
		"idle quorum":       {[]string{"a.cedar", limited, "bundle.yaml", daily + "quorum: {boss: 2}\n"}, review.Warning, "never asked for"},
		"stale schema":      {[]string{"a.cedar", limited, "bundle.yaml", daily, "schema.cedarschema", "entity X;"}, review.Warning, "--write-schema"},
		"no tests":          {[]string{"a.cedar", limited, "bundle.yaml", daily}, review.Note, "no tests"},
		"a loss":            {[]string{"a.cedar", limited, "bundle.yaml", daily}, review.Note, "payments___pay rate: a number is a decimal"},
	} {
		got := found(review.Check(subject(t, c.files...)), c.severity, "")
		if ok := slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, c.want) }); c.want != "" && !ok || c.want == "" && len(got) > 0 {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	withRequirements := review.Check(subject(t, "a.cedar", `@id("a") @reason("r") permit (`+onPay+`);`, "bundle.yaml", "requirements: [A.9.2]\n"))
	if got := found(withRequirements, review.Warning, "a"); len(got) > 0 {
		t.Errorf("the bundle names its requirement: %q", got)
	}
	if got := found(review.Check(subject(t, "a.cedar", rules(`@id("a") permit (principal == Agent::"x", action, resource == McpServer::"y");`))), review.Warning, "a"); len(got) > 0 {
		t.Errorf("nobody knows which entities exist: %q", got)
	}
}
