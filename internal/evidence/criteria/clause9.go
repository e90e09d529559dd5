package criteria

func clause9() []Criterion { return nil }
