package bench

import (
	"context"
	"encoding/json"
	"net/http"
)

// serveBare answers a decision request without deciding or recording anything:
// the least that a server in Go does for an HTTP request with a JSON body.
func serveBare(ctx context.Context, _ []string, say func(any) error) (func() error, error) {
	return listen(ctx, say, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Subject, Action, Resource, Context json.RawMessage
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, "malformed request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(struct {
			Decision bool              `json:"decision"`
			Context  map[string]string `json:"context"`
		}{true, map[string]string{"id": "none"}})
	}))
}
