package policy_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
		"ActivationDecidesFromThenOnAndSurvivesARestart": TestActivationDecidesFromThenOnAndSurvivesARestart,
		"Review": TestReview, "Rollback": TestRollback, "SeveralProcesses": TestSeveralProcesses, "Shadow": TestShadow,
		"EnvironmentsAreApart": TestEnvironmentsAreApart, "BudgetsOfTheBundleInForce": TestBudgetsOfTheBundleInForce,
		"RecompileIsASetOfItsOwn":           TestRecompileIsASetOfItsOwn,
		"UnrecordedActivationDoesNotDecide": TestUnrecordedActivationDoesNotDecide,
	})
}
