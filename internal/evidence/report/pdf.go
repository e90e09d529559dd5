package report

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
)

// Measures of a page, in millimetres: A4, landscape.
const (
	pageWidth, pageHeight = 297.0, 210.0
	margin                = 15.0
	bottom                = pageHeight - 17 // where tables end
	width                 = pageWidth - 2*margin
	face                  = "DejaVu"
	normalSize            = 7.5
	lineHeight            = 3.5
	gap                   = 2.0 // between columns, and above and below a row's text
	paragraphSize         = 8.5
	paragraphWidth        = 230.0
	paragraphLine         = 4.2
	paragraphGap          = 0.8
)

// sheet is a document on its way to pages.
type sheet struct {
	*fpdf.Fpdf
	doc   document
	has   glyphs
	pages int // in all; 0 while that is not known
}

// pdf is the document on pages. It is laid out twice: the first time counts the
// pages.
func (d document) pdf() ([]byte, error) {
	text, err := unpack(regular)
	if err != nil {
		return nil, err
	}
	heavy, err := unpack(bold)
	if err != nil {
		return nil, err
	}
	has, err := readGlyphs(text)
	if err != nil {
		return nil, err
	}
	s := newSheet(d, has, text, heavy, 0)
	s.layOut()
	if s = newSheet(d, has, text, heavy, s.PageCount()); s.Err() {
		return nil, s.Error()
	}
	s.layOut()
	var out bytes.Buffer
	err = s.Output(&out)
	return out.Bytes(), err
}

func newSheet(d document, has glyphs, text, heavy []byte, pages int) *sheet {
	s := &sheet{Fpdf: fpdf.New("L", "mm", "A4", ""), doc: d, has: has, pages: pages}
	s.SetCatalogSort(true)
	s.SetCreationDate(d.head.AsOf.UTC())
	s.SetModificationDate(d.head.AsOf.UTC())
	s.SetProducer("aims", true)
	s.SetTitle(d.title, true)
	s.SetAuthor(d.head.Organisation, true)
	s.SetLang("en")
	s.AddUTF8FontFromBytes(face, "", bytes.Clone(text))
	s.AddUTF8FontFromBytes(face, "B", bytes.Clone(heavy))
	s.SetMargins(margin, margin, margin)
	s.SetCellMargin(0)
	s.SetAutoPageBreak(false, 0)
	s.SetFooterFunc(s.footer)
	return s
}

func (s *sheet) footer() {
	s.SetFont(face, "", 7)
	s.SetTextColor(90, 90, 90)
	y := pageHeight - 9
	h := s.doc.head
	left := s.fitting(fmt.Sprintf("%s · %s · log %s, %d entries, as of %s", dash(h.Organisation), s.doc.title, h.Origin, h.Size, instant(h.AsOf)), width-30)
	s.Text(margin, y, left)
	number := fmt.Sprintf("page %d of %d", s.PageNo(), s.pages)
	s.Text(pageWidth-margin-s.GetStringWidth(number), y, number)
	s.SetTextColor(0, 0, 0)
}

// fitting is as much of a text as fits a width, in one line.
func (s *sheet) fitting(text string, w float64) string {
	lines := s.wrap(text, w)
	if len(lines) > 1 {
		return lines[0] + " …"
	}
	return lines[0]
}

// wrap is a text in lines of a width, one at least.
func (s *sheet) wrap(text string, w float64) (lines []string) {
	for paragraph := range strings.SplitSeq(strings.TrimRight(s.has.printable(text), "\n "), "\n") {
		line, used := "", 0.0
		end := func() {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
		}
		for word := range strings.SplitAfterSeq(paragraph, " ") {
			bare := strings.TrimRight(word, " ")
			length := s.GetStringWidth(bare)
			if line != "" && used+length > w {
				end()
			}
			for length > w && bare != "" {
				cut := s.breakAt(bare, w)
				length -= s.GetStringWidth(bare[:cut])
				line, bare, word = bare[:cut], bare[cut:], word[cut:]
				end()
			}
			line += word
			used += s.GetStringWidth(word)
		}
		end()
	}
	return lines
}

// breakAt is where a word that is longer than a line breaks: behind the last
// mark that joins names, such as a hyphen, or else where the line ends.
func (s *sheet) breakAt(word string, w float64) int {
	used, mark := 0.0, 0
	for i, r := range word {
		used += s.GetStringWidth(string(r))
		if used > w && i > 0 {
			if mark > 0 {
				return mark
			}
			return i
		}
		if strings.ContainsRune("-_/,:", r) {
			mark = i + utf8.RuneLen(r)
		}
	}
	return len(word)
}

func (s *sheet) layOut() {
	s.AddPage()
	s.titleBlock()
	for _, p := range s.doc.parts {
		if p.in != onSheet {
			s.part(p)
		}
	}
	s.reading()
}

// reading is how the report is to be read, on one page.
func (s *sheet) reading() {
	texts := append(reading(s.doc.head), s.doc.notes...)
	s.SetFont(face, "", paragraphSize)
	height := 0.0
	for _, text := range texts {
		height += float64(len(s.wrap(text, paragraphWidth)))*paragraphLine + paragraphGap
	}
	s.heading("How to read this", height)
	for _, text := range texts {
		s.paragraph("•", text)
	}
}

func (s *sheet) titleBlock() {
	s.SetFont(face, "", 11)
	s.SetTextColor(90, 90, 90)
	y := margin + 5
	for _, l := range s.wrap(dash(s.doc.head.Organisation), width) {
		s.Text(margin, y, l)
		y += 5
	}
	s.SetTextColor(0, 0, 0)
	s.SetFont(face, "B", 20)
	y += 4
	for _, l := range s.wrap(s.doc.title, width) {
		s.Text(margin, y, l)
		y += 8
	}
	s.rule(y-3.5, 0.4)
	s.SetY(y)
	for _, f := range s.doc.lines() {
		s.fact(f)
	}
}

// fact is a name and its value, wrapped beside it.
func (s *sheet) fact(f fact) {
	const indent = 42
	s.SetFont(face, "", 8.5)
	lines := s.wrap(f.value, width-indent)
	s.room(float64(len(lines)) * 4.6)
	y := s.GetY()
	s.SetTextColor(90, 90, 90)
	s.Text(margin, y+3, s.has.printable(f.name))
	s.SetTextColor(0, 0, 0)
	for _, l := range lines {
		s.Text(margin+indent, y+3, l)
		y += 4.6
	}
	s.SetY(y)
}

func (s *sheet) part(p part) {
	s.heading(p.name, 36)
	if p.text != "" {
		s.paragraph("", p.text)
		s.SetY(s.GetY() + 1)
	}
	if len(p.columns) > 0 {
		s.table(p)
	}
}

// heading is a heading that stays with what follows it.
func (s *sheet) heading(text string, with float64) {
	s.room(14 + with)
	y := s.GetY() + 9
	s.SetFont(face, "B", 12)
	s.Text(margin, y, s.fitting(text, width))
	s.SetY(y + 3)
}

func (s *sheet) paragraph(mark, text string) {
	const indent = 4.0
	s.SetFont(face, "", paragraphSize)
	lines := s.wrap(text, paragraphWidth)
	s.room(float64(min(len(lines), 3)) * paragraphLine)
	x := margin
	if mark != "" {
		s.Text(x, s.GetY()+3, mark)
		x += indent
	}
	for _, l := range lines {
		s.room(paragraphLine)
		s.Text(x, s.GetY()+3, l)
		s.SetY(s.GetY() + paragraphLine)
	}
	s.SetY(s.GetY() + paragraphGap)
}

// room begins a page when a height does not fit this one.
func (s *sheet) room(height float64) (broke bool) {
	if s.GetY()+height <= bottom {
		return false
	}
	s.AddPage()
	s.SetY(margin)
	return true
}

func (s *sheet) rule(y, thick float64) {
	s.SetLineWidth(thick)
	s.SetDrawColor(130, 130, 130)
	s.Line(margin, y, pageWidth-margin, y)
}
