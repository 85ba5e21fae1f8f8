# make setup | book | test | lab | view      (plain `make` prints this help)
#
# Each target makes .venv on first use. Variables:
#   PYTHON=/path/to/python3   an interpreter, 3.11 or newer
#   TORCH_INDEX=URL           a package index to take torch from (a CPU-only one
#                             saves several GB on Linux; see README.md)
#   PROFILE=quick|paper       size of the run
#   JOBS=2                    tests side by side
#   ARGS="-m 'not book'"      more words for pytest, or for JupyterLab

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.lindecay-ready
PROFILE ?= quick
PORT ?= 8000
JOBS ?= 2
NEWER := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEWER)' 2>/dev/null && { command -v $$p; exit; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check
export PIP_NO_INPUT := 1

.PHONY: help setup book test lab view lint lock archive clean

help:
	@echo "make setup   install everything into .venv (1.8 GB, about 4 minutes)"
	@echo "make book    run what changed, render the book into _build/html"
	@echo "make test    every test, the executed book included"
	@echo "make lab     open copies of the chapters as notebooks in JupyterLab"
	@echo "make view    serve the rendered book on this machine"
	@echo "more: lint, lock (renew requirements.lock), clean (forget _build)"

setup: $(STAMP)
	@echo "ready: $(BIN)/lindecay --help"

$(STAMP): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(NEWER)'; then \
		echo "lindecay needs Python 3.11 or newer; found: $$(python3 -V 2>&1)"; \
		echo "install one, then: make setup PYTHON=/path/to/python3"; exit 1; fi
	@echo "[1/4] $(VENV) with $$("$(PYTHON)" -V)"
	@[ -x $(BIN)/pip ] || "$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "no venv module; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "[2/4] torch, in a step of its own"
	@$(PIP) install -qq $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) \
		"$$(grep -i '^torch==' requirements.lock)"
	@echo "[3/4] $$(grep -c '==' requirements.lock) packages of requirements.lock"
	@$(PIP) install -qq -r requirements.lock
	@echo "[4/4] lindecay itself"
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

book: $(STAMP)
	@$(BIN)/lindecay run --profile $(PROFILE) --book

test: $(STAMP)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

lab: $(STAMP)
	@$(BIN)/python -m lindecay.site.lab $(ARGS)

view: book
	@echo "http://127.0.0.1:$(PORT)/  (Ctrl-C ends it)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 -d _build/html $(PORT)

lint: $(STAMP)
	@$(BIN)/ruff check lib tests && $(BIN)/ruff format --check lib tests
	@$(BIN)/lint-imports

archive: book
	@$(BIN)/python -m lindecay.site.archive $(PROFILE)

lock: $(STAMP)
	@$(BIN)/python -m lindecay.site.lock

clean:
	rm -rf _build
