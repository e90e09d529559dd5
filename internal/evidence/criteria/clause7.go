package criteria

func clause7() []Criterion { return nil }
