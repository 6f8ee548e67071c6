# The habits of this repository. Every target sets up what it needs; the second time is quick.
PYTHON ?= python3
BIN := .venv/bin
SETUP := $(PYTHON) scripts/bootstrap.py

# The model of the tests' agent run; a larger one is slower and better.
EDGE_AGENT_TEST_AGENT_MODEL ?= qwen2.5-coder-0.5b-instruct
export EDGE_AGENT_TEST_AGENT_MODEL
TEST_MODELS := smollm2-135m-instruct qwen2.5-coder-0.5b-instruct all-minilm-l6-v2 \
	$(EDGE_AGENT_TEST_AGENT_MODEL)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo serve test models test-clients test-openapi test-peer lint format types bench clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## what demo and serve need, in .venv
	@$(SETUP)

setup-dev: ## what tests and checks need, in .venv
	@$(SETUP) --dev

demo: setup ## research one question over the sample library and print the cited answer
	@$(BIN)/edge-agent demo $(ARGS)

serve: setup ## start the server; ARGS="--port 8080 --model auto"
	@$(BIN)/edge-agent serve $(ARGS)

test: setup-dev models ## run the tests; ARGS="-k name" for some of them
	@$(BIN)/python -m pytest $(ARGS)

models: setup-dev
	@for model in $(sort $(TEST_MODELS)); do $(BIN)/edge-agent pull "$$model" || exit 1; done

test-clients: setup-dev models ## other people's clients against a running server, from .venv-clients
	@$(BIN)/python scripts/clients.py
	@EDGE_AGENT_TEST_CLIENTS=1 EDGE_AGENT_PYTHON=$(abspath $(BIN))/python \
		LITELLM_LOCAL_MODEL_COST_MAP=True \
		.venv-clients/bin/python -m pytest --confcutdir=tests/clients tests/clients $(ARGS)

test-openapi: setup-dev ## our OpenAPI document against our server: thousands of generated requests
	@EDGE_AGENT_OPENAPI_EXAMPLES=3000 $(BIN)/python -m pytest -s tests/server/test_openapi.py $(ARGS)

test-peer: setup-dev models ## llama.cpp's own server tests, where they are; ARGS="--tier ext"
	@$(BIN)/python scripts/peer_tests.py $(ARGS)

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup-dev ## rewrite the code as `make lint` wants it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup-dev ## mypy, strict
	@$(BIN)/mypy
	@$(BIN)/mypy scripts

bench: setup ## measure this machine
	@$(BIN)/edge-agent bench $(ARGS)

clean: ## remove the environment and everything built; models and cached wheels stay
	rm -rf .venv .venv-clients build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
