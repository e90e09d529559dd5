package approval_test

import (
	"fmt"
	"sync"
	"testing"

	"aims/internal/approval"
	"aims/internal/ledger"
	"aims/internal/store"
	"aims/internal/store/storetest"
)

// Two processes, each with its own connections and its own sequencer, share one
// PostgreSQL: what one records the other knows, and one of them releases a call.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	at := storetest.Postgres(t)
	first := newWorld(t, nil) // for its clock and key; its own database is not used
	connect := func() *store.DB { return at.MustOpen(t, first.clock.Now, ledger.Schema(), approval.Schema()) }
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
	storetest.OnPostgres(t, map[string]func(*testing.T){
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
	})
}
