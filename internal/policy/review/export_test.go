package review

import (
	"aims/internal/policy/bundle"

	"github.com/cedar-policy/cedar-go"
)

// RequestOf is a test's request as the policies of the subject see it.
func RequestOf(s Subject, r bundle.Request) (cedar.Request, cedar.EntityMap, error) {
	return newTester(s).request(r)
}
