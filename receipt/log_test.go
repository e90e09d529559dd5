package receipt_test

import "fmt"

// id is the n-th of a row of receipt ids.
func id(n uint64) string { return fmt.Sprintf("rcp_00000000-0000-7000-8000-%012x", n) }
