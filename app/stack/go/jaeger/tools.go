//go:build tools

// Package tools pins the Jaeger v2 server that the native stack builds.
package tools

import _ "github.com/jaegertracing/jaeger/cmd/jaeger"
