package record

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"aims/internal/strict"
)

func TestEveryProblemHasItsPlace(t *testing.T) {
	for want, text := range map[string]string{
		`x.yaml:1: riscs: no kind of record has this key; did you mean risks?`:                                                   "riscs: []\n",
		`x.yaml:4: risk/r1: decision: "treet" is not known here; did you mean treat?; expected one of treat, accept`:             "risks:\n- id: r1\n  title: T\n  decision: treet\n",
		`x.yaml:2: risk/r1: title: is missing: title`:                                                                            "risks:\n- id: r1\n",
		`x.yaml:4: risk/r1: assessed: "2026-02-30" is no day; expected a form like 2026-11-23`:                                   "risks:\n- id: r1\n  title: T\n  assessed: 2026-02-30\n",
		`x.yaml:2: risk/R 1: id: "R 1" is no id; expected 1 to 64 of`:                                                            "risks:\n- id: R 1\n  title: T\n",
		`x.yaml:4: risk/r1: id: this id stands in x.yaml:2 already`:                                                              "risks:\n- id: r1\n  title: T\n- id: r1\n  title: U\n",
		`x.yaml:3: risks[0].likelihood: expected a whole number, found "high"`:                                                   "risks:\n- {id: r1, title: T,\n   likelihood: high}\n",
		`x.yaml:2: applicability/A.6.2.9: id: "A.6.2.9" is no requirement of ISO/IEC 42001:2023: the 70 ids are closed`:          "applicability:\n- id: A.6.2.9\n",
		`x.yaml:2: applicability/6.1.3: id: 6.1.3 is a clause; expected a control`:                                               "applicability:\n- id: 6.1.3\n",
		`x.yaml:3: organisation/b: there is one organisation, and it stands in x.yaml:2 already`:                                 "organisation:\n- {id: a, name: A}\n- {id: b, name: B}\n",
		`x.yaml:2: change/c: attachments[0].digest: the file "gone.pdf" is not beside the record`:                                "changes:\n- {id: c, title: T, attachments: [{file: gone.pdf}]}\n",
		`x.yaml:2: attachments[0].digest: the file "here.txt" has the digest sha256:2c26b46b68ffc68ff99b453c1d30413413422d70648`: "changes:\n- {id: c, title: T, attachments: [{file: here.txt, digest: \"sha256:" + strings.Repeat("0", 64) + "\"}]}\n",
		`x.yaml:2: change/c: attachments[0].digest: the file "../../etc/passwd" is not beside`:                                   "changes:\n- {id: c, title: T, attachments: [{file: ../../etc/passwd}]}\n",
		`x.yaml:2: audit_programme/p: until: 2025-01-01 lies before 2026-01-01, where it begins`:                                 "audit_programmes:\n- {id: p, from: 2026-01-01, until: 2025-01-01}\n",
		`x.yaml:1: YAML anchors and aliases are not used here`:                                                                   "risks: &a []\n",
		`x.yaml:2: obligation/o: duties[1].id: "d" stands in this list already`:                                                  "obligations:\n- {id: o, title: T, source: law, duties: [{id: d, text: x}, {id: d, text: y}]}\n",
		`x.yaml:2: change/c: attachments[0].file: "/etc/passwd" is not the name of a file relative`:                              "changes:\n- {id: c, title: T, attachments: [{file: /etc/passwd}]}\n",
	} {
		_, err := ReadDir(fstest.MapFS{"x.yaml": {Data: []byte(text)}, "here.txt": {Data: []byte("foo")}})
		list, ok := errors.AsType[*strict.Error](err)
		if !ok || !slices.ContainsFunc(list.Problems, func(p strict.Problem) bool { return strings.HasPrefix(p.String(), want) }) {
			t.Errorf("%s\nis read as %v\nwant %s", text, err, want)
		}
	}
}

func TestDocuments(t *testing.T) {
	const front = "---\nid: policy\ntitle: AI policy\ntype: ai-policy\nversion: 1.0\n"
	got, err := ReadDir(fstest.MapFS{
		"docs/p.md": {Data: []byte("\uFEFF" + strings.ReplaceAll(front+"---\n\n# Policy\n\n---\nend  \n\n", "\n", "\r\n"))},
		"README.md": {Data: []byte("# Not a record\n")}, ".git/x.yaml": {Data: []byte("nonsense: 1\n")}, "notes.txt": {Data: []byte("x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Documents) != 1 || got.Documents[0].Body != "# Policy\n\n---\nend" || got.Documents[0].Version != "1.0" {
		t.Errorf("%+v", got.Documents)
	}
	for want, text := range map[string]string{
		"d.md:1: the front matter has no end":    front,
		"d.md:1: the front matter is empty":      "---\n\n---\ntext\n",
		"d.md:4: document/x: type: \"polcy\" is": "---\nid: x\ntitle: T\ntype: polcy\nversion: 1\n---\n",
		"d.md:3: unknown key \"titel\"":          "---\nid: x\ntitel: T\n---\n",
	} {
		if _, err := ReadDir(fstest.MapFS{"d.md": {Data: []byte(text)}}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q is read as %v", text, err)
		}
	}
}

func TestAttachmentsAreKnownByTheirDigest(t *testing.T) {
	files := fstest.MapFS{
		"a/x.yaml":    {Data: []byte("changes:\n- {id: c, title: T, attachments: [{file: proof.txt, received: 2026-01-02}]}\n")},
		"a/proof.txt": {Data: []byte("foo")},
	}
	got, err := ReadDir(files)
	if err != nil || got.Changes[0].Attachments[0].Digest != "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" {
		t.Errorf("%+v %v", got.Changes, err)
	}
}

func TestCheckFindsWhatLeadsNowhere(t *testing.T) {
	const text = `people:
- {id: ann, name: Ann}
risk_criteria:
- {id: c, process: P, likelihood: [{level: 1, text: a}, {level: 2, text: b}], severity: [{level: 1, text: a}, {level: 3, text: b}], accept_up_to: 9, assess_every_days: 1}
risks:
- {id: r1, title: T, owner: anne, likelihood: 3, assessed: 2027-01-01, controls: ["6.1.3"]}
treatments:
- {id: t, risks: [r2], text: T, residual_severity: 5}
interested_parties:
- {id: p, name: N, type: customer, requirements: [{id: q, text: T, through: [risk/r1, risc/r1, r1, risk/r9]}]}
audits:
- {id: a, title: T, requirements: [A.6, A.11, 9.2.1], scope: S, from: 2026-01-01, until: 2026-02-01, lead: bob}
documents:
- {id: d, title: T, type: policy, version: 1, items: [A.99]}
criteria:
- {id: o, requirement: "5.1", text: T, each: riks, holds: "true"}
`
	r, err := ReadDir(fstest.MapFS{"x.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Check("2026-11-23") {
		got = append(got, p.String())
	}
	want := []string{
		`x.yaml:4: risk_criteria/c: severity[1].level: is 3; expected 2`,
		`x.yaml:4: risk_criteria/c: accept_up_to: level 9 is beyond the scale`,
		`x.yaml:6: risk/r1: owner: there is no person "anne"; did you mean ann?; expected the id of a person`,
		`x.yaml:6: risk/r1: assessed: 2027-01-01 lies after 2026-11-23`,
		`x.yaml:6: risk/r1: controls[0]: 6.1.3 is a clause`,
		`x.yaml:6: risk/r1: likelihood: level 3 is beyond the scale`,
		`x.yaml:8: treatment/t: risks[0]: there is no risk "r2"; did you mean r1?`,
		`x.yaml:8: treatment/t: residual_severity: level 5 is beyond`,
		`x.yaml:10: party/p: requirements[0].through[1]: "risc" is no kind of record; did you mean risk?`,
		`x.yaml:10: party/p: requirements[0].through[2]: "r1" is no reference; expected kind/id`,
		`x.yaml:10: party/p: requirements[0].through[3]: there is no risk "r9"`,
		`x.yaml:12: audit/a: requirements[1]: "A.11" is no requirement`,
		`x.yaml:12: audit/a: lead: there is no person "bob"`,
		`x.yaml:14: document/d: items[0]: "A.99" is no requirement`,
		`x.yaml:16: own_criterion/o: each: "riks" is no kind of record`,
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, w) }) {
			t.Errorf("nothing says %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

func TestCheckSeesWhatNoFileHolds(t *testing.T) {
	r := Registers{
		Risks:        []Risk{{Base: Base{ID: "a"}, Title: "T\x00"}, {Base: Base{ID: "a"}, Title: "T"}},
		Organisation: []Organisation{{Base: Base{ID: "x"}, Name: "N"}, {Base: Base{ID: "y"}, Name: "N"}},
	}
	var got []string
	for _, p := range r.Check("") {
		got = append(got, p.String())
	}
	for _, want := range []string{"risk/a: id: this id stands twice", "risk/a: title: holds a character that is not text", "organisation/y: there is one organisation"} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("nothing says %s in %q", want, got)
		}
	}
}

// FuzzReadDir: whatever is accepted can be written and is read back the same.
func FuzzReadDir(f *testing.F) {
	f.Add("risks:\n- {id: r1, title: T}\n", "---\nid: d\ntitle: T\ntype: plan\nversion: 1\n---\n\ntext\n")
	f.Add("organisation:\n  name: >\n    folded\n  climate_relevant: false\n", "---\n---\n")
	f.Add("objectives:\n- {id: o, text: \"\\u0085 \\t x\", area: management, at_least: -0.0}\n", "---\r\nid: d\r\n---")
	f.Add("a: &a [*a]\n", "")
	f.Fuzz(func(t *testing.T, yaml, document string) {
		for _, dir := range []fstest.MapFS{{"x.yaml": {Data: []byte(yaml)}}, {"d.md": {Data: []byte(document)}}} {
			got, err := ReadDir(dir)
			if err != nil {
				continue
			}
			files := Write(got)
			again, err := ReadDir(asDir(files))
			if err != nil {
				t.Fatalf("accepted, and not when written: %v\n%s", err, files)
			}
			if !again.Equal(got) {
				t.Fatalf("read back differently: %s", files)
			}
			got.Check("2026-01-01")
		}
	})
}
