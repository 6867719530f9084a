# `make demo` and `make test` work on a fresh machine that has Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# A process per core, each with one thread: more threads would only wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile
INPUTS := pyproject.toml constraints.txt Makefile
DRAWN := --data rendered:people=8000,photos=2,seed=1 --split train --val-split val

# network:steps
SMALL := efficientnet:800 convmixer:450 vit:450

.PHONY: demo example zoo-backbones test test-slow check format clean
.DEFAULT_GOAL := demo

## The embedded example from end to end: drawn faces, the shipped network, an audit of it.
demo: .venv/.ready-demo
	$(BIN)/hae-audit evaluate --out runs/demo

## The shipped checkpoints hae/zoo/example*.safetensors, from nothing: about 40 minutes on a core.
example: .venv/.ready-demo
	$(BIN)/hae-audit train age $(DRAWN) --config recipes/example-backbone.toml \
		--out runs/example-backbone
	$(BIN)/hae-audit train age $(DRAWN) --config recipes/example.toml \
		--set model.backbone.init=runs/example-backbone/model.safetensors --out runs/example-hae
	cp runs/example-hae/model.safetensors hae/zoo/example.safetensors
	$(BIN)/hae-audit train expression --config recipes/example-expression.toml \
		--data rendered:people=6000,photos=3,ambiguous=0.15 --split train --val-split val \
		--out runs/example-expression
	cp runs/example-expression/model.safetensors hae/zoo/example_expression.safetensors

## The shipped first weights hae/zoo/small_*.safetensors, from nothing: a few minutes each on a core.
zoo-backbones: .venv/.ready-demo
	set -e; for pair in $(SMALL); do name=$${pair%:*}; \
		$(BIN)/hae-audit train age $(DRAWN) --config recipes/small-backbone.toml \
			--set steps=$${pair#*:} --set name=small-$$name \
			--set model.backbone.name=small_$$name \
			--cache runs/small-cache --out runs/small-$$name; \
		cp runs/small-$$name/model.safetensors hae/zoo/small_$$name.safetensors; \
	done

## Every check: format, lint, types, tests, doctests, browser tests.
test: check
	$(PYTEST) -m "not slow"

test-slow: check
	$(PYTEST)

check: .venv/.ready-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv runs build dist *.egg-info

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) must be Python 3.11 or newer; use make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.ready-demo: .venv/.created $(INPUTS)
	@echo "installing into .venv (once; several minutes: torch is large)"
	$(PIP) -e '.[onnx]'
	@touch $@

.venv/.ready-test: .venv/.created $(INPUTS)
	@echo "installing into .venv (once; several minutes: torch is large)"
	$(PIP) -e '.[onnx,weights,dev]'
	@touch .venv/.ready-demo
	-@command -v chromium >/dev/null || { \
		root=""; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
		command -v apt-get >/dev/null && $$root apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq chromium >/dev/null; } || \
		echo "no chromium: the browser tests will be skipped"
	@touch $@
