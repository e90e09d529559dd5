package policy

// Occurrences are all things that can happen to a bundle.
var Occurrences = []occurrence{publish, approve, activate, replace, withdraw, restore}

// Next is the life cycle.
func Next(in State, on occurrence) (State, error) { return next(in, on) }
