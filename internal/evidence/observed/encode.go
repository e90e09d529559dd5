package observed

import (
	"bytes"
	"encoding/json"
	"errors"
)

// form is the first line of kept facts. It changes with what is folded, so that
// facts of another version are folded anew instead of being misread.
const form = "aims-observed/5\n"

// ErrForm says that kept facts are of another version.
var ErrForm = errors.New("observed: the facts were kept by another version")

// MarshalBinary is the facts to be kept.
func (f *Facts) MarshalBinary() ([]byte, error) {
	body, err := json.Marshal(f)
	return append([]byte(form), body...), err
}

// UnmarshalBinary reads facts that were kept. ErrForm when another version kept
// them.
func (f *Facts) UnmarshalBinary(b []byte) error {
	body, ok := bytes.CutPrefix(b, []byte(form))
	if !ok {
		return ErrForm
	}
	read := New()
	if err := json.Unmarshal(body, read); err != nil {
		return err
	}
	*f = *read
	return nil
}
