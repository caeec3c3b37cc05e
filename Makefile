PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of `make run`: sample, standard or ulmfit.
PROFILE ?= sample
INSTALLED := $(VENV)/installed

.PHONY: run test lint screenshots ui-screenshots deploy clean

run: $(INSTALLED)
	$(BIN)/python -m flows.full --profile $(PROFILE) $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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
