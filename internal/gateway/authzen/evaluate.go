package authzen

import (
	"bytes"
	"context"
	"regexp"
	"sync"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/enforcement"
	"aims/internal/identity"

	"github.com/go-json-experiment/json/jsontext"
)

// answer is the answer to one question: a ruling, or why there is none.
type answer struct {
	ruling enforcement.Ruling
	err    error
	// asks is how a held call is released; nil for any other answer.
	asks *accessRequest
}

func (a answer) allowed() bool { return a.err == nil && a.ruling.Allowed() }

// evaluation answers one question (AuthZEN 1.0, Access Evaluation API).
func (a *API) evaluation(ctx context.Context, c caller, body []byte) ([]byte, error) {
	p, err := parsePayload(body)
	if err != nil {
		return nil, err
	}
	return a.single(ctx, c, p.evaluation)
}

func (a *API) single(ctx context.Context, c caller, e evaluation) ([]byte, error) {
	q, err := parseQuestion(e, evaluation{})
	if err != nil {
		return nil, err
	}
	got := a.decide(ctx, c, q)
	if got.err != nil && !decided(got) {
		return nil, got.err
	}
	return appendAnswer(make([]byte, 0, 512), got), nil
}

// decided says that a refusal without a policy is an answer all the same: the
// question was understood, and its answer is recorded.
func decided(a answer) bool {
	if a.err == nil {
		return true
	}
	code, _ := aims.Public(a.err)
	return a.ruling.Receipt != "" && (code == aims.Denied || code == aims.Invalid)
}

// evaluations answers several questions (AuthZEN 1.0, Access Evaluations API).
func (a *API) evaluations(ctx context.Context, c caller, body []byte) ([]byte, error) {
	p, err := parsePayload(body)
	if err != nil {
		return nil, err
	}
	var items [][]byte
	if p.evaluations != nil {
		if items, err = elements(p.evaluations, a.o.MaxEvaluations); err != nil {
			return nil, err
		}
	}
	if len(items) == 0 {
		return a.single(ctx, c, p.evaluation)
	}
	s, err := parseSemantic(p.options)
	if err != nil {
		return nil, err
	}
	if err := checkDefaults(p.evaluation); err != nil {
		return nil, err
	}
	var answers []answer
	if s == executeAll {
		answers = a.all(ctx, c, items, p.evaluation)
	} else {
		answers = a.inTurn(ctx, c, items, p.evaluation, s)
	}
	b := append(make([]byte, 0, 512*len(answers)), `{"evaluations":[`...)
	for i, got := range answers {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAnswer(b, got)
	}
	return append(b, "]}"...), nil
}

// checkDefaults refuses defaults that no evaluation could use.
func checkDefaults(d evaluation) error {
	for _, m := range []struct {
		value []byte
		name  string
	}{{d.subject, "subject"}, {d.action, "action"}, {d.resource, "resource"}, {d.context, "context"}} {
		if m.value != nil && m.value[0] != '{' {
			return malformedf("expected %s to be a JSON object", m.name)
		}
	}
	return nil
}

// item answers one of several questions. What is wrong with it is wrong with
// it alone.
func (a *API) item(ctx context.Context, c caller, item []byte, defaults evaluation) answer {
	var e evaluation
	err := members(item, "the evaluation", func(name string, value []byte) error {
		e.take(name, value)
		return nil
	})
	var q question
	if err == nil {
		q, err = parseQuestion(e, defaults)
	}
	if err != nil {
		return answer{err: a.turnAway(ctx, &c.Principal, c, "malformed request", err)}
	}
	return a.decide(ctx, c, q)
}

func (a *API) inTurn(ctx context.Context, c caller, items [][]byte, defaults evaluation, s semantic) []answer {
	var answers []answer
	for _, item := range items {
		got := a.item(ctx, c, item, defaults)
		answers = append(answers, got)
		if s.stops(got.allowed()) {
			break
		}
	}
	return answers
}

// abreast is how many evaluations of one request are decided side by side, so
// that their receipts share commits.
const abreast = 16

func (a *API) all(ctx context.Context, c caller, items [][]byte, defaults evaluation) []answer {
	answers := make([]answer, len(items))
	var wg sync.WaitGroup
	turn := make(chan struct{}, abreast)
	for i, item := range items {
		turn <- struct{}{}
		wg.Go(func() {
			answers[i] = a.item(ctx, c, item, defaults)
			<-turn
		})
	}
	wg.Wait()
	return answers
}

// decide reads a question in the words of the policies and has it decided.
func (a *API) decide(ctx context.Context, c caller, q question) answer {
	subject, err := a.subject(ctx, c, q.subject)
	if err != nil {
		return answer{err: err}
	}
	call, err := callOf(q)
	if err != nil {
		return answer{err: a.turnAway(ctx, &c.Principal, c, "a request that names no tool or method", err)}
	}
	call.Principal, call.Method = subject, c.method
	if subject.Actor != c.Actor {
		call.Via = c.Actor
	}
	if id, err := a.declare(ctx, call, q.said); err != nil {
		return answer{ruling: enforcement.Ruling{Receipt: id}, err: err}
	}
	ruling, err := a.enforcer.Decide(ctx, call)
	if err != nil || ruling.Verdict != authz.Hold || ruling.Approval == "" || a.o.Approvals == nil {
		return answer{ruling: ruling, err: err}
	}
	asks, err := a.accessRequest(ctx, subject.Actor, q, ruling.Approval)
	if err != nil {
		a.o.Log.Error("how a held call is released could not be said", "approval", ruling.Approval, "error", err)
	}
	return answer{ruling, nil, asks}
}

// subject is the principal that a question is about.
func (a *API) subject(ctx context.Context, c caller, e entity) (identity.Principal, error) {
	actor := aims.Actor{Type: e.kind, ID: e.id}
	if actor == c.Actor {
		return c.Principal, nil
	}
	if !c.mayActFor(actor) {
		return identity.Principal{}, a.turnAway(ctx, &c.Principal, c, "a question about another subject",
			aims.Errorf(aims.Denied, nil, "expected the subject to be the caller, %s: only the role %s may ask for others", c.Actor, Role))
	}
	p, ok := a.directory.Lookup(actor)
	if !ok {
		return p, a.turnAway(ctx, &c.Principal, c, "a question about an unknown subject",
			aims.Errorf(aims.NotFound, nil, "expected the subject to be a registered agent or person"))
	}
	return p, nil
}

// toolID takes apart <server>___<tool> and <server>.<tool>: a server's name
// holds neither of the separators, a tool's may hold both.
var (
	serverName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	toolID     = regexp.MustCompile(`^([a-z][a-z0-9-]{0,31})(?:___|\.)((?s).+)$`)
)

// callOf is a question in the words of the policies (docs/decision-api.md).
func callOf(q question) (enforcement.Call, error) {
	call := enforcement.Call{Session: q.said.Session, Channel: enforcement.AuthZEN, Protocol: protocol}
	var err error
	if call.Input, err = arguments(q); err != nil {
		return call, err
	}
	switch q.resource.kind {
	case "tool":
		at := toolID.FindStringSubmatch(q.resource.id)
		if at == nil {
			return call, malformedf("expected resource.id of a tool to be <server>___<tool> or <server>.<tool>")
		}
		call.Server, call.Tool = at[1], at[2]
		if qualified := at[1] + "___" + at[2]; q.action.id != "tools/call" && q.action.id != qualified {
			return call, malformedf("expected action.name on a tool to be tools/call or %s", qualified)
		}
		return call, nil
	case "mcp_server":
		if q.action.id == "tools/call" {
			return call, malformedf("expected the resource of tools/call to be of type tool")
		}
		if !serverName.MatchString(q.resource.id) {
			return call, malformedf("expected resource.id of an mcp_server to be a server's name")
		}
		call.Server, call.Action = q.resource.id, q.action.id
		return call, nil
	}
	return call, malformedf("expected resource.type to be tool or mcp_server")
}

// arguments are in one of two places. A request that uses both is refused:
// the caller may mean the one that was not judged.
func arguments(q question) ([]byte, error) {
	inContext, inResource := q.arguments, q.resource.properties
	if inContext != nil && !emptyObject(inResource) {
		return nil, malformedf("expected the arguments either in context.arguments or in resource.properties, not in both")
	}
	if inContext != nil {
		return inContext, nil
	}
	return inResource, nil
}

func emptyObject(b []byte) bool {
	if b == nil {
		return true
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	d.ReadToken()
	return d.PeekKind() == '}'
}

// verdict is the word for an answer: a question that could not be decided is denied.
func (a answer) verdict() authz.Verdict {
	if a.err != nil {
		return authz.Deny
	}
	return a.ruling.Verdict
}
