package identity

import "encoding/json"

// ResourceMetadata is the OAuth 2.0 protected-resource metadata (RFC 9728 §2)
// by which a client learns where to get a token for a resource.
type ResourceMetadata struct {
	// Resource is the resource's identifier, the URL that the client connects to.
	Resource string `json:"resource"`
	// AuthorizationServers are issuers.
	AuthorizationServers   []string `json:"authorization_servers,omitempty"`
	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported []string `json:"bearer_methods_supported"`
	ResourceName           string   `json:"resource_name,omitempty"`
}

// ResourceMetadata is the document for one resource of the installation. A
// client asks for a token with the resource as indicator (RFC 8707), so it
// must be among the configured audiences.
func (d *Directory) ResourceMetadata(resource, name string) ([]byte, error) {
	m := ResourceMetadata{Resource: resource, ResourceName: name, BearerMethodsSupported: []string{"header"}}
	if d.tokens != nil {
		m.AuthorizationServers = []string{d.tokens.Issuer}
	}
	return json.Marshal(m)
}

// Challenge is the WWW-Authenticate header of an answer to a request with no
// or bad credentials; metadata is the URL of the resource's metadata, empty
// for none (RFC 9728 §5.1).
func Challenge(metadata string, presented bool) string {
	challenge := `Bearer realm="aims"`
	if presented {
		challenge += `, error="invalid_token"`
	}
	if metadata != "" {
		challenge += `, resource_metadata="` + metadata + `"`
	}
	return challenge
}
