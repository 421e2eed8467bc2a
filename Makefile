# Everything a person does with a checkout. Recipes use relative paths only, so folder names may hold spaces.
# ARGS passes further arguments: make test ARGS="-k config", make chat ARGS="Hello"

BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help chat test lint format types contracts check model bench bench-channels chaos clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

chat: ## Set up everything and talk
	@sh scripts/setup.sh chat
	@$(BIN)/parley chat $(ARGS)

test: ## Set up everything and run the tests
	@sh scripts/setup.sh test
	@$(BIN)/python -m pytest $(ARGS)

lint: ## Check style and format
	@sh scripts/setup.sh test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: ## Mend style and format
	@sh scripts/setup.sh test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: ## Check types, strictly
	@sh scripts/setup.sh test
	@$(BIN)/mypy
	@$(BIN)/mypy scripts/setup.py

contracts: ## Check that imports run one way
	@sh scripts/setup.sh test
	@$(BIN)/lint-imports

check: lint types contracts test ## Everything a change must pass

model: ## Set up and install the default model only
	@sh scripts/setup.sh chat

bench: ## Measure this machine beside the bare model (minutes)
	@sh scripts/setup.sh chat
	@$(BIN)/python -m benchmarks.cold_start $(ARGS)
	@$(BIN)/python -m benchmarks.streaming $(ARGS)
	@$(BIN)/python -m benchmarks.prefix $(ARGS)

bench-channels: ## Measure a channel beside a bare echo bot (minutes)
	@sh scripts/setup.sh test
	@$(BIN)/python -m benchmarks.channel_throughput $(ARGS)
	@$(BIN)/python -m benchmarks.channel_latency $(ARGS)
	@$(BIN)/python -m benchmarks.channel_fairness $(ARGS)
	@$(BIN)/python -m benchmarks.discord_servers $(ARGS)

chaos: ## Kill the program 300 times while people talk, and see that nothing is lost (minutes)
	@sh scripts/setup.sh test
	@$(BIN)/python -m benchmarks.chaos $(ARGS)

clean: ## Remove what was built here; conversations and models stay
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
