package inventory_test

import (
	"testing"

	"aims/internal/store/storetest"
)

// TestOnPostgres repeats the tests that the tables matter to.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, map[string]func(*testing.T){
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
	})
}
