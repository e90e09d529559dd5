package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Encode is the bytes of a body: a Decision, an Outcome or an Event. One body
// has one form: the fields in the order of the struct, none that is empty, no
// white space, the escapes of encoding/json. No later step re-serialises them.
// A body that a verifier would refuse is an error here, so that it never
// enters a log.
func Encode(body any) ([]byte, error) {
	var err error
	switch b := body.(type) {
	case Decision:
		err = b.check()
	case *Decision:
		err = b.check()
	case Outcome:
		err = b.check()
	case *Outcome:
		err = b.check()
	case Event:
		err = b.check()
	case *Event:
		err = b.check()
	default:
		err = fmt.Errorf("a %T is no body", body)
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return encoded, nil
}

// DecodeDecision reads the body of a DecisionKind or RefusalKind leaf. It
// accepts exactly what Encode makes, and only a verdict that fits the kind.
func DecodeDecision(kind Kind, body []byte) (*Decision, error) {
	var d Decision
	if err := decode(body, &d); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	if d.kind() != kind {
		return nil, fmt.Errorf("receipt: verdict %q in a %s", d.Verdict, kind)
	}
	return &d, nil
}

// DecodeOutcome reads the body of an OutcomeKind leaf. It accepts exactly what
// Encode makes.
func DecodeOutcome(body []byte) (*Outcome, error) {
	var o Outcome
	if err := decode(body, &o); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return &o, nil
}

// DecodeEvent reads the body of an EventKind leaf. It accepts exactly what
// Encode makes.
func DecodeEvent(body []byte) (*Event, error) {
	var e Event
	if err := decode(body, &e); err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return &e, nil
}

// decode reads a body and compares it with what its content encodes to. That
// refuses in one step whatever could make two readers see two things in the
// same bytes: unknown and duplicate fields, other spellings of a field's name,
// trailing data, invalid UTF-8, another order.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("receipt: body: %w", err)
	}
	again, err := json.Marshal(into)
	if err != nil {
		return fmt.Errorf("receipt: body: %w", err)
	}
	if bytes.Equal(again, body) {
		return nil
	}
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(into); err != nil { // says which field
		return fmt.Errorf("receipt: body: %w", err)
	}
	at := 0
	for at < len(again) && at < len(body) && again[at] == body[at] {
		at++
	}
	return fmt.Errorf("receipt: body: not in the form that Encode writes, from byte %d", at)
}

// uniqueKeys checks that b is one JSON object in which no object has a key
// twice. Everything else about its form is checked by comparison.
func uniqueKeys(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return errors.New("not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	type level struct {
		keys map[string]bool // nil in an array
		key  bool            // the next token is a key
	}
	var open []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(open) - 1
		if top >= 0 && open[top].key {
			if key, ok := token.(string); ok {
				if open[top].keys[key] {
					return fmt.Errorf("key %q twice", key)
				}
				open[top].keys[key], open[top].key = true, false
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{keys: map[string]bool{}, key: true})
			continue
		case json.Delim('['):
			open = append(open, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
			top--
		}
		if top >= 0 && open[top].keys != nil {
			open[top].key = true
		}
	}
}
