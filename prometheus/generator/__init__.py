"""Makes the Prometheus rules and the runbook from one declaration of each alert.

`python -m prometheus.generator` writes `prometheus/rules/` and
`docs/runbook.md`; the committed files must equal its output. With `--scale`
the same rules come with all windows and holding times shortened by that
factor, for drills and tests that cannot wait.
"""
