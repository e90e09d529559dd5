package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"
)

// The scripts in testdata run the real binary, one story each.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"aims": func() { os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})) },
	})
}

func TestScripts(t *testing.T) {
	verifier := filepath.Join(t.TempDir(), "aims-verify")
	if out, err := exec.Command("go", "build", "-o", verifier, "aims/cmd/aims-verify").CombinedOutput(); err != nil {
		t.Fatalf("aims-verify does not build: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(verifier)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else every process of a race run lasts a second longer
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"port": port, "ready": ready, "gone": gone, "post": post, "setfile": setFile, "eventually": eventually, "tamper": tamper, "replace": replace, "cutoff": cutOff, "sql": sqlOn,
		},
	})
}

// port NAME puts a free address of the loopback interface into $NAME.
func port(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], l.Addr().String())
}

const patience = 30 * time.Second

// ready ADDRESS waits until the server there answers that it is healthy.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + args[0] + "/healthz")
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("nothing is ready at %s", args[0])
}

// gone ADDRESS waits until nothing listens there any more.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", args[0])
		if err != nil {
			return
		}
		c.Close()
	}
	ts.Fatalf("something still listens on %s", args[0])
}

// post PATH FILE ANSWER sends a file to $AIMS_URL with $AIMS_KEY and keeps the answer.
func post(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodPost, ts.Getenv("AIMS_URL")+args[0], strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("AIMS_KEY"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), answer, 0o600))
}

// setfile NAME FILE puts the content of a file into $NAME.
func setFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// eventually FILE TEXT waits until a file holds a text.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && bytes.Contains(text, []byte(args[1])) {
			return
		}
	}
	ts.Fatalf("%s never held %q:\n%s", args[0], args[1], ts.ReadFile(args[0]))
}

// replace FILE BEFORE AFTER changes the first occurrence in a file.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	text, err := os.ReadFile(name)
	ts.Check(err)
	if !bytes.Contains(text, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, bytes.Replace(text, []byte(args[1]), []byte(args[2]), 1), 0o600))
}

// tamper DATABASE BEFORE AFTER changes the first occurrence in the stored receipts.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	ts.Check(tamperWith(db, []byte(args[1]), []byte(args[2])))
}

func tamperWith(db *sql.DB, before, after []byte) error {
	rows, err := db.Query("SELECT first, leaves FROM log_batch ORDER BY first")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var first int64
		var leaves []byte
		if err := rows.Scan(&first, &leaves); err != nil {
			return err
		}
		if bytes.Contains(leaves, before) {
			rows.Close()
			_, err := db.Exec("UPDATE log_batch SET leaves = ? WHERE first = ?", bytes.Replace(leaves, before, after, 1), first)
			return err
		}
	}
	return fmt.Errorf("no receipt holds %q", before)
}

// cutoff DATABASE FILE keeps the newest checkpoint in a file and removes the
// last commit together with the checkpoints that cover it.
func cutOff(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	var note []byte
	ts.Check(db.QueryRow("SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1").Scan(&note))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), note, 0o600))
	var size int64 // of the checkpoint before
	ts.Check(db.QueryRow("SELECT size FROM log_checkpoint ORDER BY size DESC LIMIT 1 OFFSET 1").Scan(&size))
	for _, change := range []string{
		"DELETE FROM log_batch WHERE first >= ?", "DELETE FROM log_vault WHERE first >= ?",
		"DELETE FROM log_checkpoint WHERE size > ?", "DELETE FROM log_cosignature WHERE size > ?", "UPDATE log_head SET size = ?",
	} {
		_, err := db.Exec(change, size)
		ts.Check(err)
	}
}

// sql DATABASE STATEMENT changes a database behind everybody's back.
func sqlOn(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}
