PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of `make run`: sample, standard or ulmfit.
PROFILE ?= sample
INSTALLED := $(VENV)/installed
# What the image installs, each file with its hash. uv keeps the versions that the file has.
LOCK := deployments/requirements.txt
COMPILE := $(BIN)/python -m uv pip compile pyproject.toml --extra image --generate-hashes --quiet --no-header \
	--python-version 3.11.16 --python-platform x86_64-manylinux_2_28

.PHONY: run test lint lock check-lock audit faults screenshots ui-screenshots deploy clean

run: $(INSTALLED)
	$(BIN)/python -m flows.full --profile $(PROFILE) $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# `make lock ARGS=--upgrade` takes the newest versions, `ARGS="--upgrade-package torch"` those of one package.
lock: $(INSTALLED)
	$(COMPILE) --output-file $(LOCK) $(ARGS)

# Fails if pyproject.toml asks for anything that the file does not have, or no longer for something that it has.
check-lock: $(INSTALLED)
	copy=$$(mktemp) && trap "rm $$copy" EXIT && cp $(LOCK) $$copy && \
	$(COMPILE) --output-file $$copy && diff $(LOCK) $$copy

# Asks a service which of the pinned versions have known vulnerabilities.
audit: $(INSTALLED)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement $(LOCK) $(ARGS)

# An hour or more, once a week: runs are killed, disks fill up, clocks jump. Fails if anything is lost.
faults: $(INSTALLED)
	$(BIN)/python -m benchmarks.faults --json $(ARGS)

screenshots: $(INSTALLED)
	$(BIN)/python scripts/report_screenshots.py $(ARGS)

deploy: $(INSTALLED)
	$(BIN)/prefect --no-prompt deploy --prefect-file deployments/prefect.yaml --all

ui-screenshots: $(INSTALLED)
	$(BIN)/python scripts/ui_screenshots.py

clean:
	rm -rf $(VENV) build *.egg-info

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
