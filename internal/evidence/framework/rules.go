package framework

// need is what must be true of a system for an article to apply to it.
type need int

const (
	anySystem   need = iota
	highRisk         // Annex I or Annex III
	listedUse        // Annex III only
	notHighRisk      // what the voluntary codes of Art 95 are for
	tellPeople       // Art 50
	models           // general-purpose AI models
)

// rule says when one article applies to one of those whom it addresses.
type rule struct {
	need need
	kind string // duty where nothing is said
	// only limits the article for everybody, deployer for deployers, by something
	// that nobody is asked.
	only, deployer string
}

func (r rule) applies(a Answers) bool {
	switch r.need {
	case highRisk:
		return a.HighRisk == AnnexI || a.HighRisk == AnnexIII
	case listedUse:
		return a.HighRisk == AnnexIII
	case notHighRisk:
		return a.HighRisk == NotHighRisk
	case tellPeople:
		return a.Transparency != nil && *a.Transparency
	case models:
		return a.GPAI
	}
	return true
}

// addressees reads the words of the facts as roles. Nobody without a role is
// addressed.
func addressees() map[string][]Role {
	everybody := []Role{Provider, Deployer, Importer, Distributor}
	return map[string][]Role{
		"all":                         everybody,
		"any":                         everybody,
		"any person":                  everybody,
		"value chain":                 everybody,
		"provider":                    {Provider},
		"GPAI provider":               {Provider},
		"deployer":                    {Deployer},
		"certain deployers":           {Deployer},
		"provider, deployer":          {Provider, Deployer},
		"provider, public deployers":  {Provider, Deployer},
		"provider (deployer informs)": {Provider, Deployer},
	}
}

// rules has one entry for each article of the facts. Articles 8 to 27 bind
// high-risk systems alone; what attaches to the uses of Annex III is Arts 27, 49,
// 60 and 86.
func rules() map[string]rule {
	high := rule{need: highRisk}
	return map[string]rule{
		"Art 2":    {kind: "context"},
		"Art 3":    {kind: "context"},
		"Art 4":    {},
		"Art 4a":   {only: "only where special categories of personal data are used to find and correct bias"},
		"Art 5":    {},
		"Art 6":    high,
		"Art 8":    high,
		"Art 9":    high,
		"Art 10":   high,
		"Art 11":   high,
		"Art 12":   high,
		"Art 13":   high,
		"Art 14":   high,
		"Art 15":   high,
		"Art 16":   high,
		"Art 17":   high,
		"Art 18":   high,
		"Art 19":   high,
		"Art 20":   high,
		"Art 21":   high,
		"Art 25":   high,
		"Art 26":   high,
		"Art 27":   {need: listedUse, only: "only public bodies, private providers of public services, and certain uses in credit and insurance"},
		"Art 43":   high,
		"Art 47":   high,
		"Art 49":   {need: listedUse, deployer: "deployers: public authorities only"},
		"Art 50":   {need: tellPeople},
		"Art 53":   {need: models},
		"Art 55":   {need: models, only: "only models with systemic risk"},
		"Art 60":   {need: listedUse, only: "only where it is tested in real-world conditions"},
		"Art 72":   high,
		"Art 73":   {need: highRisk, deployer: "deployers: inform the provider"},
		"Annex IV": high,
		"Art 95":   {need: notHighRisk, kind: "voluntary"},
		"Art 85":   {kind: "context"},
		"Art 86":   {need: listedUse},
		"Art 87":   {},
	}
}
