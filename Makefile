# Two commands do everything on a fresh machine: `make demo` (the main job) and `make test` (all tests).
.PHONY: help demo test quick lint

help:
	@echo "make demo    probe, estimate, plan, render and verify a real model on this machine"
	@echo "make test    set up and run all tests (with a container engine where there is, or can be, one)"
	@echo "make quick   the fast tests: no container, no server, no framework"
	@echo "make lint    types, lint, format"

demo:
	@scripts/setup.sh
	@scripts/demo.sh

test:
	@scripts/setup.sh test
	@scripts/test.sh

quick:
	@scripts/setup.sh test
	@.venv/bin/pytest -n auto -m "not engine and not slow"

lint:
	@scripts/setup.sh test
	@scripts/lint.sh
