package ledger_test

import (
	"crypto/rand"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"aims/internal/aims"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/storetest"
)

// The connection to the server breaks again and again, also while a commit is
// under way: what was acknowledged is there, what the server committed without
// anybody being told becomes part of the same one log, and work goes on.
func TestConnectionThatBreaks(t *testing.T) {
	at := storetest.Postgres(t)
	name := "aims-test-" + strings.ToLower(rand.Text())
	at.DSN += "&application_name=" + name
	db := at.MustOpen(t, time.Now, ledger.Schema())
	k := newKeys(t, origin)
	l := mustOpen(t, db, k.options())
	admin, err := sql.Open("pgx", storetest.Server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()

	var mu sync.Mutex
	acknowledged, refused := map[uint64]string{}, 0
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := aims.NewID("rcp")
				ref, err := l.Append(t.Context(), decision(id, "{}"))
				mu.Lock()
				if err == nil {
					acknowledged[ref.Index] = id
				} else {
					refused++
					wantCode(t, err, aims.Unavailable, "a broken connection")
				}
				mu.Unlock()
			}
		})
	}
	count := func() (int, int) {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged), refused
	}
	for range 20 {
		before, _ := count()
		if _, err := admin.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", name); err != nil {
			t.Fatal(err)
		}
		eventually(t, "work after the connection broke", func() bool { now, _ := count(); return now > before+20 })
	}
	close(stop)
	wg.Wait()
	if _, n := count(); n == 0 {
		t.Error("no caller noticed that the connection broke")
	}
	// A broken connection that lay unused is noticed when it is used next.
	eventually(t, "whole connections", func() bool {
		for range 5 {
			if l.Sign(t.Context()) != nil || db.View(t.Context(), func(*store.Tx) error { return nil }) != nil {
				return false
			}
		}
		return true
	})
	mustClose(t, l)
	mustVerify(t, k.verify(t, db))
	l = mustOpen(t, db, k.options())
	for _, leaf := range all(t, l) {
		if id, ok := acknowledged[leaf.Index]; ok {
			if !strings.Contains(string(leaf.Body), id) {
				t.Errorf("entry %d is not the receipt that was acknowledged", leaf.Index)
			}
			delete(acknowledged, leaf.Index)
		}
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged receipts are lost", len(acknowledged))
	}
}
