# `make demo` and `make test` are all a newcomer needs; both set up .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
READY := .venv/ready

.PHONY: help demo test check lint format types contracts wheel clients pins clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Reprise needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## a simulated Salesforce org, a sync, the dashboard (as text where there is no terminal)
	@$(BIN)/reprise demo

test: $(READY) ## all tests, on SQLite and (where its server is installed) PostgreSQL
	$(BIN)/pytest -n auto --dist worksteal -q

check: lint types contracts test ## everything that must hold before a commit lands

lint: $(READY) ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(READY) ## put formatting and simple lint right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## mypy, strict, tests too
	$(BIN)/mypy

contracts: $(READY) ## who may import whom
	$(BIN)/lint-imports

wheel: $(READY) ## build the wheel and try it in an environment of its own
	$(BIN)/python -m tests.wheel

clients: ## install jsforce and the Salesforce CLI for the contract tests (needs npm)
	mkdir -p .node-clients
	cp tests/contract/node/package.json .node-clients/
	npm install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error --prefix .node-clients

pins: ## resolve constraints.txt anew (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q -o constraints.txt

clean: ## remove what make made
	rm -rf .venv .node-clients dist build
