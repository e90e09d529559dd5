package approval_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"aims/internal/approval"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/sqlite"
)

// openStore opens a SQLite file, or, below TestOnPostgres, a PostgreSQL schema.
func openStore(t testing.TB, path string, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestOnPostgres/") {
		return sqlite.Open(t.Context(), path, now, schemas...)
	}
	return postgres.Open(t.Context(), postgresSchema(t), now, schemas...)
}

// postgresSchema makes a schema of its own on the test server, and drops it.
func postgresSchema(t testing.TB) (dsn string) {
	t.Helper()
	server := os.Getenv("AIMS_TEST_POSTGRES")
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text())
	if _, err := admin.Exec(`CREATE SCHEMA "` + name + `"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(`DROP SCHEMA "` + name + `" CASCADE`); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	return server + "&search_path=" + name
}

// Two processes, each with its own connections and its own sequencer, share one
// PostgreSQL: what one records the other knows, and one of them releases a call.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	if os.Getenv("AIMS_TEST_POSTGRES") == "" {
		t.Skip("AIMS_TEST_POSTGRES names no PostgreSQL server: this store is not tested")
	}
	first := newWorld(t, nil) // for its clock and key; its own database is not used
	dsn := postgresSchema(t)
	connect := func() *store.DB {
		db, err := postgres.Open(t.Context(), dsn, first.clock.now, ledger.Schema(), approval.Schema())
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	first.start(connect())
	second := *first
	second.start(connect())
	for i := range 10 {
		asked := request("security", "treasurer")
		asked.Input = fmt.Sprintf("sha256:%d", i)
		r := first.mustOpen(asked)
		if again := second.mustOpen(asked); again.ID != r.ID {
			t.Fatalf("two requests for one call: %s and %s", r.ID, again.ID)
		}
		waited := make(chan approval.State)
		go func() {
			got, _ := first.Wait(t.Context(), r.ID)
			waited <- got.State
		}()
		var wg sync.WaitGroup
		wg.Go(func() { first.vote(first.Approvals, "ada", people["ada"], r.ID, true) })
		wg.Go(func() { second.vote(second.Approvals, "cy", people["cy"], r.ID, true) })
		wg.Wait()
		if state := <-waited; state != approval.Granted {
			t.Fatalf("after both granted: %s", state)
		}
		var errs [2]error
		wg.Go(func() { errs[0] = first.use(first.Approvals, r.ID, asked.Binding) })
		wg.Go(func() { errs[1] = second.use(second.Approvals, r.ID, asked.Binding) })
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("used by both or none: %v, %v", errs[0], errs[1])
		}
	}
}

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	if os.Getenv("AIMS_TEST_POSTGRES") == "" {
		t.Skip("AIMS_TEST_POSTGRES names no PostgreSQL server: this store is not tested")
	}
	for name, test := range map[string]func(*testing.T){
		"HeldCallIsGrantedAndUsedOnce":        TestHeldCallIsGrantedAndUsedOnce,
		"ApprovalIsForOneCallOnly":            TestApprovalIsForOneCallOnly,
		"WhoMayNotGrant":                      TestWhoMayNotGrant,
		"QuorumIsOfPeopleAndEveryRoleIsGiven": TestQuorumIsOfPeopleAndEveryRoleIsGiven,
		"DenialEndsARequestAndStands":         TestDenialEndsARequestAndStands,
		"NothingHappensAfterExpiry":           TestNothingHappensAfterExpiry,
		"PolicyChangeVoids":                   TestPolicyChangeVoids,
		"SameQuestionIsAskedOnce":             TestSameQuestionIsAskedOnce,
		"SameCallThatNeedsMoreIsWidened":      TestSameCallThatNeedsMoreIsWidened,
		"AgentThatFloodsApprovalsIsRefused":   TestAgentThatFloodsApprovalsIsRefused,
		"RacingProcesses":                     TestRacingProcesses,
		"RaceForOneGrant":                     TestRaceForOneGrant,
		"ListIsPaged":                         TestListIsPaged,
		"PeopleAreToldOnceAmongAllProcesses":  TestPeopleAreToldOnceAmongAllProcesses,
		"Forget":                              TestForget,
		"Wait":                                TestWait,
	} {
		t.Run(name, test)
	}
}
