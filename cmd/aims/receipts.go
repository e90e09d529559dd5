package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"aims/internal/api"
	"aims/internal/app"
	"aims/receipt"
)

type receiptsListCmd struct {
	server
	asOf
	Limit   int     `name:"limit" default:"50" help:"At most this many (1 to 1000)."`
	Before  *uint64 `name:"before" help:"Only entries before this index."`
	Kind    string  `name:"kind" enum:",decision,refusal,outcome,event" default:"" help:"Only this kind: decision, refusal, outcome or event."`
	Actor   string  `name:"actor" help:"Only what this actor asked or did (agent:<id>, person:<id>)."`
	Action  string  `name:"action" help:"Only this action, such as payments___transfer_funds."`
	Session string  `name:"session" help:"Only this session."`
	JSON    bool    `name:"json" help:"Print JSON."`
}

func (c *receiptsListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Before != nil {
		query.Set("before", strconv.FormatUint(*c.Before, 10))
	}
	for name, value := range map[string]string{"kind": c.Kind, "actor": c.Actor, "action": c.Action, "session": c.Session, "as_of": c.AsOf} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var page api.Receipts
	if err := client.Do(ctx, http.MethodGet, "/api/v1/receipts?"+query.Encode(), nil, &page); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, page)
	}
	t := table{heading: []string{"INDEX", "TIME", "KIND", "WHO", "WHAT", "RESULT", "RECEIPT"}}
	for _, r := range page.Receipts {
		l := describe(r)
		t.add(strconv.FormatUint(r.Index, 10), instant(r.Time), r.Kind, l.who, l.what, l.result, l.id)
	}
	if err := t.print(std.out); err != nil {
		return err
	}
	if page.Next != nil {
		fmt.Fprintf(std.err, "older ones: --before %d\n", *page.Next)
	}
	return nil
}

// line is a receipt in one line.
type line struct{ who, what, result, id string }

func describe(r api.Receipt) line {
	switch receipt.Kind(r.Kind) {
	case receipt.DecisionKind, receipt.RefusalKind:
		var d receipt.Decision
		if json.Unmarshal(r.Body, &d) == nil {
			return line{party(d.Actor), first(d.Action, d.Method, d.Channel), result(d), d.ID}
		}
	case receipt.OutcomeKind:
		var o receipt.Outcome
		if json.Unmarshal(r.Body, &o) == nil {
			return line{"", fmt.Sprintf("outcome of %d", *r.Closes), first(string(o.Status)+suffix(o.Detail), ""), o.ID}
		}
	case receipt.EventKind:
		var e receipt.Event
		if json.Unmarshal(r.Body, &e) == nil {
			return line{party(&e.Actor), e.Name, e.Object.Type + " " + e.Object.ID, e.ID}
		}
	}
	return line{"", "", "cannot be read", ""}
}

func party(p *receipt.Party) string {
	if p == nil {
		return "unknown"
	}
	return p.Type + ":" + p.ID
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return "-"
}

func suffix(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}

// result is the verdict and, for a refusal, the first reason.
func result(d receipt.Decision) string {
	if d.Verdict == "allow" {
		return "allow"
	}
	text := string(d.Verdict)
	switch {
	case d.Cause != "":
		text += ": " + d.Cause
	case len(d.Reasons) > 0:
		text += ": " + first(d.Reasons[0].Text, d.Reasons[0].Policy)
	default:
		text += ": no policy permits it"
	}
	if d.Count > 1 {
		text += fmt.Sprintf(" (%d times)", d.Count)
	}
	return text
}

type receiptsShowCmd struct {
	server
	presentOnly
	Receipt  string `arg:"" help:"Id (rcp_…) or index of the receipt."`
	Payloads bool   `name:"payloads" help:"With input, facts and result, for who may read them."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

func (c *receiptsShowCmd) Run(ctx context.Context, std streams) error {
	if err := c.refuse("a receipt never changes; `aims receipts list --as-of` shows what there was"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var r api.Receipt
	path := "/api/v1/receipts/" + url.PathEscape(c.Receipt)
	if c.Payloads {
		path += "?payloads=true"
	}
	if err := client.Do(ctx, http.MethodGet, path, nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, r)
	}
	return showReceipt(std.out, r)
}

func showReceipt(w io.Writer, r api.Receipt) error {
	fmt.Fprintf(w, "%s %d  %s\n", r.Kind, r.Index, r.Time.UTC().Format("2006-01-02 15:04:05.000000Z"))
	if err := indented(w, r.Body); err != nil {
		return err
	}
	for _, p := range r.Payloads {
		switch {
		case p.Erased:
			fmt.Fprintf(w, "%s: erased\n", p.Name)
		case p.JSON != nil:
			fmt.Fprintf(w, "%s:\n", p.Name)
			if err := indented(w, p.JSON); err != nil {
				return err
			}
		default:
			fmt.Fprintf(w, "%s (base64): %s\n", p.Name, p.Data)
		}
	}
	if r.Outcome != nil {
		fmt.Fprintln(w)
		return showReceipt(w, *r.Outcome)
	}
	return nil
}

func indented(w io.Writer, raw json.RawMessage) error {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return err
	}
	return printJSON(w, v)
}

type receiptsProveCmd struct {
	server
	Receipt string `arg:"" help:"Id (rcp_…) or index of the receipt."`
	Out     string `name:"out" short:"o" type:"path" help:"File to write, <receipt>.tlog-proof without it; the recorded bytes stand beside it with the ending .leaf."`
	JSON    bool   `name:"json" help:"Print JSON and write no file."`
}

func (c *receiptsProveCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var proof api.Proof
	if err := client.Do(ctx, http.MethodGet, "/api/v1/receipts/"+url.PathEscape(c.Receipt)+"/proof", nil, &proof); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, proof)
	}
	leaf, err := base64.StdEncoding.DecodeString(proof.Leaf)
	if err != nil {
		return failf(exitFailed, "the server's answer is malformed: %w", err)
	}
	name := c.Out
	if name == "" {
		name = c.Receipt + ".tlog-proof"
	}
	leafName := strings.TrimSuffix(name, ".tlog-proof") + ".leaf"
	for _, f := range []struct {
		name string
		text []byte
	}{{name, []byte(proof.Proof)}, {leafName, leaf}} {
		if err := os.WriteFile(f.name, f.text, 0o644); err != nil {
			return withCode(exitUsage, err)
		}
		fmt.Fprintln(std.out, f.name)
	}
	return nil
}

type payloadsEraseCmd struct {
	server
	OlderThan string `name:"older-than" placeholder:"180d" xor:"what" required:"" help:"Erase what is older than this."`
	Receipt   string `name:"receipt" xor:"what" required:"" help:"Erase what belongs to this receipt (rcp_…), a decision's with its outcome's."`
	Rule      string `name:"rule" required:"" help:"Why: the retention rule or the request. It is recorded."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

func (c *payloadsEraseCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ask := api.Erasure{ID: c.Receipt, Rule: c.Rule}
	if c.OlderThan != "" {
		age, err := app.ParseDuration(c.OlderThan)
		if err != nil {
			return err
		}
		ask.OlderThanSeconds = int64(age.Seconds())
	}
	var done api.Erased
	if err := client.Do(ctx, http.MethodPost, "/api/v1/payloads/erase", ask, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, done)
	}
	if len(done.Receipts) == 0 {
		_, err = fmt.Fprintln(std.out, "there was nothing to erase")
		return err
	}
	_, err = fmt.Fprintf(std.out, "erased; recorded as %s\n", strings.Join(done.Receipts, ", "))
	return err
}

// printServer prints the state of a server.
func printServer(w io.Writer, s api.Status) error {
	fmt.Fprintf(w, "version   %s, up since %s\nlog       %s, %d entries, %d decisions without outcome, %d left open by the last run\n          %s\npolicies  %s\n\n",
		s.Version, instant(s.Started), s.Origin, s.Size, s.Open, s.LeftOpen, s.Verifier, s.Policy)
	t := table{heading: []string{"SERVER", "KIND", "TOOLS", "QUARANTINED", "PROBLEM"}}
	for _, v := range s.Servers {
		t.add(v.Name, v.Kind, strconv.Itoa(v.Tools), strconv.Itoa(v.Quarantined), first(v.Problem))
	}
	if err := t.print(w); err != nil {
		return err
	}
	for _, v := range s.Servers {
		if len(v.Unlisted) > 0 {
			fmt.Fprintf(w, "\n%s has never listed these tools, which the configuration labels: %s\n", v.Name, strings.Join(v.Unlisted, ", "))
		}
	}
	for _, stop := range s.Stops {
		fmt.Fprintf(w, "\nSTOPPED: %s, %s\n", stopName(stop), stopText(stop))
	}
	if s.PolicyError != "" || s.Stale != "" {
		fmt.Fprintf(w, "\nPOLICIES ARE NOT UP TO DATE\n%s%s\n", s.PolicyError, s.Stale)
	}
	fmt.Fprintln(w, "\nCONTROLS FIRED AT THE START")
	for _, k := range s.SelfCheck {
		fmt.Fprintf(w, "%-4s%s\n    %s\n", holds(k.Holds), k.Name, k.Saw)
	}
	return nil
}

func holds(b bool) string {
	if b {
		return "ok"
	}
	return "NO"
}
