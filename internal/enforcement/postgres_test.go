package enforcement_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
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
	})
}
