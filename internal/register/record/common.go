package record

// Common is what every record has, for questions that are asked of all kinds.
func (b Base) Common() Base { return b }
