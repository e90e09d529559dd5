package report

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// mostInCell is how much text a cell of a workbook holds, in UTF-16 units; one
// longer is cut, and says so.
const mostInCell = 32_000

// asText is the number format of text: what is typed over such a cell stays text
// as well, so that what begins with = is never a formula.
const asText = 49

// book is a document on its way to a workbook.
type book struct {
	*excelize.File
	doc               document
	head, body, label int // styles
}

// xlsx is the document as a workbook, each table on a sheet of its own.
func (d document) xlsx() ([]byte, error) {
	b := &book{File: excelize.NewFile(), doc: d}
	defer b.Close()
	if err := b.styles(); err != nil {
		return nil, err
	}
	for _, p := range d.parts {
		if p.in == onPaper {
			continue
		}
		if err := b.part(p); err != nil {
			return nil, fmt.Errorf("sheet %s: %w", p.name, err)
		}
	}
	if err := b.about(); err != nil {
		return nil, err
	}
	if err := b.DeleteSheet("Sheet1"); err != nil {
		return nil, err
	}
	b.SetActiveSheet(0)
	at := d.head.AsOf.UTC().Format(time.RFC3339)
	if err := b.SetDocProps(&excelize.DocProperties{Title: d.title, Creator: "aims", LastModifiedBy: "aims", Created: at, Modified: at, Language: "en"}); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err := b.Write(&out)
	return out.Bytes(), err
}

func (b *book) styles() (err error) {
	wrapped := &excelize.Alignment{WrapText: true, Vertical: "top"}
	line := []excelize.Border{{Type: "bottom", Color: "C8CCD0", Style: 1}}
	grey := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E8EAED"}}
	if b.head, err = b.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: grey, Alignment: wrapped, Border: line, NumFmt: asText}); err != nil {
		return err
	}
	if b.label, err = b.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Alignment: wrapped, NumFmt: asText}); err != nil {
		return err
	}
	b.body, err = b.NewStyle(&excelize.Style{Alignment: wrapped, Border: line, NumFmt: asText})
	return err
}

// part writes a table: its heading stays in view, and every column can be filtered.
func (b *book) part(p part) error {
	if _, err := b.NewSheet(p.name); err != nil {
		return err
	}
	for i, c := range p.columns {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := b.SetColWidth(p.name, name, name, c.width); err != nil {
			return err
		}
		if err := b.put(p.name, i+1, 1, c.name, b.head); err != nil {
			return err
		}
	}
	at := 1
	for _, r := range p.rows {
		if r.section != "" {
			continue
		}
		at++
		for i, v := range r.cells {
			if err := b.put(p.name, i+1, at, v, b.body); err != nil {
				return err
			}
		}
	}
	return b.view(p, at)
}

func (b *book) view(p part, last int) error {
	corner, err := excelize.CoordinatesToCellName(len(p.columns), last)
	if err != nil {
		return err
	}
	if err := b.AutoFilter(p.name, "A1:"+corner, nil); err != nil {
		return err
	}
	if err := b.SetPanes(p.name, &excelize.Panes{Freeze: true, XSplit: 1, YSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"}); err != nil {
		return err
	}
	landscape, paper, one, any := "landscape", 9, 1, 0
	if err := b.SetPageLayout(p.name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &paper, FitToWidth: &one, FitToHeight: &any}); err != nil {
		return err
	}
	fit := true
	if err := b.SetSheetProps(p.name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	return b.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + p.name + "'!$1:$1", Scope: p.name})
}

// put writes a value: numbers as numbers, anything else as text, whatever it
// begins with.
func (b *book) put(sheet string, column, row int, v any, style int) error {
	cell, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		return err
	}
	if err := b.SetCellStyle(sheet, cell, cell, style); err != nil {
		return err
	}
	switch v := v.(type) {
	case int:
		return b.SetCellInt(sheet, cell, int64(v))
	case float64:
		return b.SetCellFloat(sheet, cell, v, -1, 64)
	default:
		return b.SetCellStr(sheet, cell, cut(fmt.Sprint(v)))
	}
}

func cut(text string) string {
	if len(text) <= mostInCell {
		return text
	}
	end := mostInCell
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + " … (cut here; the record has all of it)"
}

// about says where the workbook comes from and how it is read.
func (b *book) about() error {
	const name = "About"
	if _, err := b.NewSheet(name); err != nil {
		return err
	}
	facts := append([]fact{{"Report", b.doc.title}, {"Organisation", dash(b.doc.head.Organisation)}}, b.doc.lines()...)
	for i, text := range reading(b.doc.head) {
		label := ""
		if i == 0 {
			label = "How to read this"
		}
		facts = append(facts, fact{label, text})
	}
	if err := b.SetColWidth(name, "A", "A", 20); err != nil {
		return err
	}
	if err := b.SetColWidth(name, "B", "B", 110); err != nil {
		return err
	}
	for i, f := range facts {
		if err := b.put(name, 1, i+1, f.name, b.label); err != nil {
			return err
		}
		if err := b.put(name, 2, i+1, f.value, b.body); err != nil {
			return err
		}
	}
	return nil
}
