package lifecycle_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
		"RecordsCarryOver":            TestRecordsCarryOver,
		"RecordsThatCannotBeCarried":  TestRecordsThatCannotBeCarried,
		"FactsThatChangedMeanwhile":   TestFactsThatChangedMeanwhile,
		"ReopenedOncePerCause":        TestReopenedOncePerCause,
		"ARefusedDeploymentIsOnPaper": TestARefusedDeploymentIsOnPaper,
	})
}
