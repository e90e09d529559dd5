package session

// Use is a value that a purpose of an agent used in an argument of a tool. An
// empty argument stands for the tool itself.
type Use struct {
	Action, Argument, Value string
}

// Uses are those of one purpose of one agent, in calls that succeeded. They
// are never changed.
type Uses struct {
	base map[Use]struct{}
	more []Use // later ones, few
}

const (
	// maxUses bounds what is remembered of a purpose.
	maxUses = 20_000
	// maxMore bounds what is searched one by one.
	maxMore = 32
)

// Len is how many there are.
func (u *Uses) Len() int {
	if u == nil {
		return 0
	}
	return len(u.base) + len(u.more)
}

// Has says whether a value was used.
func (u *Uses) Has(use Use) bool {
	if u == nil {
		return false
	}
	for _, m := range u.more {
		if m == use {
			return true
		}
	}
	_, ok := u.base[use]
	return ok
}

// with is u and more, as far as there is room.
func (u *Uses) with(more []Use) *Uses {
	next := &Uses{}
	if u != nil {
		*next = *u
	}
	for _, m := range more {
		if next.Len() >= maxUses || next.Has(m) {
			continue
		}
		if len(next.more) == maxMore {
			base := make(map[Use]struct{}, len(next.base)+len(next.more)+1)
			for b := range next.base {
				base[b] = struct{}{}
			}
			for _, b := range next.more {
				base[b] = struct{}{}
			}
			next.base, next.more = base, nil
		}
		next.more = append(next.more[:len(next.more):len(next.more)], m)
	}
	return next
}

// since are those that before does not have.
func (u *Uses) since(before *Uses) []Use {
	var more []Use
	for _, m := range u.more {
		if !before.Has(m) {
			more = append(more, m)
		}
	}
	if before == nil || len(u.base) != len(before.base) {
		for b := range u.base {
			if !before.Has(b) {
				more = append(more, b)
			}
		}
	}
	return more
}
