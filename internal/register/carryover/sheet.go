// Package carryover turns what an organisation with ISO/IEC 27001 has, its
// statement of applicability and its list of documents, into records. What
// carries over is a proposal with its origin, never a decision.
package carryover

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path"
	"strings"

	"github.com/xuri/excelize/v2"

	"aims/internal/strict"
)

// Sheet is a table with headings.
type Sheet struct {
	file    string
	heading int // row of the headings, from 1
	rows    [][]string
	columns map[string]int // by our name
}

// maxRows and maxSize bound what is read of a hostile file; maxSize is of the
// file unpacked, in bytes.
const (
	maxRows = 20_000
	maxSize = 64 << 20
)

// Read reads a table from the first sheet of an XLSX file or from CSV, by the
// ending of its name. CSV may be separated by commas, semicolons or tabs.
func Read(file string, text []byte) (*Sheet, error) {
	s := &Sheet{file: file}
	var err error
	switch ending := strings.ToLower(path.Ext(file)); ending {
	case ".xlsx":
		s.rows, err = readXLSX(text)
	case ".csv", ".tsv":
		s.rows, err = readCSV(text)
	default:
		return nil, fmt.Errorf("%s: expected a file that ends in .xlsx or .csv", file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(s.rows) > maxRows {
		return nil, fmt.Errorf("%s: more than %d rows", file, maxRows)
	}
	return s, nil
}

func readXLSX(text []byte) (rows [][]string, err error) {
	f, err := excelize.OpenReader(bytes.NewReader(text), excelize.Options{UnzipSizeLimit: maxSize, UnzipXMLSizeLimit: maxSize, ShortDatePattern: "yyyy-mm-dd"})
	if err != nil {
		return nil, fmt.Errorf("expected an XLSX workbook: %w", err)
	}
	defer f.Close()
	names := f.GetSheetList()
	if len(names) == 0 {
		return nil, fmt.Errorf("the workbook has no sheet")
	}
	return f.GetRows(names[0])
}

func readCSV(text []byte) ([][]string, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	first, _, _ := bytes.Cut(text, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(text))
	for _, comma := range []byte(";\t") {
		if bytes.Count(first, []byte{comma}) > bytes.Count(first, []byte{byte(r.Comma)}) {
			r.Comma = rune(comma)
		}
	}
	r.FieldsPerRecord = -1
	return r.ReadAll()
}

// column is one that is looked for, with the headings under which it is known.
type column struct {
	name  string
	words []string
	need  bool
}

// headings finds the row of headings among the first rows: the one in which the
// needed columns stand, in any order.
func (s *Sheet) headings(want []column) error {
	const search = 20
	for i, row := range s.rows[:min(search, len(s.rows))] {
		found := map[string]int{}
		for at, cell := range row {
			for _, c := range want {
				if _, taken := found[c.name]; !taken && c.is(cell) {
					found[c.name] = at
					break
				}
			}
		}
		missing := false
		for _, c := range want {
			_, ok := found[c.name]
			missing = missing || c.need && !ok
		}
		if !missing {
			s.heading, s.columns = i+1, found
			return nil
		}
	}
	var needed []string
	for _, c := range want {
		text := c.name + " (" + strings.Join(c.words, ", ") + ")"
		if !c.need {
			text += " if there is one"
		}
		needed = append(needed, text)
	}
	return &strict.Error{Problems: []strict.Problem{{File: s.file, Line: 1, Text: "no row of headings in the first 20; expected the columns " + strings.Join(needed, "; ")}}}
}

func (c column) is(cell string) bool {
	cell = strings.ToLower(strings.TrimSpace(cell))
	for _, w := range c.words {
		if cell == w {
			return true
		}
	}
	return false
}

// cell is the text of a column in a row; "" where the sheet has none.
func (s *Sheet) cell(row []string, name string) string {
	at, ok := s.columns[name]
	if !ok || at >= len(row) {
		return ""
	}
	return strings.TrimSpace(row[at])
}

// place names a cell as a spreadsheet does.
func (s *Sheet) place(row int, name string) string {
	at, err := excelize.CoordinatesToCellName(s.columns[name]+1, row)
	if err != nil {
		return fmt.Sprintf("%s row %d", s.file, row)
	}
	return s.file + " " + at
}
