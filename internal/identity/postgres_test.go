package identity_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
		"KeyAuthenticatesItsActorWithItsRoles":   TestKeyAuthenticatesItsActorWithItsRoles,
		"RevokingTwiceOrNothing":                 TestRevokingTwiceOrNothing,
		"EveryChangeHasAReceiptWithoutTheSecret": TestEveryChangeHasAReceiptWithoutTheSecret,
		"BootstrapMakesOneKeyEver":               TestBootstrapMakesOneKeyEver,
		"OtherProcessesFollow":                   TestOtherProcessesFollow,
		"StaleProcessChangesNothingUnseen":       TestStaleProcessChangesNothingUnseen,
		"TwoAdministratorsTakeEachOthersRole":    TestTwoAdministratorsTakeEachOthersRole,
		"LedgerFailureChangesNothing":            TestLedgerFailureChangesNothing,
	})
}
