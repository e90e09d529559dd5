package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"aims/internal/register/record"
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
	doc                                    document
	head, body, label, number, day, moment int // styles
}

// xlsx is the document as a workbook, each table on a sheet of its own.
func (d document) xlsx() ([]byte, error) {
	b := &book{File: excelize.NewFile(), doc: d}
	defer b.Close()
	if err := b.styles(); err != nil {
		return nil, err
	}
	for _, p := range d.parts {
		if p.in == onPaper || len(p.columns) == 0 {
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
	if b.body, err = b.NewStyle(&excelize.Style{Alignment: wrapped, Border: line, NumFmt: asText}); err != nil {
		return err
	}
	if b.number, err = b.NewStyle(&excelize.Style{Alignment: wrapped, Border: line}); err != nil {
		return err
	}
	dayFormat, momentFormat := "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"
	if b.day, err = b.NewStyle(&excelize.Style{Alignment: wrapped, Border: line, CustomNumFmt: &dayFormat}); err != nil {
		return err
	}
	b.moment, err = b.NewStyle(&excelize.Style{Alignment: wrapped, Border: line, CustomNumFmt: &momentFormat})
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
		if err := b.choices(p, name, p.choices[c.name]); err != nil {
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
	if at == 1 {
		at++
		if err := b.put(p.name, 1, at, p.none(), b.body); err != nil {
			return err
		}
	}
	return b.view(p, at)
}

// choices lets people choose what they enter into a column.
func (b *book) choices(p part, column string, list []string) error {
	if len(list) == 0 || len(p.rows) == 0 {
		return nil
	}
	v := excelize.NewDataValidation(true)
	v.Sqref = fmt.Sprintf("%s2:%s%d", column, column, len(p.rows)+1)
	if err := v.SetDropList(list); err != nil {
		return err
	}
	return b.AddDataValidation(p.name, v)
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
	if err := b.printed(p.name); err != nil {
		return err
	}
	fit := true
	if err := b.SetSheetProps(p.name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	return b.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + p.name + "'!$1:$1", Scope: p.name})
}

// printed says on each page of a sheet on paper where it is from.
func (b *book) printed(sheet string) error {
	h := b.doc.head
	text := strings.NewReplacer("&", "&&", "\n", " ").Replace(fmt.Sprintf("%s · log %s, %d entries", sheet, h.Origin, h.Size))
	if most := 120; utf8.RuneCountInString(text) > most { // of 255 that the format has
		text = string([]rune(text)[:most])
	}
	return b.SetHeaderFooter(sheet, &excelize.HeaderFooterOptions{OddFooter: "&L" + text + "&Rpage &P of &N"})
}

// serial is a time as workbooks count: days since the end of 1899. There are
// none before 1900-03-01 on which all programs agree.
func serial(t time.Time) (float64, bool) {
	days := float64(t.UnixMilli())/float64((24*time.Hour).Milliseconds()) + 25569
	return days, days >= 61
}

// put writes a value: numbers as numbers, days and moments as dates, anything
// else as text, whatever it begins with.
func (b *book) put(sheet string, column, row int, v any, style int) error {
	cell, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		return err
	}
	v, style = b.typed(v, style)
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

// typed is a value as a workbook has it, with its style; text keeps the one given.
func (b *book) typed(v any, style int) (any, int) {
	switch v := v.(type) {
	case int, float64:
		return v, b.number
	case record.Date:
		if t, err := time.Parse(time.DateOnly, string(v)); err == nil {
			if days, ok := serial(t); ok {
				return days, b.day
			}
		}
	case time.Time:
		if v.IsZero() {
			return "", style
		}
		if days, ok := serial(v); ok {
			return days, b.moment
		}
		return instant(v), style
	}
	return v, style
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
	for i, text := range append(reading(b.doc.head), b.doc.notes...) {
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
