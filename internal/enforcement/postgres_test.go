package enforcement_test

import (
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"aims/internal/store"
	"aims/internal/store/postgres"
	"aims/internal/store/sqlite"
)

// place names a SQLite file, or, below TestOnPostgres, a PostgreSQL schema.
func place(t testing.TB) string {
	t.Helper()
	if strings.HasPrefix(t.Name(), "TestOnPostgres/") {
		return postgresSchema(t)
	}
	return filepath.Join(t.TempDir(), "aims.db")
}

// openStore opens what place named.
func openStore(t testing.TB, at string, now func() time.Time, schemas ...store.Schema) (*store.DB, error) {
	t.Helper()
	if filepath.IsAbs(at) {
		return sqlite.Open(t.Context(), at, now, schemas...)
	}
	return postgres.Open(t.Context(), at, now, schemas...)
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

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	if os.Getenv("AIMS_TEST_POSTGRES") == "" {
		t.Skip("AIMS_TEST_POSTGRES names no PostgreSQL server: this store is not tested")
	}
	for name, test := range map[string]func(*testing.T){
		"EveryDecisionHasAReceiptThatDecidesAgain":   TestEveryDecisionHasAReceiptThatDecidesAgain,
		"OutcomeIsReportedByItsCallerOnce":           TestOutcomeIsReportedByItsCallerOnce,
		"OverdueReportsAreClosed":                    TestOverdueReportsAreClosed,
		"QuarantinedToolIsDeniedWhateverPolicySays":  TestQuarantinedToolIsDeniedWhateverPolicySays,
		"RefusalFloodWritesABoundedNumberOfReceipts": TestRefusalFloodWritesABoundedNumberOfReceipts,
		"LabelsOfWhatWasReadStayWithTheRun":          TestLabelsOfWhatWasReadStayWithTheRun,
		"PurposeIsDeclaredAndRegistered":             TestPurposeIsDeclaredAndRegistered,
		"PurposeRemembersToolsThatItUsed":            TestPurposeRemembersToolsThatItUsed,
		"DelegationIsNeverWider":                     TestDelegationIsNeverWider,
		"HeldCallIsReleasedOnce":                     TestHeldCallIsReleasedOnce,
		"BudgetCannotBeCheated":                      TestBudgetCannotBeCheated,
		"RaceForTheLastUnit":                         TestRaceForTheLastUnit,
		"DecisionsUseTheStateAtTheirPlace":           TestDecisionsUseTheStateAtTheirPlace,
		"TextOfCallersCannotDisfigureAReceipt":       TestTextOfCallersCannotDisfigureAReceipt,
	} {
		t.Run(name, test)
	}
}
