package strict

import "strings"

// Nearest is the known word that was probably meant, "" where none is near: at
// most a third of the letters differ, or one is the beginning of the other.
func Nearest(word string, known []string) string {
	const longest = 80
	if word == "" || len(word) > longest {
		return ""
	}
	best, least := "", len(word)/3+1
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if len(word) >= 3 && len(k) >= 3 && (strings.HasPrefix(k, word) || strings.HasPrefix(word, k)) {
			d = min(d, 1)
		}
		if d < least || d == least && best == "" {
			best, least = k, d
		}
	}
	return best
}

// Suggest ends a sentence on an unknown word with the one that was probably
// meant; "" where none is near.
func Suggest(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// distance counts the letters to insert, drop or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
