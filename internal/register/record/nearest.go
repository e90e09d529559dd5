package record

import "aims/internal/strict"

// suggest ends a sentence on an unknown word with the one that was probably
// meant; "" where none is near.
func suggest(word string, known []string) string {
	if near := strict.Nearest(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}
