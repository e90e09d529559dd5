package ledger_test

const childEnv = "AIMS_TEST_LEDGER_CHILD"

func child() {}
