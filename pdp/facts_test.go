package pdp

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func withoutInput(r types.Record) types.Record {
	m := r.Map()
	delete(m, inputAttribute)
	delete(m, undeclaredAttribute)
	return types.NewRecord(m)
}

// Facts say exactly what a decision was made from: what is decoded is what was
// encoded, equal facts are equal bytes, and cedar-go reads the same from them.
func TestFactsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest().Draw(t, "request")
		req.Context = genRecord(3).Draw(t, "context")
		entities := genEntities().Draw(t, "entities")
		for uid, e := range entities {
			if rapid.Bool().Draw(t, "tagged") {
				e.Tags = genRecord(1).Draw(t, "tags")
				entities[uid] = e
			}
		}
		delegators := rapid.SliceOfN(genUID(), 0, 3).Draw(t, "delegators")
		facts, err := EncodeFactsFor(req, delegators, entities)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeFacts(facts)
		if err != nil {
			t.Fatalf("%v\n%s", err, facts)
		}
		gotReq, gotEntities := got.request, got.entities
		if !slices.Equal(got.delegators, delegators) {
			t.Fatalf("delegators %v became %v", delegators, got.delegators)
		}
		want := req
		want.Context = withoutInput(req.Context)
		if !gotReq.Equal(want) {
			t.Fatalf("%v became %v", want, gotReq)
		}
		if len(gotEntities) != len(entities) {
			t.Fatalf("%d entities became %d", len(entities), len(gotEntities))
		}
		for uid, e := range entities {
			if !gotEntities[uid].Equal(e) {
				t.Fatalf("%v became %v", e, gotEntities[uid])
			}
		}
		again, err := EncodeFactsFor(req, delegators, entities)
		if err != nil || !bytes.Equal(again, facts) {
			t.Fatalf("equal facts, other bytes: %v\n%s\n%s", err, facts, again)
		}
		cedarReads(t, facts, want, entities)
	})
}

// cedarReads checks the bytes against cedar-go's own reader of Cedar's JSON.
func cedarReads(t *rapid.T, facts []byte, req cedar.Request, entities types.EntityMap) {
	var plain struct {
		Action, Principal, Resource types.EntityUID
		Context                     types.Record
		Entities                    types.EntityMap
	}
	if err := json.Unmarshal(facts, &plain); err != nil {
		t.Fatalf("cedar-go: %v\n%s", err, facts)
	}
	if plain.Action != req.Action || plain.Principal != req.Principal || plain.Resource != req.Resource || !plain.Context.Equal(req.Context) {
		t.Fatalf("cedar-go reads %v, not %v", plain, req)
	}
	for uid, e := range entities {
		if !plain.Entities[uid].Equal(e) {
			t.Fatalf("cedar-go reads %v, not %v", plain.Entities[uid], e)
		}
	}
}

func TestFactsAreCanonical(t *testing.T) {
	set := mustCompile(t, payments(t), permitAll)
	req := transfer(t, set, `{"amount":1,"z":1}`)
	entities := types.EntityMap{req.Principal: {UID: req.Principal, Parents: types.NewEntityUIDSet(types.NewEntityUID("Role", "b"), types.NewEntityUID("Role", "a\"\n\u2028"))}}
	got, err := EncodeFacts(req, entities)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"action":{"id":"payments___transfer_funds","type":"Action"},` +
		`"context":{"session":{"channel":"mcp","id":"ses_1","protocol":"2026-07-28"},"tool":{"destructive":true,"pin":"sha256:00","quarantined":false,"read_only":false}},` +
		`"entities":[{"attrs":{},"parents":[{"id":"a\"\n` + "\u2028" + `","type":"Role"},{"id":"b","type":"Role"}],"uid":{"id":"billing","type":"Agent"}}],` +
		`"principal":{"id":"billing","type":"Agent"},"resource":{"id":"payments","type":"McpServer"}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Values without an exact form are refused before anything is decided by them,
// not written in a form that decides otherwise later.
func TestEncodeFactsRefuses(t *testing.T) {
	deep := types.Value(types.True)
	for range 300 {
		deep = types.NewSet(deep)
	}
	var many []types.Value
	for i := range maxElements + 1 {
		many = append(many, types.Long(i))
	}
	values := map[string]types.Value{
		"a duration that Cedar writes and cannot read": types.NewDurationFromMillis(math.MinInt64),
		"a record that reads as an entity":             types.NewRecord(types.RecordMap{"__entity": types.NewRecord(types.RecordMap{"type": types.String("Role"), "id": types.String("admin")})}),
		"a record that reads as an extension":          types.NewRecord(types.RecordMap{"__extn": types.True}),
		"broken UTF-8":                                 types.String("\xff"),
		"no address":                                   types.IPAddr(netip.Prefix{}),
		"a well":                                       deep,
		"a crowd":                                      types.NewSet(many...),
	}
	for name, v := range values {
		if facts, err := EncodeFacts(cedar.Request{Context: types.NewRecord(types.RecordMap{"v": v})}, nil); err == nil {
			t.Errorf("%s: %.200s", name, facts)
		}
	}
	misfiled := types.EntityMap{types.NewEntityUID("Agent", "a"): {UID: types.NewEntityUID("Agent", "b")}}
	if _, err := EncodeFacts(cedar.Request{}, misfiled); err == nil {
		t.Error("an entity under another's name")
	}
}

func TestDecodeFactsRefuses(t *testing.T) {
	set := mustCompile(t, payments(t), permitAll)
	req := transfer(t, set, `{"amount":1}`)
	good, err := EncodeFacts(req, types.EntityMap{req.Principal: {UID: req.Principal}})
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for name, facts := range map[string]string{
		"nothing":             ``,
		"space":               " " + string(good),
		"something after":     string(good) + "{}",
		"an unknown member":   edit(`{"action"`, `{"a":1,"action"`),
		"a missing member":    edit(`,"resource":{"id":"payments","type":"McpServer"}`, ``),
		"a member twice":      edit(`"principal"`, `"action":{"id":"x","type":"Action"},"principal"`),
		"another order":       edit(`"id":"billing","type":"Agent"`, `"type":"Agent","id":"billing"`),
		"another escape":      edit(`"billing"`, `"\u0062illing"`),
		"a number for an id":  edit(`"id":"payments"`, `"id":5`),
		"null":                edit(`"quarantined":false`, `"quarantined":null`),
		"a fraction":          edit(`"quarantined":false`, `"quarantined":1.5`),
		"a large number":      edit(`"quarantined":false`, `"quarantined":9223372036854775808`),
		"minus nought":        edit(`"quarantined":false`, `"quarantined":-0`),
		"a set twice":         edit(`"quarantined":false`, `"quarantined":[1,1]`),
		"a set unsorted":      edit(`"quarantined":false`, `"quarantined":[2,1]`),
		"an unknown function": edit(`"quarantined":false`, `"quarantined":{"__extn":{"arg":"1","fn":"f"}}`),
		"a bad decimal":       edit(`"quarantined":false`, `"quarantined":{"__extn":{"arg":"1.00","fn":"decimal"}}`),
		"an entity twice":     edit(`"entities":[`, `"entities":[{"attrs":{},"parents":[],"uid":{"id":"billing","type":"Agent"}},`),
		"input in the facts":  edit(`"context":{`, `"context":{"input":{},`),
		"empty tags":          edit(`"parents":[],`, `"parents":[],"tags":{},`),
		"entities an object":  edit(`"entities":[{"attrs":{},"parents":[],"uid":{"id":"billing","type":"Agent"}}]`, `"entities":{}`),
	} {
		if d, err := set.Redecide([]byte(facts), []byte(`{"amount":1}`)); err == nil {
			t.Errorf("%s: %v", name, d.Verdict)
		}
	}
	if _, err := set.Redecide(good, []byte(`{}`)); err == nil {
		t.Error("arguments that do not fit the action")
	}
	if _, err := set.Redecide(good, []byte(`{"amount":1}`)); err != nil {
		t.Error(err)
	}
}

// A decision can be made again from what is recorded of it, by anybody who
// compiles the recorded policies.
func TestRedecide(t *testing.T) {
	policies := []string{
		`@id("finance") permit (principal in Role::"finance", action in Action::"call_tool", resource);`,
		`@id("large") @hold("treasurer") forbid (principal, action == Action::"payments___transfer_funds", resource) when { context.input.amount > 100 };`,
		`@id("gate") forbid (principal, action == Action::"payments___transfer_funds", resource) when { context.input.amount * 2 < 0 };`,
		`@id("undeclared") forbid (principal, action in Action::"call_tool", resource) when { !context.undeclared.isEmpty() };`,
		`@id("hook") forbid (principal, action in Action::"call_tool", resource) when { context.session.channel == "hook" };`,
	}
	set := mustCompile(t, payments(t), policies...)
	other, err := Compile(set.Sources(), set.Schema())
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		arguments, err := json.Marshal(map[string]any{"amount": rapid.SampledFrom([]int64{1, 101, -1, math.MaxInt64}).Draw(t, "amount")})
		if err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 3).Draw(t, "undeclared") == 0 {
			arguments = append(arguments[:len(arguments)-1], `,"x":[]}`...)
		}
		agent := types.NewEntityUID("Agent", "billing")
		req, err := set.Complete(cedar.Request{Principal: agent, Action: types.NewEntityUID("Action", "payments___transfer_funds"), Resource: types.NewEntityUID("McpServer", "payments"), Context: callFacts()}, arguments)
		if err != nil {
			t.Fatal(err)
		}
		entities := types.EntityMap{agent: {UID: agent, Parents: types.NewEntityUIDSet(types.NewEntityUID("Role", rapid.SampledFrom([]types.String{"finance", "finance", "other"}).Draw(t, "role")))}}
		facts, err := EncodeFacts(req, entities)
		if err != nil {
			t.Fatal(err)
		}
		want := set.Decide(req, entities)
		got, err := other.Redecide(facts, arguments)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		verdicts[string(got.Verdict)]++
	})
	if len(verdicts) != 3 {
		t.Errorf("not every verdict was decided again: %v", verdicts)
	}
}

// FuzzRedecide: facts are decided by or refused, and only one form of them is taken.
func FuzzRedecide(f *testing.F) {
	set := mustCompile(f, payments(f), permitAll, `forbid (principal in Role::"out", action, resource);`)
	req := transfer(f, set, `{"amount":1}`)
	entities := types.EntityMap{req.Principal: {UID: req.Principal, Parents: types.NewEntityUIDSet(types.NewEntityUID("Role", "out")),
		Attributes: types.NewRecord(types.RecordMap{"s": types.NewSet(types.Long(1), types.String("a")), "d": types.NewDatetimeFromMillis(5), "e": req.Resource}),
		Tags:       types.NewRecord(types.RecordMap{"t": types.NewDurationFromMillis(-1)})}}
	facts, err := EncodeFacts(req, entities)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(facts)
	f.Add([]byte(`{"action":{"id":"","type":""},"context":{},"entities":[],"principal":{"id":"","type":""},"resource":{"id":"","type":""}}`))
	f.Fuzz(func(t *testing.T, facts []byte) {
		d, err := decodeFacts(facts)
		if err != nil {
			return
		}
		req := d.request
		again, err := EncodeFactsFor(req, d.delegators, d.entities)
		if err != nil || !bytes.Equal(again, facts) {
			t.Fatalf("%v\n%s\n%s", err, facts, again)
		}
		if _, err := set.Redecide(facts, []byte(`{"amount":1}`)); err == nil && !set.Has(string(req.Action.ID)) {
			t.Fatalf("decided %s", req.Action)
		}
	})
}
