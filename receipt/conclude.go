package receipt

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"
)

// conclusion puts the batches together in their order: what one entry says
// about another, and what a checkpoint says about all before it.
type conclusion struct {
	tallies
	opt   Options
	tree  Range
	pairs pairing

	// matched is the size of the last checkpoint that the entries agree with;
	// differs the first entry since whose hash is not the stored one.
	matched   uint64
	differs   uint64
	different bool
	// run is the checkpoints, without a break, that the entries do not agree with.
	run *mismatch

	head      uint64 // size of the largest checkpoint that the log signed
	signed    bool   // there is one
	witnessed uint64 // the same of those that a quorum cosigned
	cosigned  time.Time
	vouched   bool
	kept      uint64 // size of the largest checkpoint kept elsewhere

	jump      uint64 // by how much the last header's index is off
	time      [len(timeLayout)]byte
	timed     bool
	erased    uint64
	notErased struct{ payloads, leftOut, facts, policy uint64 }
}

// mismatch is a checkpoint that the entries do not agree with.
type mismatch struct {
	from, size uint64
	root       Hash
	later      uint64 // how many after it do not either
	differs    uint64
	different  bool
}

// conclude takes the next batch.
func (c *conclusion) conclude(b *batch) {
	f := &b.found
	c.add(&b.read)
	c.add(&f.tallies)
	cuts := 0
	for i, s := range f.segments {
		for ; cuts < s.cuts; cuts++ {
			c.checkpoint(&b.cuts[cuts], &f.opened[cuts])
		}
		end := len(f.nodes)
		if i+1 < len(f.segments) {
			end = f.segments[i+1].nodes
		}
		for _, n := range f.nodes[s.nodes:end] {
			c.tree.push(n.level, n.root)
		}
		if s.different && !c.different {
			c.differs, c.different = s.differs, true
		}
	}
	for ; cuts < len(b.cuts); cuts++ {
		c.checkpoint(&b.cuts[cuts], &f.opened[cuts])
	}
	c.neighbours(f)
	for i := range f.links {
		c.link(&f.links[i])
	}
	c.tallies[outcomeCheck].population += f.decisions
	c.erased += f.erased
	c.notErased.payloads += f.erasedPayloads
	c.notErased.leftOut += f.leftOut
	c.notErased.facts += f.withoutFacts
	c.notErased.policy += f.withoutPolicy
}

// checkpoint judges a checkpoint when the tree has its size, or all entries
// were read and there are too few.
func (c *conclusion) checkpoint(at *cut, opened *checkpointResult) {
	if at.elsewhere != nil {
		c.keptElsewhere(at.elsewhere)
		return
	}
	c.tallies[signatureCheck].population++
	place := fmt.Sprintf("checkpoint %d of size %d", at.ordinal, at.size)
	if opened.err != nil {
		c.except(signatureCheck, place, "%s", shorten(errors.Unwrap(opened.err)))
		return
	}
	if at.late {
		c.except(signatureCheck, place, "it comes after a larger checkpoint")
		return
	}
	cp := &opened.Checkpoint
	c.head, c.signed = max(c.head, cp.Size), true
	if c.opt.Trust.Witnessed(*cp, c.opt.CosignedSince) && (!c.vouched || cp.Size >= c.witnessed) {
		c.witnessed, c.vouched, c.cosigned = cp.Size, true, latest(cp.Cosignatures)
	}
	if cp.Size != c.tree.Size() {
		return // beyond the entries: the head check says so
	}
	c.tallies[treeCheck].population++
	if c.tree.Root() == cp.Root {
		c.agree(cp)
		return
	}
	c.tallies[treeCheck].exceptions++
	if c.run != nil {
		c.run.later++
		return
	}
	c.run = &mismatch{from: c.matched, size: cp.Size, root: cp.Root, differs: c.differs, different: c.different}
}

func latest(cosignatures []Cosignature) (at time.Time) {
	for _, s := range cosignatures {
		if s.Time.After(at) {
			at = s.Time
		}
	}
	return at
}

// agree notes a checkpoint whose root is that of the entries. If those before
// it differed, they, not the entries, are wrong.
func (c *conclusion) agree(cp *Checkpoint) {
	if c.run != nil {
		c.tallies[treeCheck].list(fmt.Sprintf("checkpoint of size %d", c.run.size),
			"its root is not that of the entries, which the later checkpoint of size %d confirms", cp.Size)
		c.run = nil
	}
	c.matched, c.different = cp.Size, false
}

func (c *conclusion) keptElsewhere(cp *Checkpoint) {
	c.tallies[tailCheck].population++
	c.kept = max(c.kept, cp.Size)
	switch n := c.tree.Size(); {
	case cp.Size > n:
		c.except(tailCheck, "tail", "%d entries that the checkpoint kept elsewhere (size %d) covers are missing: %s",
			cp.Size-n, cp.Size, entriesPlace(n, cp.Size))
	case c.tree.Root() != cp.Root:
		c.except(tailCheck, entriesPlace(c.matched, cp.Size), "differ from the checkpoint kept elsewhere (size %d), which the log signed too", cp.Size)
	}
}

// neighbours compares the first entry of a batch with the last before it.
func (c *conclusion) neighbours(f *findings) {
	if !f.timed {
		return
	}
	if len(f.jumps) == 0 || f.jumps[0].place != f.firstTimed {
		c.jump = 0
	}
	for _, j := range f.jumps {
		// A gap moves everything behind it: it is named once.
		if by := j.index - j.place; by != c.jump {
			if c.jump = by; by != 0 {
				c.except(indexCheck, entryPlace(j.place), "header says index %d", j.index)
			}
		}
	}
	if c.timed {
		if string(f.first[:]) < string(c.time[:]) {
			c.except(timeCheck, entryPlace(f.firstTimed), "its time is earlier than that of the entry before it")
		}
		if string(f.first[:minute]) != string(c.time[:minute]) {
			c.pairs.mark(sampleOf(f.firstTimed-1, c.time), c.opt.OutcomeWithin)
		}
	}
	c.time, c.timed = f.last, true
	for _, s := range f.minutes {
		c.pairs.mark(s, c.opt.OutcomeWithin)
	}
}

// link follows decisions to their outcomes.
func (c *conclusion) link(l *link) {
	if l.opens {
		c.pairs.open(l.index, l.id)
		return
	}
	if l.closes >= l.index {
		c.except(outcomeCheck, entryPlace(l.place), "closes entry %d, which does not come before it", l.closes)
		return
	}
	id, ok := c.pairs.close(l.closes)
	if !ok {
		c.except(outcomeCheck, entryPlace(l.place), "closes entry %d, which is no decision or was closed before", l.closes)
	} else if id != 0 && l.id != 0 && id != l.id {
		c.mismatched(l.place, l.closes)
	}
}

// finish says what only the whole log tells.
func (c *conclusion) finish(ctx context.Context, src Source, contents Contents) error {
	c.finishHead(contents)
	c.finishWitnesses()
	c.finishTail()
	c.finishOutcomes()
	if c.run == nil {
		return nil
	}
	stored, known, err := c.storedAgree(ctx, src, contents)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("differ from the checkpoint of size %d signed by %s", c.run.size, c.opt.Trust.Origin())
	switch {
	case c.run.different && stored:
		text += fmt.Sprintf("; the first that differs is entry %d (the stored leaf hashes agree with the checkpoint)", c.run.differs)
	case c.run.different:
		text += fmt.Sprintf("; the stored leaf hashes do not agree with it either; the first entry that differs from its stored hash is %d", c.run.differs)
	case known:
		text += "; the stored leaf hashes were changed with them, so that the entry cannot be named"
	default:
		text += "; there are no stored leaf hashes that would name the entry"
	}
	if c.run.later > 0 {
		text += fmt.Sprintf("; so do the %d checkpoints after it", c.run.later)
	}
	c.tallies[treeCheck].list(entriesPlace(c.run.from, c.run.size), "%s", text)
	return nil
}

// storedAgree says whether the tree of the stored leaf hashes is the one that
// the first checkpoint signed which the entries do not agree with.
func (c *conclusion) storedAgree(ctx context.Context, src Source, contents Contents) (agree, known bool, err error) {
	if !contents.Hashes {
		return false, false, nil
	}
	in, err := src.Hashes(ctx, 0)
	if err != nil {
		return false, false, fmt.Errorf("receipt: reading leaf hashes: %w", err)
	}
	defer in.Close()
	var tree Range
	buf := make([]byte, batchEntries*len(Hash{}))
	for tree.Size() < c.run.size {
		if err := ctx.Err(); err != nil {
			return false, false, err
		}
		want := min(uint64(batchEntries), c.run.size-tree.Size()) * uint64(len(Hash{}))
		if _, err := io.ReadFull(in, buf[:want]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, true, nil
		} else if err != nil {
			return false, false, fmt.Errorf("receipt: reading leaf hashes: %w", err)
		}
		for at := 0; at < int(want); at += len(Hash{}) {
			tree.Append(Hash(buf[at : at+len(Hash{})]))
		}
	}
	return tree.Root() == c.run.root, true, nil
}

func (c *conclusion) finishHead(contents Contents) {
	n := c.tree.Size()
	head := &c.tallies[headCheck]
	head.population = max(n, c.head)
	switch {
	case !c.signed:
		c.except(signatureCheck, "checkpoints", "there is none that the trusted key signed")
		c.skip(treeCheck, "no checkpoint is signed by the trusted key")
		if n > 0 {
			c.except(headCheck, entriesPlace(0, n), "no signed checkpoint covers them")
		}
	case c.head > n:
		c.except(headCheck, "tail", "%d entries that the checkpoint of size %d covers are missing: %s", c.head-n, c.head, entriesPlace(n, c.head))
	case c.head < n && c.opt.Growing:
		c.say(headCheck, "%d entries from entry %d on are not signed yet", n-c.head, c.head)
	case c.head < n:
		c.except(headCheck, entriesPlace(c.head, n), "no signed checkpoint covers them")
	}
	if contents.Size != n {
		c.except(contentsCheck, "tail", "the contents speak of %d entries, there are %d", contents.Size, n)
	}
}

func (c *conclusion) finishWitnesses() {
	count, quorum := c.opt.Trust.Witnesses()
	if count == 0 {
		c.skip(witnessCheck, "no witness's key was given")
		return
	}
	n := c.tree.Size()
	c.tallies[witnessCheck].population = n
	since := ""
	if !c.opt.CosignedSince.IsZero() {
		since = " since " + c.opt.CosignedSince.UTC().Format(time.RFC3339)
	}
	switch {
	case !c.vouched:
		c.except(witnessCheck, "checkpoints", "none is cosigned by %d of %d witnesses%s", quorum, count, since)
	case c.witnessed < n && !c.opt.Growing:
		c.except(witnessCheck, entriesPlace(c.witnessed, n), "no checkpoint that %d of %d witnesses cosigned%s covers them", quorum, count, since)
	default:
		c.say(witnessCheck, "%d of %d witnesses cosigned size %d at %s; what was appended after that and cut off again cannot be seen",
			quorum, count, c.witnessed, c.cosigned.Format(time.RFC3339))
	}
}

func (c *conclusion) finishTail() {
	count, _ := c.opt.Trust.Witnesses()
	switch {
	case c.tallies[tailCheck].population > 0:
		c.say(tailCheck, "entries after %d that were cut off again cannot be seen by it", c.kept)
	case count == 0:
		c.skip(tailCheck, "no checkpoint kept elsewhere and no witness was given: entries cut off the end together with their checkpoints cannot be seen")
	default:
		c.skip(tailCheck, "no checkpoint kept elsewhere was given")
	}
}

// finishOutcomes judges the decisions that are still open. Those of the last
// moments were under way when the log was read.
func (c *conclusion) finishOutcomes() {
	last, _ := parseTime(c.time[:])
	overdue := c.pairs.overdue(last, c.opt.OutcomeWithin)
	var under, first uint64
	for index := range c.pairs.left {
		switch {
		case index < overdue:
			c.except(outcomeCheck, entryPlace(index), "the decision has no outcome, %v later", c.opt.OutcomeWithin)
		case under == 0:
			first = index
			fallthrough
		default:
			under++
		}
	}
	if under > 0 {
		c.say(outcomeCheck, "%d decisions without outcome were under way at the end, the first is entry %d", under, first)
	}
}

func (c *conclusion) root() string {
	root := c.tree.Root()
	return base64.StdEncoding.EncodeToString(root[:])
}
