package criteria

import "slices"

// controls are the criteria of the 38 controls of Annex A.
func controls() []Criterion {
	return slices.Concat(controlsPolicy(), controlsResources(), controlsImpact(), controlsLifecycle(), controlsData(), controlsInformation(), controlsUse())
}
