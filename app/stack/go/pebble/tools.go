//go:build tools

// Package tools pins Pebble, the ACME server of Let's Encrypt for tests, and the name server that goes with it.
package tools

import (
	_ "github.com/letsencrypt/pebble/v2/cmd/pebble"
	_ "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"
)
