package pack_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"aims/authz"
	"aims/internal/aims"
	"aims/internal/evidence/pack"
	"aims/internal/ledger"
	"aims/internal/ledger/ledgertest"
	"aims/internal/register"
	"aims/internal/register/record"
	"aims/internal/store"
	"aims/internal/store/storetest"
	"aims/receipt"
)

// installation is a log with registers and calls over a real store.
type installation struct {
	t     testing.TB
	clock *ledgertest.Clock
	db    *store.DB
	log   *ledger.Ledger
	regs  *register.Register
	vkey  string
	base  register.Base
}

const deciding = "rcp_00000000-0000-7000-8000-000000000000"

func newInstallation(t testing.TB, origin string) *installation {
	t.Helper()
	i := &installation{t: t, clock: ledgertest.NewClock(time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC))}
	var err error
	i.db = storetest.SQLite(t).MustOpen(t, i.clock.Now, ledger.Schema(), register.Schema())
	signer, vkey := ledgertest.NewKey(t, origin)
	i.vkey = vkey
	i.log = ledgertest.Open(t, i.db, signer, i.clock.Now)
	i.event("system.started", receipt.Object(aims.System))
	i.regs, err = register.Open(t.Context(), i.db, i.log, register.Options{})
	i.ok(err)
	return i
}

func (i *installation) ok(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) append(e ledger.Entry, body any) ledger.Ref {
	i.t.Helper()
	var err error
	e.Body, err = receipt.Encode(body)
	i.ok(err)
	ref, err := i.log.Append(i.t.Context(), e)
	i.ok(err)
	i.clock.Advance(time.Minute)
	return ref
}

func (i *installation) event(name string, on receipt.Object) {
	i.t.Helper()
	i.append(ledger.Entry{Kind: receipt.EventKind}, receipt.Event{ID: aims.NewID("rcp"), Actor: receipt.Party(aims.System), Name: name, Object: on})
}

// call is a decision and its outcome.
func (i *installation) call(agent, tool string, verdict authz.Verdict) {
	i.t.Helper()
	input := []byte(`{"amount":` + fmt.Sprint(i.clock.Now().Minute()) + `}`)
	salt := receipt.Salt{byte(i.clock.Now().Minute())}
	d := receipt.Decision{ID: aims.NewID("rcp"), Actor: &receipt.Party{Type: "agent", ID: agent}, Channel: "mcp", Method: "tools/call", Action: tool,
		Resource: &receipt.Object{Type: "McpServer", ID: "payments"}, Verdict: verdict, Input: salt.Digest(input), Policy: "sha256:" + strings.Repeat("ab", 32)}
	kind := receipt.DecisionKind
	if verdict != authz.Allow {
		kind = receipt.RefusalKind
	}
	ref := i.append(ledger.Entry{Kind: kind, Payloads: []ledger.Payload{{Name: receipt.InputPayload, Salt: salt, Data: input}}}, d)
	if verdict == authz.Allow {
		i.append(ledger.Entry{Kind: receipt.OutcomeKind, Closes: ref.Index}, receipt.Outcome{ID: aims.NewID("rcp"), Decision: d.ID, Status: receipt.Succeeded, Micros: 900})
	}
}

func (i *installation) apply(by, yaml string) {
	i.t.Helper()
	want, err := record.ReadDir(fstest.MapFS{"registers.yaml": &fstest.MapFile{Data: []byte(yaml)}})
	i.ok(err)
	p, err := i.regs.Apply(i.t.Context(), aims.Actor{Type: aims.PersonType, ID: by}, deciding, i.base, want, true)
	i.ok(err)
	i.base = p.Next
	i.clock.Advance(time.Minute)
}

const registers = `
people:
  - {id: ana, name: Ana}
  - {id: dora, name: Dora}
risk_criteria:
  - id: standard
    process: Twice a year and after changes.
    likelihood: [{level: 1, text: seldom}, {level: 2, text: often}]
    severity: [{level: 1, text: small}, {level: 2, text: large}]
    accept_up_to: 1
    assess_every_days: 180
risks:
  - id: payee
    title: A mail chooses <b>the payee</b>
    owner: ana
    criteria: standard
    likelihood: 2
    assessed: 2026-09-30
    decision: treat
    controls: [A.9.2]
    consequences:
      organisation: {text: Loss of money., severity: 2}
      individuals: {text: None., severity: 0}
      society: {text: None., severity: 0}
requirements:
  - {id: "6.1.2", owner: ana, text: The licensed text of a customer.}
`

// built is an installation with a history over two months.
func built(t testing.TB, origin string) *installation {
	i := newInstallation(t, origin)
	i.apply("ana", registers)
	s, err := i.regs.At(t.Context(), time.Time{})
	i.ok(err)
	_, err = i.regs.Mark(t.Context(), aims.Actor{Type: aims.PersonType, ID: "dora"}, []string{"director"}, deciding, record.Mark{
		Kind: record.Approve, On: "risk", ID: "payee", Digest: s.Versions[record.Key{Kind: "risk", ID: "payee"}].Digest, Note: "Agreed."})
	i.ok(err)
	for range 20 {
		i.call("billing", "payments___transfer", authz.Allow)
	}
	i.ok(i.log.Sign(t.Context()))
	i.clock.Set(time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC))
	i.apply("ana", strings.Replace(registers, "Loss of money.", "Loss of much money.", 1))
	for range 40 {
		i.call("billing", "payments___transfer", authz.Allow)
		i.call("stranger", "payments___close", authz.Deny)
	}
	i.ok(i.log.Sign(t.Context()))
	return i
}

func date(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// pack writes a pack of a period, its last day included.
func (i *installation) pack(from, last string) string {
	i.t.Helper()
	src, err := ledger.NewSource(i.t.Context(), i.db, nil)
	i.ok(err)
	name := filepath.Join(i.t.TempDir(), "pack.zip")
	f, err := os.Create(name)
	i.ok(err)
	defer f.Close()
	_, err = pack.Write(i.t.Context(), f, src, pack.Request{From: date(i.t, from), Until: date(i.t, last).AddDate(0, 0, 1), For: "stage2"}, i.t.TempDir(), nil)
	i.ok(err)
	return name
}

func (i *installation) trust() receipt.Trust {
	i.t.Helper()
	trust, err := receipt.NewTrust(i.vkey, nil, 0)
	i.ok(err)
	return trust
}

// verify opens and verifies a pack.
func verify(t testing.TB, name string, trust receipt.Trust) (pack.Report, error) {
	t.Helper()
	p, err := pack.Open(name)
	if err != nil {
		return pack.Report{}, err
	}
	defer p.Close()
	return p.Verify(t.Context(), receipt.Options{Trust: trust}, nil)
}

func text(r pack.Report) string {
	r.Manifest.Files = nil
	b, _ := json.MarshalIndent(r, "", " ")
	return string(b)
}

func TestAPackVerifies(t *testing.T) {
	i := built(t, "log.example/test")
	for _, period := range [][2]string{{"2026-10-01", "2026-11-30"}, {"2026-11-01", "2026-11-30"}, {"2026-10-01", "2026-10-31"}} {
		name := i.pack(period[0], period[1])
		r, err := verify(t, name, i.trust())
		i.ok(err)
		if !r.Verified() {
			t.Errorf("%s: %s", period, text(r))
		}
		again := i.pack(period[0], period[1])
		if a, b := read(t, name), read(t, again); !bytes.Equal(a, b) {
			t.Errorf("%s: two packs of the same place of the log differ", period)
		}
	}
}

// A pack for a past period shows the registers and the log of then, whatever
// happened since.
func TestThePastStays(t *testing.T) {
	i := built(t, "log.example/test")
	before := read(t, i.pack("2026-10-01", "2026-10-31"))
	i.apply("ana", registers+"\nroles:\n  - {id: manager, title: Manager}\n")
	i.ok(i.log.Sign(t.Context()))
	after := i.pack("2026-10-01", "2026-10-31")
	if !bytes.Equal(before, read(t, after)) {
		t.Error("what happened in December changed the pack of October")
	}
	files := unpack(t, after)
	if got := string(files["registers.json"]); !strings.Contains(got, "Loss of money.") || strings.Contains(got, "much money") {
		t.Error("the registers are not those of the end of October")
	}
	var soa struct {
		Rows []struct{ Control string } `json:"rows"`
	}
	i.ok(json.Unmarshal(files["soa.json"], &soa))
	if len(soa.Rows) != 38 {
		t.Errorf("%d rows", len(soa.Rows))
	}
}

func TestWhatAPackShows(t *testing.T) {
	i := built(t, "log.example/test")
	files := unpack(t, i.pack("2026-11-01", "2026-11-30"))
	if strings.Contains(string(files["registers.json"]), "licensed text") {
		t.Error("the customer's own text of the standard left the house")
	}
	page := string(files["pages/registers.html"])
	if !strings.Contains(page, "A mail chooses &lt;b&gt;the payee&lt;/b&gt;") {
		t.Error("text of a record is not escaped in a page")
	}
	if !strings.Contains(page, "2026-11-03") {
		t.Error("the page does not say when the record changed")
	}
	var sample pack.Sample
	i.ok(json.Unmarshal(files["sample.json"], &sample))
	if sample.Population != 80 || len(sample.Items) != 25 {
		t.Errorf("%d of %d decisions drawn; expected 25 of 80", len(sample.Items), sample.Population)
	}
	var statuses []struct{ ID string }
	i.ok(json.Unmarshal(files["criteria.json"], &statuses))
	if len(statuses) != 70 {
		t.Errorf("%d requirements", len(statuses))
	}
	for name, data := range files {
		if word := strings.ToLower(string(data)); strings.HasPrefix(name, "pages/") && (strings.Contains(word, "compliant") || strings.Contains(word, "<script") || strings.Contains(word, "http")) {
			t.Errorf("%s claims, runs or loads something", name)
		}
	}
}

// Any changed bit is noticed, wherever it lies.
func TestNoBitOfAPackCanChange(t *testing.T) {
	i := built(t, "log.example/test")
	whole := read(t, i.pack("2026-10-01", "2026-11-30"))
	trust := i.trust()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	name := filepath.Join(t.TempDir(), "changed.zip")
	places := []int{0, 3, 6, 10, 14, 26, 29, 30, len(whole) - 1, len(whole) - 64, len(whole) - 70, len(whole) - 90}
	for range 150 {
		places = append(places, random.IntN(len(whole)))
	}
	for _, at := range places {
		changed := bytes.Clone(whole)
		changed[at] ^= 1 << random.IntN(8)
		i.ok(os.WriteFile(name, changed, 0o600))
		if r, err := verify(t, name, trust); err == nil && r.Verified() {
			t.Fatalf("a changed bit at byte %d of %d is not noticed", at, len(whole))
		}
	}
	for _, cut := range []int{1, 64, 4096, len(whole) / 2} {
		i.ok(os.WriteFile(name, whole[:len(whole)-cut], 0o600))
		if r, err := verify(t, name, trust); err == nil && r.Verified() {
			t.Errorf("%d bytes cut off are not noticed", cut)
		}
	}
}

// remade writes an archive as a pack is written, seal and manifest included:
// what somebody can do who knows the format and does not have the key.
func remade(t testing.TB, files map[string][]byte, order []string) string {
	t.Helper()
	var list []pack.ManifestFile
	for _, name := range order {
		sum := sha256.Sum256(files[name])
		list = append(list, pack.ManifestFile{Name: name, Bytes: uint64(len(files[name])), Digest: "sha256:" + hex.EncodeToString(sum[:])})
	}
	var m pack.Manifest
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	m.Files = list
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(m); err != nil {
		t.Fatal(err)
	}
	files["manifest.json"] = b.Bytes()
	name := filepath.Join(t.TempDir(), "remade.zip")
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range append(order[:len(order):len(order)], "manifest.json") {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if name == "manifest.json" {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			err = z.Flush()
		}
		if name == "manifest.json" {
			sum := sha256.Sum256(out.Bytes())
			err = z.SetComment(hex.EncodeToString(sum[:]))
		}
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Whoever rewrites a file and everything in the archive that speaks of it is
// still caught, because what is derived from the log is derived again.
func TestForgedPacksDoNotVerify(t *testing.T) {
	i := built(t, "log.example/test")
	other := built(t, "log.example/test")
	name := i.pack("2026-10-01", "2026-11-30")
	order := names(t, name)
	order = order[:len(order)-1] // the manifest is made again
	foreign := unpack(t, other.pack("2026-10-01", "2026-11-30"))
	for what, forge := range map[string]func(files map[string][]byte) []string{
		"nothing": func(map[string][]byte) []string { return order },
		"criteria.json": func(f map[string][]byte) []string {
			f["criteria.json"] = bytes.Replace(f["criteria.json"], []byte(`"nothing_to_show"`), []byte(`"shown"`), 1)
			return order
		},
		"registers.json": func(f map[string][]byte) []string {
			f["registers.json"] = bytes.Replace(f["registers.json"], []byte("Loss of much money."), []byte("Nothing at all."), 1)
			return order
		},
		"soa.json": func(f map[string][]byte) []string {
			f["soa.json"] = bytes.Replace(f["soa.json"], []byte(`"undecided"`), []byte(`"applicable"`), 1)
			return order
		},
		"a page": func(f map[string][]byte) []string {
			f["pages/index.html"] = append(f["pages/index.html"], "<p>All is well.</p>"...)
			return order
		},
		"the readme": func(f map[string][]byte) []string { f["README.txt"] = []byte("Trust me."); return order },
		"the sample": func(f map[string][]byte) []string {
			f["sample.json"] = bytes.Replace(f["sample.json"], []byte(`"verdict": "deny"`), []byte(`"verdict": "allow"`), 1)
			return order
		},
		"the period": func(f map[string][]byte) []string {
			f["manifest.json"] = bytes.Replace(f["manifest.json"], []byte(`"from": "2026-10-01"`), []byte(`"from": "2026-11-01"`), 1)
			return order
		},
		"a payload of the registers": func(f map[string][]byte) []string {
			f["log/payloads"] = bytes.Replace(f["log/payloads"], []byte("Loss of money."), []byte("Loss of honey."), 1)
			return order
		},
		"the entries of another log": func(f map[string][]byte) []string { f["log/entries"] = foreign["log/entries"]; return order },
		"the whole log of another installation": func(f map[string][]byte) []string {
			for name, data := range foreign {
				if strings.HasPrefix(name, "log/") {
					f[name] = data
				}
			}
			return order
		},
		"the end of the log": func(f map[string][]byte) []string {
			f["log/entries"] = f["log/entries"][:len(f["log/entries"])/2]
			return order
		},
		"a file more": func(f map[string][]byte) []string {
			f["pages/extra.html"] = []byte("x")
			return append(order[:len(order):len(order)], "pages/extra.html")
		},
		"a file less": func(f map[string][]byte) []string {
			var less []string
			for _, name := range order {
				if name != "pages/soa.html" {
					less = append(less, name)
				}
			}
			return less
		},
		"a name twice": func(f map[string][]byte) []string { return append(order[:len(order):len(order)], "registers.json") },
		"a path that leads out": func(f map[string][]byte) []string {
			f["../out"] = []byte("x")
			return append(order[:len(order):len(order)], "../out")
		},
	} {
		files := unpack(t, name)
		r, err := verify(t, remade(t, files, forge(files)), i.trust())
		if good := err == nil && r.Verified(); good != (what == "nothing") {
			t.Errorf("%s forged: verified %v (%v)\n%s", what, good, err, text(r))
		}
	}
}

func TestAPackOfAnotherKeyDoesNotVerify(t *testing.T) {
	i, other := built(t, "log.example/test"), built(t, "log.example/test")
	r, err := verify(t, i.pack("2026-10-01", "2026-11-30"), other.trust())
	i.ok(err)
	if r.Verified() {
		t.Error("a pack of a key that is not trusted verifies")
	}
}

// What retention took away is said, and is no pass.
func TestErasedEvidenceIsSaid(t *testing.T) {
	i := built(t, "log.example/test")
	regs, err := i.regs.Entries(t.Context(), 0, i.log.Size())
	i.ok(err)
	_, err = i.log.Erase(t.Context(), ledger.Erasure{Erasure: receipt.Erasure{From: regs[0], To: regs[0] + 6, Names: []string{receipt.InputPayload}, Rule: "retention.payloads 30d"}, Actor: aims.System})
	i.ok(err)
	i.ok(i.log.Sign(t.Context()))
	name := i.pack("2026-10-01", "2026-11-30")
	r, err := verify(t, name, i.trust())
	i.ok(err)
	if !r.Verified() {
		t.Error(text(r))
	}
	said := text(r)
	for _, want := range []string{`retention.payloads 30d`, "cannot be rebuilt: their content was erased"} {
		if !strings.Contains(said, want) {
			t.Errorf("the report does not say %q:\n%s", want, said)
		}
	}
}

func TestPeriodsThatAreNone(t *testing.T) {
	i := built(t, "log.example/test")
	src, err := ledger.NewSource(t.Context(), i.db, nil)
	i.ok(err)
	for _, r := range []pack.Request{
		{From: date(t, "2026-11-30"), Until: date(t, "2026-11-01")},
		{},
		{From: date(t, "2026-10-01"), Until: date(t, "2026-11-01"), For: "stage3"},
		{From: date(t, "2020-10-01"), Until: date(t, "2020-11-01")},
		{From: date(t, "2027-01-01"), Until: date(t, "2028-01-01")},
	} {
		if _, err := pack.Write(t.Context(), io.Discard, src, r, t.TempDir(), nil); err == nil {
			t.Errorf("a pack of %v was written", r)
		}
	}
}

func FuzzOpen(f *testing.F) {
	i := built(f, "log.example/test")
	f.Add(read(f, i.pack("2026-11-01", "2026-11-30")))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	trust := i.trust()
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "p.zip")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := pack.Open(name)
		if err != nil {
			return
		}
		defer p.Close()
		_, _ = p.Verify(t.Context(), receipt.Options{Trust: trust}, nil) // it ends, whatever it says
	})
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(t testing.TB, name string) (list []string) {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		list = append(list, f.Name)
	}
	return list
}

func unpack(t testing.TB, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = b
	}
	return files
}
