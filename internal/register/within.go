package register

import (
	"time"

	"aims/internal/register/record"
	"aims/internal/store"
)

// What a change elsewhere asks of the registers in its own transaction.

// VersionIn is Version as the transaction sees it.
func VersionIn(tx *store.Tx) (uint64, error) { return entryAt(tx, time.Time{}) }

// Present is a record as the transaction sees it, such as a record.Purpose; nil
// for none.
func Present(tx *store.Tx, kind, id string) (any, error) {
	key := record.Key{Kind: kind, ID: id}
	text, err := contentOf(tx, key, newest)
	if err != nil {
		return nil, err
	}
	rec, err := recordOf(key, text)
	if err != nil {
		return nil, damaged(key, err)
	}
	return rec, nil
}
