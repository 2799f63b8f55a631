# Every habit is one command. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
RESULTS ?= results

# An experiment is a file: experiments/compare_fc.py is `make compare-fc`.
EXPERIMENTS := $(sort $(subst _,-,$(basename $(notdir $(filter-out experiments/_%,$(wildcard experiments/*.py))))))
RUN := .venv/bin/python -m experiments
OPTIONS = --results "$(RESULTS)" $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(EPOCHS),--epochs "$(EPOCHS)") \
          $(if $(VARIANTS),--variants "$(VARIANTS)") $(if $(DATASET),--dataset "$(DATASET)") \
          $(if $(CLASSES),--classes "$(CLASSES)") $(if $(DEVICES),--devices "$(DEVICES)") $(if $(PRECISION),--precision "$(PRECISION)") \
          $(if $(CLUSTER),--cluster "$(CLUSTER)") \
          $(if $(TUNER),--tuner "$(TUNER)") $(if $(TRIALS),--trials "$(TRIALS)") \
          $(if $(TRIAL_SEEDS),--trial-seeds "$(TRIAL_SEEDS)") $(if $(VARIANT),--variant "$(VARIANT)") \
          $(if $(WORKERS),--workers "$(WORKERS)") $(if $(RETRIES),--retries "$(RETRIES)") \
          $(if $(filter-out 0 no false,$(FORCE)),--force)

.PHONY: help setup ray list tables report demo bench test smoke check lock clean $(EXPERIMENTS)

help: ## show this list
	@echo "Usage: make TARGET [VARIABLE=value …]"
	@echo; echo "Experiments (make list says more):"
	@for name in $(EXPERIMENTS); do \
	  printf '  %-22s %s\n' $$name "$$(sed -n '1{/^"""/!q;s/^"""//;s/"""$$//;p}' experiments/$${name//-/_}.py)"; done
	@echo; echo "Other targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	  printf '  %-22s %s\n' "$$name" "$$text"; done
	@echo; echo "Variables of an experiment:"
	@printf '  %-22s %s\n' \
	  SEEDS=5 "runs a variant, with seeds 0 to SEEDS-1" \
	  EPOCHS=10 "passes over the training pictures, for all variants" \
	  VARIANTS=a,b "only these variants" \
	  DATASET=mnist "only on mnist, fashion-mnist, cifar-10, or digits (which needs no network)" \
	  CLASSES=cat,dog "of quickdraw: fetch the official drawings of these classes (all: of 345)" \
	  RESULTS=results "folder for records, tables and figures" \
	  WORKERS=2 "worker processes; default: the number of cores" \
	  DEVICES=cpu:2 "what each run computes on: cpu, gpu, and how many of them; default: a GPU each if there are any" \
	  PRECISION=float32 "what layers compute in: float32, mixed_bfloat16 or mixed_float16" \
	  CLUSTER=ray "run on a Ray cluster: ray for this machine's, or host:port of its head" \
	  TUNER=hyperband "of tune: how recipes are searched: hyperband, random or bayesian" \
	  TRIALS=12 "of tune: recipes tried, each for at most EPOCHS; default: 23 by hyperband, 20 by the others" \
	  TRIAL_SEEDS=1 "of tune: runs a trial" \
	  VARIANT=lenet5-relu "of tune: the network of the zoo whose recipe is searched" \
	  RETRIES=0 "tries more for a run that fails" \
	  FORCE=1 "run again what has a record" \
	  PYTHON=python3.11 "the Python that makes .venv" \
	  PORT=7860 "where the demo page is served"

$(EXPERIMENTS): .venv/.runtime $(if $(CLUSTER),.venv/.ray)
	@$(RUN) run $@ $(OPTIONS)

list: .venv/.runtime ## the experiments, with their questions and variants
	@$(RUN) list

tables: .venv/.runtime ## make all tables and figures anew from the records (RESULTS)
	@$(RUN) tables --results "$(RESULTS)"

report: .venv/.runtime ## write report.html and claims.csv from the tables (RESULTS)
	@$(RUN) report --results "$(RESULTS)"

demo: .venv/.demo ## serve a page on this machine: draw, and look inside a trained network (RESULTS, PORT)
	@.venv/bin/python -m demo --results "$(RESULTS)" $(if $(PORT),--port "$(PORT)")

bench: .venv/.runtime ## measure speed side by side into benchmark.csv (RESULTS, ONLY=epoch,start, REPEATS=5); long, and shorter with QUICK=1
	@$(RUN) bench --results "$(RESULTS)" $(if $(ONLY),--only "$(ONLY)") $(if $(REPEATS),--repeats "$(REPEATS)") \
	  $(if $(filter-out 0 no false,$(QUICK)),--quick)

ray: .venv/.ray ## add Ray to .venv, for CLUSTER and its tests

setup: .venv/.runtime ## build .venv from requirements.txt where it is missing or stale

test: .venv/.development .venv/.demo ## run the tests (PYTEST="-k zoo" passes options)
	@.venv/bin/python -m pytest $(PYTEST)

smoke: .venv/.runtime ## a real look in a minute or two: lenet on MNIST, one seed, one epoch
	@folder=$$(mktemp -d) && $(MAKE) --no-print-directory lenet SEEDS=1 EPOCHS=1 RESULTS=$$folder && rm -r $$folder

check: .venv/.development ## lint, format and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

lock: .venv/.development ## compile requirements*.txt anew from requirements*.in
	@for name in requirements requirements-dev requirements-ray requirements-bench requirements-demo; do \
	  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header $$name.in -o $$name.txt; done

clean: ## remove .venv and what tools cache; results stay
	@rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp is written last, so an interrupted installation is not taken for a whole one.
.venv/.runtime: requirements.txt
	@command -v $(PYTHON) > /dev/null || { echo "error: $(PYTHON) is not there; install Python 3.11, or name it: make PYTHON=…" >&2; exit 2; }
	@echo "Setting up .venv (a minute or two, once) …"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.development: .venv/.runtime requirements-dev.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.venv/.demo: .venv/.runtime requirements-demo.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-demo.txt
	@touch $@

.venv/.ray: .venv/.runtime requirements-ray.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-ray.txt
	@touch $@
