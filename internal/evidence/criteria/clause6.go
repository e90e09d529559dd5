package criteria

func clause6() []Criterion { return nil }
