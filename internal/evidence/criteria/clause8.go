package criteria

func clause8() []Criterion { return nil }
