package inventory_test

import (
	"crypto/rand"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

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

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	if os.Getenv("AIMS_TEST_POSTGRES") == "" {
		t.Skip("AIMS_TEST_POSTGRES names no PostgreSQL server: this store is not tested")
	}
	for name, test := range map[string]func(*testing.T){
		"FirstUseIsTrustedAndRecorded":                         TestFirstUseIsTrustedAndRecorded,
		"ChangeIsQuarantinedUntilThatPinIsApproved":            TestChangeIsQuarantinedUntilThatPinIsApproved,
		"QuarantineOutlivesRestartAndReturnOfTheOldDefinition": TestQuarantineOutlivesRestartAndReturnOfTheOldDefinition,
		"FlappingServerFillsNoDisk":                            TestFlappingServerFillsNoDisk,
		"Forget":                                               TestForget,
		"DefinitionsThatTwoParsersReadDifferentlyAreUnusable":  TestDefinitionsThatTwoParsersReadDifferentlyAreUnusable,
		"DeceivingTextIsQuarantined":                           TestDeceivingTextIsQuarantined,
		"RemovedAndReturned":                                   TestRemovedAndReturned,

		"AgentIsRegisteredChangedAndOutlivesARestart":         TestAgentIsRegisteredChangedAndOutlivesARestart,
		"StopOfServersOutlivesARestartAndEndsByResumingAlone": TestStopOfServersOutlivesARestartAndEndsByResumingAlone,
		"SuspendedAgents":                                    TestSuspendedAgents,
		"WhatFollowsAStopInTheLogKnowsIt":                    TestWhatFollowsAStopInTheLogKnowsIt,
		"OtherProcessesHearOfAStop":                          TestOtherProcessesHearOfAStop,
		"NoProcessOverwritesWhatItHasNotSeen":                TestNoProcessOverwritesWhatItHasNotSeen,
		"LabelsOutliveARestartRelistingAndAnotherDefinition": TestLabelsOutliveARestartRelistingAndAnotherDefinition,
		"ForgettingTakesNoLabelAway":                         TestForgettingTakesNoLabelAway,
		"LabellingWhileAServerLists":                         TestLabellingWhileAServerLists,
		"TheConfigurationSpeaksForTheToolsThatItNames":       TestTheConfigurationSpeaksForTheToolsThatItNames,
		"AHintLoosensOnlyWhenAPersonApprovedIt":              TestAHintLoosensOnlyWhenAPersonApprovedIt,
		"NothingIsDeployedPastTheGate":                       TestNothingIsDeployedPastTheGate,
		"TheGateIsAReceiptOfTheDeployment":                   TestTheGateIsAReceiptOfTheDeployment,
		"ARecordIsCarriedOver":                               TestARecordIsCarriedOver,
		"ProcessesAgree":                                     TestProcessesAgree,
	} {
		t.Run(name, test)
	}
}
