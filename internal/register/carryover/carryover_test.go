package carryover

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/xuri/excelize/v2"

	"aims/internal/register/record"
)

const statement = "Statement of applicability;;;\nJustification;Applicable;Control;Comment\nneeded;Yes;A.5.34;notices\nwe have no office;no;7.4;\n;;8.28;\n"

func read(t *testing.T, name, text string) *Sheet {
	t.Helper()
	s, err := Read(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func workbook(t *testing.T, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetSheetRow("Sheet1", cell, &row); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestProposalsNeverDecide(t *testing.T) {
	got, err := ISO27001(read(t, "soa.csv", statement), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Registers.Applicability) == 0 || got.Report.Proposals != len(got.Registers.Applicability) {
		t.Fatalf("%+v", got.Report)
	}
	for _, a := range got.Registers.Applicability {
		if a.Applicable != nil || a.Justification != "" || a.Implementation != "" || a.Origin != Origin {
			t.Errorf("%s is decided, or does not say where it is from: %+v", a.ID, a)
		}
	}
	rec, ok := got.Registers.Get("applicability", "A.7.2")
	if !ok || !strings.HasPrefix(rec.(record.Applicability).Note, "ISO/IEC 27001:2022 A.5.34: applicable; justification: needed; how: notices (near it: ") {
		t.Errorf("%+v", rec)
	}
	if len(got.Report.Left) == 0 || got.Report.Left[0] != (Left{"soa.csv C4", "A.7.4 has no counterpart in ISO/IEC 42001"}) {
		t.Errorf("%+v", got.Report.Left)
	}
	if problems := got.Registers.Check("2026-11-23"); len(problems) != 0 {
		t.Error(problems)
	}
}

func TestDocumentsFromXLSX(t *testing.T) {
	s, err := Read("docs.xlsx", workbook(t, []any{"Owner", "Version", "Title", "Document ID", "Type", "Last review"},
		[]any{"Ann", 1.5, "Information security policy", "ISMS 01", "Policy", "2026-02-03"}, []any{"", "", "Backup", "", "Handbook", ""}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ISO27001(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	want := record.Registers{Documents: []record.Document{
		{Base: record.Base{ID: "isms-01", Origin: Origin, Note: "Owner in the list of documents: Ann"}, Title: "Information security policy", Type: "policy", Version: "1.5", Reviewed: "2026-02-03"},
		{Base: record.Base{ID: "backup", Origin: Origin}, Title: "Backup", Type: "other", Version: "unknown"},
	}}
	if !got.Registers.Equal(want) {
		t.Errorf("%+v", got.Registers.Documents)
	}
}

func TestWhatIsWrongIsSaidWithItsCell(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"an invented control":       {"soa.csv", "Control,Applicable\nA.5.1,yes\nA.5.38,yes\n", `soa.csv:3: A3: "A.5.38" is no control of ISO/IEC 27001:2022; expected A.5.1 to A.5.37`},
		"a control of another text": {"soa.csv", "Control,Applicable\nA.18.1.1,yes\n", `"A.18.1.1" is no control`},
		"a control twice":           {"soa.csv", "Control,Applicable\nA.5.1,yes\n5.1,no\n", "soa.csv:3: A3: A.5.1 stands in row 2 already"},
		"neither yes nor no":        {"soa.csv", "Control,Applicable\nA.5.1,perhaps\n", `soa.csv:2: B2: "perhaps" says neither yes nor no`},
		"no headings":               {"soa.csv", "A.5.1,yes\n", "soa.csv:1: no row of headings in the first 20; expected the columns control (control, control id,"},
		"an empty file":             {"soa.csv", "", "no row of headings"},
	} {
		_, err := ISO27001(read(t, c.file, c.text), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"Title,Reviewed\nA,03/02/26\n": `docs.csv:2: B2: "03/02/26" is no day`,
		"Title\nA\na\n":                "docs.csv:3: A3: the document a stands in an earlier row already",
		"Name of it\nA\n":              "expected the columns title (title, document,",
	} {
		if _, err := ISO27001(nil, read(t, "docs.csv", text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for name, text := range map[string]string{"a.pdf": "x", "a.xlsx": "no workbook", "a.csv": "\"open"} {
		if _, err := Read(name, []byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// FuzzCSV: what is carried over can be written and is read back the same.
func FuzzCSV(f *testing.F) {
	f.Add(statement, "Title,ID\nPolicy,1\n")
	f.Add("Control\tApplicable\n8.1\tY\n", "\uFEFFTitle;Version\n\"a\nb\x00\";\xff\n")
	f.Fuzz(func(t *testing.T, soa, documents string) {
		a, errA := Read("soa.csv", []byte(soa))
		b, errB := Read("docs.csv", []byte(documents))
		if errA != nil || errB != nil {
			return
		}
		for _, pair := range [][2]*Sheet{{a, nil}, {nil, b}} {
			got, err := ISO27001(pair[0], pair[1])
			if err != nil {
				continue
			}
			files := fstest.MapFS{}
			for name, text := range record.Write(got.Registers) {
				files[name] = &fstest.MapFile{Data: text}
			}
			again, err := record.ReadDir(files)
			if err != nil {
				t.Fatalf("%v in %v", err, files)
			}
			if !again.Equal(got.Registers) {
				t.Fatal("read back differently")
			}
		}
	})
}
