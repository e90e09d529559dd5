package criteria

func clause10() []Criterion { return nil }
