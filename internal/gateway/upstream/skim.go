package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
)

// maxSkimmed is how many times a message's limit a line may have before the
// command is given up: what goes on longer than that will not end.
const maxSkimmed = 16

// longestToken is as much of a name or value as is looked at: ours are shorter.
const longestToken = 32

// skim reads a message that is not kept, to find out which call it answers. One
// large answer must not end the command that other calls are waiting for.
type skim struct {
	depth           int
	quoted, escaped bool
	// name and token belong to the member of the outermost object that is read.
	name, token []byte
	named       bool
	id          []byte
	// ids counts members that may be the id; unclear says that one cannot know.
	ids     int
	unclear bool
}

// read takes the next part of the message.
func (k *skim) read(p []byte) {
	for _, c := range p {
		if k.quoted {
			k.inString(c)
			continue
		}
		switch c {
		case '"':
			k.quoted = true
			k.keep(c)
		case '{', '[':
			k.unclear = k.unclear || k.depth == 0 && c == '['
			k.depth++
		case '}', ']':
			if k.depth == 1 {
				k.member()
			}
			k.depth--
		case ',':
			if k.depth == 1 {
				k.member()
			}
		case ':':
			if k.depth == 1 {
				k.name, k.token, k.named = append(k.name[:0], k.token...), k.token[:0], true
			}
		case ' ', '\t', '\r', '\n':
		default:
			k.keep(c)
		}
	}
}

func (k *skim) inString(c byte) {
	k.keep(c)
	switch {
	case k.escaped:
		k.escaped = false
	case c == '\\':
		k.escaped = true
		// An escaped name could be any.
		k.unclear = k.unclear || k.depth == 1 && !k.named
	case c == '"':
		k.quoted = false
	}
}

func (k *skim) keep(c byte) {
	if k.depth == 1 && len(k.token) < longestToken {
		k.token = append(k.token, c)
	}
}

// member ends a member of the outermost object.
func (k *skim) member() {
	switch name := string(k.name); {
	case name == `"id"`:
		k.ids++
		k.id = append(k.id[:0], k.token...)
	case strings.EqualFold(name, `"id"`), strings.EqualFold(name, `"method"`):
		k.unclear = true // a second reading, or no answer
	}
	k.name, k.token, k.named = k.name[:0], k.token[:0], false
}

// answers is the id of the call that the message answers, 0 when that cannot be
// told.
func (k *skim) answers() int64 {
	if k.unclear || k.depth != 0 || k.quoted || k.ids != 1 {
		return 0
	}
	return number(k.id)
}

// rest skims a line to its end, but not more than max bytes of it.
func (k *skim) rest(r *bufio.Reader, max int64) error {
	for max > 0 {
		fragment, err := r.ReadSlice('\n')
		k.read(fragment)
		max -= int64(len(fragment))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	return errTooLarge
}

// skip passes over a line that is too large, alone or beside others, and fails
// the call that it answers for that reason. read is what was kept of it, next
// what came after. Where nobody can tell which call it answers, the link fails.
func (l *pipeLink) skip(r *bufio.Reader, read *buffer, next []byte, why error) error {
	unreadable := l.s.unreadable(why)
	if line := bytes.TrimSpace(read.b); len(line) == 0 || line[0] != '{' {
		read.lease.release()
		return unreadable
	}
	k := &skim{}
	k.read(read.b)
	k.read(next)
	*read = buffer{lease: read.lease}
	read.lease.release()
	if !bytes.HasSuffix(next, []byte("\n")) {
		if err := k.rest(r, maxSkimmed*l.s.cfg.Limits.MessageBytes); errors.Is(err, errTooLarge) {
			return unreadable
		} else if err != nil {
			return l.lineError(err)
		}
	}
	id := k.answers()
	if id <= 0 || id > l.ids.Load() {
		return unreadable
	}
	l.s.log.Warn("an answer is not handed on", "reason", unreadable)
	l.mu.Lock()
	defer l.mu.Unlock()
	if box := l.calls[id]; box != nil { // else the call was given up before
		box.fail(unreadable)
	}
	return nil
}
