package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type statusRequest struct{ Credentials }

func (a *api) state(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/status", Summary: "The state of the installation and of its controls"}, "inventory/read",
		func(ctx context.Context, _ caller, _ *statusRequest) (Status, error) {
			status, err := a.Status(ctx)
			status.Open = max(0, status.Open-1) // without the decision to tell this
			return status, err
		})
}
