//go:build tools

// Package tools pins the Alertmanager server and its command line that the native stack builds.
package tools

import (
	_ "github.com/prometheus/alertmanager/cmd/alertmanager"
	_ "github.com/prometheus/alertmanager/cmd/amtool"
)
