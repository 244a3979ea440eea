//go:build tools

// Package tools pins Docker Compose, with which the tests check docker-compose.yml.
package tools

import _ "github.com/docker/compose/v2/cmd"
