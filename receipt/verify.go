package receipt

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Options say what to verify a log against and how deep.
type Options struct {
	// Trust is whose signatures count.
	Trust Trust
	// Elsewhere are checkpoints of this log that were kept where its operator
	// could not change them: signed notes, in any order. They are what shows
	// that the end of a log was cut off.
	Elsewhere [][]byte
	// CosignedSince leaves out cosignatures that are older: whoever cuts off
	// the end of a log can still show an old cosigned checkpoint.
	CosignedSince time.Time
	// OutcomeWithin is how long before the last entry a decision may have been
	// taken that has no outcome; an hour when 0. To the minute.
	OutcomeWithin time.Duration
	// Growing is for a log that is being written: entries that are not signed
	// or not cosigned yet are said, not refused.
	Growing bool
	// Integrity leaves out the deep pass: bodies, payloads, decisions.
	Integrity bool
	// Compile is the decision point that decisions are made again with; nil
	// leaves that check out.
	Compile Compiler
	// Workers is how many goroutines examine entries; as many as there are
	// processors when 0.
	Workers int
	// Progress, when set, is called from time to time with the number of
	// entries that were verified.
	Progress func(entries uint64)
}

// Verify re-derives everything that a log claims, in one pass over a stream
// and in memory that does not grow with it. What is wrong with the log is in
// the report; an error means that there is no report, because the source could
// not be read, the options are unusable, or ctx ended.
func Verify(ctx context.Context, src Source, opt Options) (Report, error) {
	if opt.OutcomeWithin == 0 {
		opt.OutcomeWithin = time.Hour
	}
	if opt.Workers == 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	kept, err := openElsewhere(opt)
	if err != nil {
		return Report{}, err
	}
	contents, err := src.Contents(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("receipt: reading the contents: %w", err)
	}
	c := &conclusion{opt: opt, pairs: pairing{pages: map[uint64]*page{}, deep: !opt.Integrity}}
	x := examiner{trust: opt.Trust}
	if !opt.Integrity {
		if x.deep, err = newDeepExaminer(ctx, src, opt, contents); err != nil {
			return Report{}, err
		}
	}
	in, closeAll, err := openStreams(ctx, src, opt, contents)
	if err != nil {
		return Report{}, err
	}
	defer closeAll()
	in.notes.elsewhere = kept
	if err := run(ctx, in, &x, c); err != nil {
		return Report{}, err
	}
	if x.deep != nil && c.erased != x.deep.erased.digest {
		return Report{}, errors.New("receipt: the entries changed while they were read")
	}
	if err := c.finish(ctx, src, contents); err != nil {
		return Report{}, err
	}
	if err := c.judgePolicies(ctx, src, contents); err != nil {
		return Report{}, err
	}
	c.judgeContents(contents, x.deep)
	report := Report{Origin: opt.Trust.Origin(), Size: c.tree.Size(), Root: c.root()}
	for id := range checkCount {
		report.Checks = append(report.Checks, c.result(id))
	}
	return report, nil
}

// openElsewhere verifies the checkpoints kept elsewhere. One that the log's key
// did not sign is no finding about the log, but a mistake of the caller.
func openElsewhere(opt Options) ([]Checkpoint, error) {
	var kept []Checkpoint
	for _, signed := range opt.Elsewhere {
		cp, err := opt.Trust.Open(signed)
		if err != nil {
			return nil, fmt.Errorf("receipt: the checkpoint kept elsewhere: %w", err)
		}
		kept = append(kept, cp)
	}
	slices.SortStableFunc(kept, func(a, b Checkpoint) int {
		switch {
		case a.Size < b.Size:
			return -1
		case a.Size > b.Size:
			return 1
		}
		return 0
	})
	return kept, nil
}

func newDeepExaminer(ctx context.Context, src Source, opt Options, contents Contents) (*deepExaminer, error) {
	x := &deepExaminer{seed: maphash.MakeSeed(), payloads: contents.Payloads, from: contents.PayloadsFrom}
	var err error
	if x.erased, err = readErasures(ctx, src, x.seed); err != nil {
		return nil, err
	}
	if opt.Compile != nil && contents.Payloads {
		x.policies = &policyCache{src: src, compile: opt.Compile, sets: map[string]*compiledSet{}}
	}
	return x, nil
}

// openStreams opens what the pass reads.
func openStreams(ctx context.Context, src Source, opt Options, contents Contents) (r *reader, closeAll func(), err error) {
	var opened []func()
	closeAll = func() {
		for _, f := range opened {
			f()
		}
	}
	stream := func(open func(context.Context, uint64) (io.ReadCloser, error), what string) (io.Reader, error) {
		s, err := open(ctx, 0)
		if err != nil {
			return nil, fmt.Errorf("receipt: reading %s: %w", what, err)
		}
		opened = append(opened, func() { s.Close() }) // read only: nothing is lost
		return s, nil
	}
	r = &reader{}
	if r.entries, err = stream(src.Entries, "entries"); err != nil {
		return nil, nil, err
	}
	if contents.Hashes {
		if r.hashes, err = stream(src.Hashes, "leaf hashes"); err != nil {
			closeAll()
			return nil, nil, err
		}
	}
	next, stop := iter.Pull2(src.Checkpoints(ctx))
	opened = append(opened, stop)
	r.notes = &noteQueue{next: next}
	if !opt.Integrity && contents.Payloads {
		next, stop := iter.Pull2(src.Payloads(ctx, 0))
		opened = append(opened, stop)
		r.payloads = &payloadQueue{next: next}
	}
	return r, closeAll, nil
}

// run reads, examines and concludes at the same time. Batches go around:
// reader → workers → conclusion → reader, and there are no more of them than
// fit into the channels, so that only the reader ever waits for a free one.
func run(ctx context.Context, in *reader, x *examiner, c *conclusion) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := 2*c.opt.Workers + 2
	free, work, order := make(chan *batch, n), make(chan *batch, n), make(chan *batch, n)
	for range n {
		free <- nil // made when it is needed: a short log needs one
	}
	var group sync.WaitGroup
	var readErr error
	group.Go(func() {
		defer close(work)
		defer close(order)
		for more := true; more && readErr == nil; {
			b := <-free
			if b == nil {
				b = newBatch()
			}
			if more, readErr = in.fill(ctx, b); readErr == nil {
				work <- b
				order <- b
			}
		}
	})
	for range c.opt.Workers {
		group.Go(func() {
			for b := range work {
				x.examine(ctx, b)
				b.done <- struct{}{}
			}
		})
	}
	var err error
	for b := range order {
		<-b.done
		if err == nil {
			if err = b.found.err; err != nil {
				cancel() // the reader stops at its next batch
			} else {
				c.conclude(b)
				if c.opt.Progress != nil {
					c.opt.Progress(c.tree.Size())
				}
			}
		}
		free <- b
	}
	group.Wait()
	if err != nil {
		return err
	}
	return readErr
}

// judgePolicies asks for every policy set that is said to be included. Whether
// a set's text has the set's digest shows when a decision is made again with it.
func (c *conclusion) judgePolicies(ctx context.Context, src Source, contents Contents) error {
	for _, digest := range contents.Policies {
		c.tallies[contentsCheck].population++
		_, err := src.Policy(ctx, digest)
		var malformed *FormatError
		switch {
		case errors.As(err, &malformed):
			c.except(contentsCheck, malformed.Place, "%s", malformed.Text)
		case errors.Is(err, ErrNotKept):
			c.except(contentsCheck, "policy set "+digest, "it is said to be included and is not there")
		case err != nil:
			return fmt.Errorf("receipt: reading policy set %s: %w", digest, err)
		}
	}
	return nil
}

// judgeContents compares the statement of what is included with what was
// found, and says what could not be checked without the rest.
func (c *conclusion) judgeContents(contents Contents, deep *deepExaminer) {
	c.tallies[contentsCheck].population += 2 // origin and size
	if contents.Origin != c.opt.Trust.Origin() {
		c.except(contentsCheck, "origin", "the contents speak of the log %q, the trusted key is that of %q", contents.Origin, c.opt.Trust.Origin())
	}
	if !contents.Hashes {
		c.skip(hashCheck, "the leaf hashes are not included")
	}
	if deep == nil {
		for _, id := range []checkNumber{bodyCheck, payloadCheck, decisionCheck} {
			c.skip(id, "only integrity was asked for")
		}
		return
	}
	if !contents.Payloads {
		c.skip(payloadCheck, "the payloads are not included")
		c.skip(decisionCheck, "the payloads, which decisions were made from, are not included")
		return
	}
	if n := c.notErased.payloads; n > 0 {
		c.say(payloadCheck, "%d were erased, as receipts say", n)
	}
	if n := c.notErased.leftOut; n > 0 {
		c.say(payloadCheck, "%d more of entries before %d are not included", n, contents.PayloadsFrom)
	}
	if deep.policies == nil {
		c.skip(decisionCheck, "no decision point was given to make them again")
		return
	}
	d := &c.tallies[decisionCheck]
	d.population -= c.notErased.facts + c.notErased.policy
	if n := c.notErased.facts; n > 0 {
		c.say(decisionCheck, "%d more could not be made again: their facts or input are gone", n)
	}
	if n := c.notErased.policy; n > 0 {
		c.say(decisionCheck, "%d more could not be made again: their policy set is not included", n)
	}
}
