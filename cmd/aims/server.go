package main

import (
	"os"
	"strings"

	"aims/internal/api"
)

// server says where the server is and with which key to speak to it. The key
// comes from the environment or a file, because a command line can be read by
// every user of the machine.
type server struct {
	URL     string `name:"url" env:"AIMS_URL" default:"http://${listen}" help:"Address of the server."`
	KeyFile string `name:"key-file" env:"AIMS_KEY_FILE" type:"path" help:"File that holds the key; AIMS_KEY holds the key itself."`
}

func (s server) key() (string, error) {
	if key := os.Getenv("AIMS_KEY"); key != "" {
		return key, nil
	}
	if s.KeyFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return "", failf(exitUsage, "the key cannot be read: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (s server) client() (*api.Client, error) {
	key, err := s.key()
	if err != nil {
		return nil, err
	}
	return api.NewClient(s.URL, key)
}
