package register_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
		"ApplyShowAndEarlier":                TestApplyShowAndEarlier,
		"TwoPeopleAtOnce":                    TestTwoPeopleAtOnce,
		"ConflictsOfRemovalAndCreation":      TestConflictsOfRemovalAndCreation,
		"APartRemovesNothing":                TestAPartRemovesNothing,
		"TheWholeIsChecked":                  TestTheWholeIsChecked,
		"LargeChangeStandsInSeveralReceipts": TestLargeChangeStandsInSeveralReceipts,
		"ProjectionsRideAlong":               TestProjectionsRideAlong,
		"ApprovalIsSomebodyElses":            TestApprovalIsSomebodyElses,
		"OldVersionIsNotApproved":            TestOldVersionIsNotApproved,
		"Acceptance":                         TestAcceptance,
		"Attestation":                        TestAttestation,
		"TablesThatSomebodyChanged":          TestTablesThatSomebodyChanged,
		"ErasedContent":                      TestErasedContent,
		"RegistersOutliveARestart":           TestRegistersOutliveARestart,
	})
}
