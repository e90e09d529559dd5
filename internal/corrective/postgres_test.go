package corrective_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
		"LifeOfANonconformity":           TestLifeOfANonconformity,
		"SameCauseComesBack":             TestSameCauseComesBack,
		"ConcernOfNobody":                TestConcernOfNobody,
		"TablesAreWhatTheLogAmountsTo":   TestTablesAreWhatTheLogAmountsTo,
		"AsOf":                           TestAsOf,
		"ALapseIsRaisedOnce":             TestALapseIsRaisedOnce,
		"ALapseComesBack":                TestALapseComesBack,
		"ALapseIsRaisedOnceByMany":       TestALapseIsRaisedOnceByMany,
		"Overdue":                        TestOverdue,
		"RefusedStepsLeaveNothingBehind": TestRefusedStepsLeaveNothingBehind,
	})
}
