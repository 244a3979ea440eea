# Every task of the project. `make` alone shows this list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
MODE ?= auto
STAMP := $(VENV)/.ready
# Most of the time the tests wait for servers: two processes halve it, more would only disturb each other.
TEST_PROCESSES ?= 2

.PHONY: drill faults fault-cases bench bench-load bench-dashboards help generated servers venv up down status doctor story demo preview pictures token backup restore clean test test-unit test-compose lint fmt generate requirements coverage-map

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "; print "Nöbet: the night watch for FastAPI services\n"} /^[a-z-]+:.*## / {printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nFirst time here? make up\n'

$(STAMP): requirements/dev.txt
	@bash scripts/venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

venv: $(STAMP) ## Make the Python environment (.venv) from the pinned requirements

up: $(STAMP) ## Start the stack; MODE=native or MODE=compose forces one way
	@$(RUN) -m app.cli up --mode $(MODE)

down: $(STAMP) ## Stop the stack; the data stays
	@$(RUN) -m app.cli down --mode $(MODE)

status: $(STAMP) ## Show what runs, how healthy it is and what it needs
	@$(RUN) -m app.cli status --mode $(MODE)

doctor: $(STAMP) ## Look at the machine and walk every path; each break with its cause and fix
	@$(RUN) -m app.cli doctor --mode $(MODE) $(ARGS)

story: $(STAMP) ## Show one request everywhere: make story ID=abc123
	@$(RUN) -m app.cli story "$(ID)"

demo: $(STAMP) ## Send lifelike traffic with failures in it; Ctrl-C ends it
	@$(RUN) -m app.cli demo $(SCENARIO) $(if $(RATE),--rate $(RATE)) $(if $(MINUTES),--minutes $(MINUTES))

preview: $(STAMP) ## Show the dashboards of the running stack without Grafana; Ctrl-C ends it
	@$(RUN) -m app.cli preview

pictures: $(STAMP) ## Make the pictures of all dashboards in docs/images/dashboards, from the running stack
	@$(RUN) -m tests.pictures

drill: $(STAMP) ## Break everything on purpose and watch each alert come and go (an hour); ALERTS="RedisDown …" for some
	@$(RUN) -m $(if $(ALERTS)$(ARGS),app.cli drill $(ALERTS) $(ARGS),tests.drilled)

token: $(STAMP) ## Print the bearer token of /metrics
	@$(RUN) -m app.cli token

backup: $(STAMP) ## Save everything of the running stack, sealed and read back: make backup TO=/mnt/backups
	@$(RUN) -m app.cli backup --mode $(MODE) $(if $(TO),--to "$(TO)")

restore: $(STAMP) ## Bring a backup into an empty stack: make restore BACKUP=newest or a folder
	@$(RUN) -m app.cli restore --mode $(MODE) $(if $(FROM),--from "$(FROM)") $(if $(KEY),--key-file "$(KEY)") $(if $(FORCE),--force) "$(BACKUP)"

clean: $(STAMP) ## Stop the stack and remove its state (.stack); asks first
	@$(RUN) -m app.cli clean

servers: $(STAMP)
	@echo "Getting the servers that the checks run against (minutes the first time) …"
	@$(RUN) -m app.stack.install

test: lint servers ## Run every check: lint, containers, unit, configuration, integration and end to end
	@bash scripts/test.sh "$(VENV)/bin/pytest" $(TEST_PROCESSES)

test-unit: $(STAMP) ## Run the quick tests that need no server
	@$(VENV)/bin/pytest tests/unit

test-compose: $(STAMP) servers ## Run docker-compose.yml in real containers, on an engine of its own (root, Debian); REAL=1: the machine's, real images
	@REAL=$(REAL) bash scripts/docker_engine.sh
	@REAL=$(REAL) $(VENV)/bin/pytest tests/compose

faults: $(STAMP) servers ## Kill everything at random; nothing may be lost or doubled: RUNS=10 SEED=… or HOURS=1
	@$(RUN) -m tests.faults --runs $(or $(RUNS),10) $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS)) \
		$(if $(STEPS),--steps $(STEPS)) $(if $(RECORD),--record $(RECORD))

bench: $(STAMP) ## Measure us beside named peers (25 min) and write bench/RESULTS.md; QUICK=1 only shows that it works
	@bash scripts/venv_bench.sh "$(RUN)" .venv-bench || echo "The peers could not be installed: those that are missing are left out and named."
	@$(RUN) -m bench $(if $(QUICK),--quick) $(ARGS)

fault-cases: $(STAMP) servers ## Run the fault cases in their full length: a million lines, 300 requests without answers; half an hour
	@NOBET_TEST_FAULTS=full CHAT_KILLS=50 NOBET_TEST_OUTAGE_SECONDS=120 $(VENV)/bin/pytest --timeout=7200 \
		tests/integration/shipper tests/integration/app/test_spool_faults.py \
		tests/integration/app/test_worker_deaths.py tests/integration/app/test_chat.py tests/integration/cleanup/test_faults.py

bench-load: $(STAMP) ## Measure the app with and without observability; needs the running stack
	@$(RUN) -m bench.load $(ARGS)

bench-dashboards: $(STAMP) ## Time each dashboard over 24 h and all rules on the running stack; HOURS=6, FILL=10 makes a day of its last 10 minutes
	@$(RUN) -m bench.dashboards $(if $(HOURS),--hours $(HOURS)) $(if $(FILL),--fill $(FILL))

lint: $(STAMP) generated ## Check style, types, imports and generated files
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-cache >/dev/null || $(VENV)/bin/lint-imports
	@$(VENV)/bin/yamllint --strict $$(git ls-files '*.yml' '*.yaml')
	@$(VENV)/bin/hadolint docker/*/Dockerfile
	@$(VENV)/bin/hadolint --config tests/compose/images/.hadolint.yaml tests/compose/images/*/Dockerfile

fmt: $(STAMP) ## Format the code
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

generate: $(STAMP) ## Write everything that is made from declarations
	@bash scripts/generate.sh "$(RUN)"

generated: $(STAMP)
	@bash scripts/generate.sh "$(RUN)" --check

requirements: ## Compile the pinned requirements from pyproject.toml (needs uv)
	@bash scripts/requirements.sh

coverage-map: $(STAMP) ## Show which requirement rows are proven by which test
	@$(VENV)/bin/pytest --collect-only -q --coverage-map
