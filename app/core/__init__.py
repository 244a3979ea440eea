"""The kit that a cloner keeps: settings, logs, metrics, traces, errors, health. Imports nothing else of ours."""
