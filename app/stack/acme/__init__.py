"""Gets the gateway's certificate from a public authority by ACME (RFC 8555) and renews it in time."""
