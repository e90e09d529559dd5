package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aims/internal/aims"
	"aims/internal/api"
	"aims/internal/progress"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/strict"
)

// baseName is the file beside the registers that says from which state they
// were written. ReadDir leaves it alone, as all that begins with a dot.
const baseName = ".aims-base"

// baseFile is what it holds.
type baseFile struct {
	Log string `json:"log"`
	register.Base
}

// directory is a directory of registers.
type directory struct {
	path    string
	records record.Registers
	base    *baseFile // nil for none
}

func readDirectory(path string) (directory, error) {
	d := directory{path: path}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return d, failf(exitUsage, "%s is not a directory of registers; `aims export %s` writes one", path, path)
	}
	var err error
	if d.records, err = record.ReadDir(os.DirFS(path)); err != nil {
		return d, withCode(exitUsage, inDirectory(path, err))
	}
	text, err := os.ReadFile(filepath.Join(path, baseName))
	if errors.Is(err, os.ErrNotExist) {
		return d, nil
	}
	d.base = &baseFile{}
	if err == nil {
		err = json.Unmarshal(text, d.base)
	}
	if err != nil {
		return d, failf(exitUsage, "%s cannot be read: %w; without it the files are compared with the present registers, and nothing is removed", filepath.Join(path, baseName), err)
	}
	return d, nil
}

// inDirectory names files as the caller names them.
func inDirectory(path string, err error) error {
	wrong, ok := errors.AsType[*strict.Error](err)
	if !ok {
		return err
	}
	for i := range wrong.Problems {
		wrong.Problems[i].File = filepath.Join(path, wrong.Problems[i].File)
	}
	return wrong
}

// remark says what of the files is no record, or shows nothing yet.
func (d directory) remark(w io.Writer) {
	for _, name := range d.records.LeftAlone() {
		fmt.Fprintf(w, "left alone: %s begins with no front matter (a line that is ---), so it is no document\n", filepath.Join(d.path, name))
	}
	if texts := d.records.Unfilled(); len(texts) > 0 {
		first := texts[0]
		first.File = filepath.Join(d.path, first.File)
		fmt.Fprintf(w, "%d texts are still to be written, and until then their records show nothing; the first:\n  %s\n", len(texts), first)
	}
}

// writeBase keeps what the files are based on from now on.
func (d directory) writeBase(log string, b register.Base) error {
	text, err := json.MarshalIndent(baseFile{log, b}, "", "  ")
	if err == nil {
		err = writeFile(filepath.Join(d.path, baseName), append(text, '\n'))
	}
	return err
}

// writeFile puts a file in the place of one that is there, whole or not at all.
func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	partial := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".partial")
	if err := os.WriteFile(partial, text, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, name)
}

// request is the directory as the server takes it.
func (d directory) request() api.RegisterFiles {
	ask := api.RegisterFiles{Records: []api.RegisterRecord{}}
	if d.base != nil {
		ask.Log, ask.Base, ask.Whole = d.base.Log, d.base.Base, true
	}
	d.records.Each(func(kind, _ string, rec any) {
		ask.Records = append(ask.Records, api.RegisterRecord{Kind: kind, Record: record.Canonical(rec)})
	})
	return ask
}

// plan asks the server what applying the directory would do.
func (d directory) plan(ctx context.Context, client *api.Client) (api.RegisterPlan, error) {
	var plan api.RegisterPlan
	err := client.Do(ctx, http.MethodPost, "/api/v1/registers-plan", d.request(), &plan)
	return plan, d.placed(ctx, client, err)
}

// placed says in which file and line it stands what the server refuses: the
// server knows no files, and a reference may lead to a record that they lack.
func (d directory) placed(ctx context.Context, client *api.Client, refused error) error {
	if code, _ := aims.Public(refused); refused == nil || code != aims.Invalid {
		return refused
	}
	present, _, err := fetch(ctx, client, "")
	if err != nil {
		return refused
	}
	var lines []string
	for _, p := range d.records.Over(present).Check(record.Date(time.Now().UTC().Format(time.DateOnly))) {
		if p.File != "" {
			p.File = filepath.Join(d.path, p.File)
		}
		lines = append(lines, p.String())
	}
	if len(lines) == 0 {
		return refused
	}
	return failf(exitUsage, "%s", strings.Join(lines, "\n"))
}

// fetch is the registers of the server.
func fetch(ctx context.Context, client *api.Client, asOf string) (record.Registers, api.RegisterState, error) {
	var state api.RegisterState
	var out record.Registers
	if err := client.Do(ctx, http.MethodGet, "/api/v1/registers"+asOfQuery(asOf), nil, &state); err != nil {
		return out, state, err
	}
	for _, row := range state.Records {
		if err := out.Put(row.Kind, row.Record); err != nil {
			return out, state, fmt.Errorf("the server has a record that this program does not know: %w", err)
		}
	}
	return out, state, nil
}

type planCmd struct {
	server
	Dir   string `short:"f" name:"dir" required:"" placeholder:"DIR" help:"Directory with the registers, YAML and Markdown."`
	Check bool   `name:"check" help:"Exit with 1 when something would change."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *planCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	d, err := readDirectory(c.Dir)
	if err != nil {
		return err
	}
	plan, err := d.plan(ctx, client)
	if err != nil {
		return err
	}
	d.remark(std.err)
	if d.base == nil { // what is shown now is what is applied later
		if err := d.writeBase(plan.Log, plan.Base); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(std.out, plan)
	} else {
		err = printPlan(std.out, plan)
	}
	switch {
	case err != nil:
		return err
	case len(plan.Conflicts) > 0:
		return failf(exitFailed, "others changed what these files change; `aims history` shows what they did")
	case c.Check && len(plan.Changes) > 0:
		return failf(exitFailed, "the registers are not what the files say")
	}
	return nil
}

type applyCmd struct {
	server
	Dir  string `short:"f" name:"dir" required:"" placeholder:"DIR" help:"Directory with the registers, YAML and Markdown."`
	Yes  bool   `name:"yes" help:"Do not ask; needed where nobody can be asked."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *applyCmd) Run(ctx context.Context, std streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	d, err := readDirectory(c.Dir)
	if err != nil {
		return err
	}
	plan, err := d.plan(ctx, client)
	if err != nil {
		return err
	}
	d.remark(std.err)
	d.base = &baseFile{plan.Log, plan.Base} // what is shown is what is applied
	if len(plan.Changes) > 0 || len(plan.Conflicts) > 0 {
		if !c.JSON {
			if err := printPlan(std.out, plan); err != nil {
				return err
			}
		}
		if len(plan.Conflicts) == 0 {
			if err := agree(std, c.Yes, "Apply this?"); err != nil {
				return err
			}
		}
		if err := client.Do(ctx, http.MethodPost, "/api/v1/registers-apply", d.request(), &plan); err != nil {
			return d.placed(ctx, client, err)
		}
	}
	if err := d.writeBase(plan.Log, plan.Next); err != nil {
		return fmt.Errorf("applied, and the base of the files could not be written: %w", err)
	}
	return printApplied(std.out, plan, c.JSON)
}

func printApplied(w io.Writer, plan api.RegisterPlan, asJSON bool) error {
	if asJSON {
		return printJSON(w, plan)
	}
	if !plan.Applied {
		return printPlan(w, plan)
	}
	_, err := fmt.Fprintf(w, "applied: %s [%s]\n", counted(plan.Changes), strings.Join(plan.Receipts, ", "))
	if err == nil && len(plan.Next.Behind) > 0 {
		_, err = fmt.Fprintln(w, behindText(plan.Next.Behind))
	}
	return err
}

// agree asks a person, where there is one.
func agree(std streams, yes bool, question string) error {
	if yes {
		return nil
	}
	if !progress.Terminal(std.in) {
		return failf(exitUsage, "nobody can be asked here; look at it, then give --yes")
	}
	fmt.Fprint(std.err, question+" [y/N] ")
	line, err := bufio.NewReader(std.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return failf(exitFailed, "nothing was done")
	}
	return nil
}

// printPlan prints what would change, field by field.
func printPlan(w io.Writer, plan api.RegisterPlan) error {
	out := bufio.NewWriter(w)
	for _, c := range plan.Changes {
		fmt.Fprintf(out, "%s %s/%s\n", signs[c.Event], c.Kind, printable(c.ID))
		if c.Event != record.Removed {
			printFields(out, c.Fields)
		}
	}
	for _, c := range plan.Conflicts {
		fmt.Fprintf(out, "! %s\n", c.String())
		printFields(out, c.Fields)
	}
	switch {
	case len(plan.Changes) > 0:
		fmt.Fprintln(out, counted(plan.Changes))
	case len(plan.Conflicts) == 0:
		fmt.Fprintln(out, "nothing to do: the registers are what the files say")
	}
	if n := len(plan.Conflicts); n > 0 {
		fmt.Fprintf(out, "%d in conflict: export the registers again, or take what others did into the files\n", n)
	}
	if behind := plan.Next.Behind; len(behind) > 0 {
		fmt.Fprintln(out, behindText(behind))
	}
	return out.Flush()
}

var signs = map[record.Event]string{record.Created: "+", record.Changed: "~", record.Removed: "-"}

// printFields prints where two versions differ, under the line of their record.
func printFields(w io.Writer, fields []record.FieldChange) {
	for _, f := range fields {
		path := cmp.Or(f.Path, "all")
		switch {
		case f.Before == nil:
			fmt.Fprintf(w, "    + %s: %s\n", printable(path), value(f.After))
		case f.After == nil:
			fmt.Fprintf(w, "    - %s: %s\n", printable(path), value(f.Before))
		default:
			fmt.Fprintf(w, "    ~ %s: %s → %s\n", printable(path), value(f.Before), value(f.After))
		}
	}
}

// widestValue bounds what is shown of one value, in characters.
const widestValue = 100

// value is a value of a field for people: as JSON, and nothing in it moves the
// cursor.
func value(v any) string {
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		text = string(b)
	}
	if letters := []rune(text); len(letters) > widestValue {
		text = string(letters[:widestValue]) + "…"
	}
	if ok {
		return fmt.Sprintf("%q", text)
	}
	return printable(text)
}

// printable is text without what cannot be seen.
func printable(text string) string {
	quoted := fmt.Sprintf("%q", text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func counted(changes []register.Planned) string {
	n := map[record.Event]int{}
	for _, c := range changes {
		n[c.Event]++
	}
	return fmt.Sprintf("%d created, %d changed, %d removed", n[record.Created], n[record.Changed], n[record.Removed])
}

// behindText says that the files lack what others did.
func behindText(behind []register.Behind) string {
	var names []string
	for _, b := range behind {
		names = append(names, b.Kind+"/"+printable(b.ID))
	}
	more := ""
	if len(names) > 6 {
		names, more = names[:6], fmt.Sprintf(" and %d more", len(behind)-6)
	}
	return fmt.Sprintf("the files do not have the present version of %s%s, which stays as it is; `aims export` writes it", strings.Join(names, ", "), more)
}
