package main

import "aims/internal/gateway/statement"

// said is what the user says of the run of an agent that a command speaks for.
type said struct {
	Purpose    string `name:"purpose" env:"AIMS_PURPOSE" help:"What the run is for: a purpose that is registered for the agent."`
	OnBehalfOf string `name:"on-behalf-of" env:"AIMS_ON_BEHALF_OF" help:"The person for whom the agent acts."`
	Parent     string `name:"parent" env:"AIMS_PARENT" help:"The receipt of the decision by which another run delegated to this one."`
}

func (s said) statement() statement.Statement {
	return statement.Statement{Purpose: s.Purpose, OnBehalfOf: s.OnBehalfOf, Parent: s.Parent}
}
