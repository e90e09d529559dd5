package register

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aims/internal/aims"
	"aims/internal/register/record"
	"aims/internal/store"
)

// Statements take no context of their own: they run in the transaction of
// whoever calls, and end with it.

// entryAt is the newest entry that is not after a time; of all for the zero time.
func entryAt(tx *store.Tx, at time.Time) (uint64, error) {
	last := int64(1<<63 - 1)
	if !at.IsZero() {
		last = at.UnixMicro()
	}
	var version, mark sql.NullInt64
	err := tx.QueryRow(`SELECT (SELECT MAX(entry) FROM register_version WHERE at <= $1), (SELECT MAX(entry) FROM register_mark WHERE at <= $1)`, last).Scan(&version, &mark)
	return uint64(max(version.Int64, mark.Int64)), err
}

// load reads the registers as they were behind an entry of the log.
func load(tx *store.Tx, until uint64) (record.State, error) {
	s := record.State{Versions: map[record.Key]record.Version{}, Changes: map[record.Key][]record.Version{}}
	if err := loadVersions(tx, until, &s); err != nil {
		return s, err
	}
	texts, err := contents(tx, until)
	if err != nil {
		return s, err
	}
	for key, text := range texts {
		if err := s.Registers.Put(key.Kind, text); err != nil {
			return s, damaged(key, err)
		}
	}
	for key, v := range s.Versions {
		if digestOf(texts[key]) != v.Digest {
			return s, damaged(key, errors.New("its newest version is not the present one"))
		}
	}
	s.Marks, err = loadMarks(tx, until)
	return s, err
}

// damaged is an error about what is stored: nobody works on with it.
func damaged(key record.Key, cause error) error {
	return aims.Errorf(aims.Internal, cause, "the stored record %s/%s is not what was applied: somebody changed the database", key.Kind, key.ID)
}

func loadVersions(tx *store.Tx, until uint64, s *record.State) error {
	rows, err := tx.Query(`SELECT kind, id, number, event, digest, author, at, entry, receipt FROM register_version
WHERE entry <= $1 ORDER BY entry, kind, id`, int64(until))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key record.Key
		var v record.Version
		if err := rows.Scan(&key.Kind, &key.ID, &v.Number, &v.Event, &v.Digest, &v.By, &v.At, &v.Index, &v.Receipt); err != nil {
			return err
		}
		s.Changes[key] = append(s.Changes[key], v)
		s.Versions[key] = v
		if v.Event == record.Removed {
			delete(s.Versions, key)
		}
	}
	return rows.Err()
}

// contents are the records that there were behind an entry, as canonical JSON.
func contents(tx *store.Tx, until uint64) (map[record.Key][]byte, error) {
	return readContents(tx, `SELECT kind, id, digest, content FROM register_version
WHERE entry <= $1 AND (ended = 0 OR ended > $1) AND event <> 'removed'`, int64(until))
}

// contentOf is one record as it was behind an entry; nil for none.
func contentOf(tx *store.Tx, key record.Key, until uint64) ([]byte, error) {
	found, err := readContents(tx, `SELECT kind, id, digest, content FROM register_version
WHERE entry <= $1 AND (ended = 0 OR ended > $1) AND event <> 'removed' AND kind = $2 AND id = $3`, int64(until), key.Kind, key.ID)
	return found[key], err
}

func readContents(tx *store.Tx, query string, parameters ...any) (map[record.Key][]byte, error) {
	rows, err := tx.Query(query, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	texts := map[record.Key][]byte{}
	for rows.Next() {
		var key record.Key
		var digest string
		var text []byte
		if err := rows.Scan(&key.Kind, &key.ID, &digest, &text); err != nil {
			return nil, err
		}
		if got := digestOf(text); got != digest {
			return nil, damaged(key, fmt.Errorf("its digest is %s, and %s is stored", got, digest))
		}
		if texts[key] != nil {
			return nil, damaged(key, errors.New("two versions of it are present"))
		}
		texts[key] = text
	}
	return texts, rows.Err()
}

// digestOf is record.Digest of a record whose canonical form is text.
func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// recordOf reads a record from its canonical form; nil for none.
func recordOf(key record.Key, text []byte) (any, error) {
	if text == nil {
		return nil, nil
	}
	var one record.Registers
	if err := one.Put(key.Kind, text); err != nil {
		return nil, err
	}
	rec, ok := one.Get(key.Kind, key.ID)
	if !ok {
		return nil, errors.New("it has another id")
	}
	return rec, nil
}

func insertVersion(tx *store.Tx, key record.Key, v record.Version, text []byte) error {
	if text == nil {
		text = []byte{}
	}
	if _, err := tx.Exec(`UPDATE register_version SET ended = $1 WHERE kind = $2 AND id = $3 AND ended = 0`, int64(v.Index), key.Kind, key.ID); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO register_version (kind, id, number, event, digest, content, author, at, entry, ended, receipt)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)`,
		key.Kind, key.ID, v.Number, string(v.Event), v.Digest, text, v.By, v.At, int64(v.Index), v.Receipt)
	return err
}

func insertMark(tx *store.Tx, m record.Mark) error {
	roles, err := json.Marshal(m.Roles)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO register_mark (entry, mark, kind, id, digest, person, roles, note, until, at, receipt)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		int64(m.Index), string(m.Kind), m.On, m.ID, m.Digest, m.By, string(roles), m.Note, string(m.Until), m.At, m.Receipt)
	return err
}

func loadMarks(tx *store.Tx, until uint64) ([]record.Mark, error) {
	rows, err := tx.Query(`SELECT entry, mark, kind, id, digest, person, roles, note, until, at, receipt FROM register_mark
WHERE entry <= $1 ORDER BY entry`, int64(until))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var marks []record.Mark
	for rows.Next() {
		var m record.Mark
		var roles string
		if err := rows.Scan(&m.Index, &m.Kind, &m.On, &m.ID, &m.Digest, &m.By, &roles, &m.Note, &m.Until, &m.At, &m.Receipt); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(roles), &m.Roles); err != nil {
			return nil, err
		}
		marks = append(marks, m)
	}
	return marks, rows.Err()
}
