# Every habit is one command. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
RUN := .venv/bin/python -m experiments

# An experiment is a file or a folder: experiments/compare_fc.py is `make compare-fc`. The lecture's come first, in order.
FOUND := $(sort $(subst _,-,$(filter-out __%,$(basename $(notdir $(wildcard experiments/*.py))) \
           $(patsubst experiments/%/__init__.py,%,$(wildcard experiments/*/__init__.py)))))
ORDER := $(shell sed -n 's/^    "\(.*\)",$$/\1/p' experiments/__init__.py 2> /dev/null)
EXPERIMENTS := $(filter $(FOUND),$(ORDER)) $(filter-out $(ORDER),$(FOUND))
TARGETS := help setup ray list tables report demo bench test smoke check lock clean
.PHONY: $(TARGETS) $(EXPERIMENTS) .python

# The variables: which targets take each, an example, and what it says. TRIAL_SEEDS=1 is the option --trial-seeds=1.
#= experiment SEEDS=5 runs a variant, with seeds 0 to SEEDS-1
#= experiment EPOCHS=10 passes over the training pictures, for all variants
#= experiment VARIANTS=a,b only these variants
#= experiment,smoke DATASET=mnist only on mnist, fashion-mnist, cifar-10, or digits (which needs no network)
#= experiment CLASSES=cat,dog of quickdraw: fetch the official drawings of these classes (all: of 345)
#= experiment,tables,report,demo,bench RESULTS=results folder for records, tables and figures
#= experiment,smoke WORKERS=2 worker processes; default: the number of cores
#= experiment,smoke DEVICES=cpu:2 what each run computes on: cpu, gpu, and how many of them; default: a GPU each if there are any
#= experiment,smoke PRECISION=float32 what layers compute in: float32, float64, mixed_bfloat16 or mixed_float16
#= experiment CLUSTER=ray run on a Ray cluster: ray for this machine's, or host:port of its head
#= experiment TUNER=hyperband of tune: how recipes are searched: hyperband, random or bayesian
#= experiment TRIALS=12 of tune: recipes tried, each for at most EPOCHS; default: 23 by hyperband, 20 by the others
#= experiment TRIAL_SEEDS=1 of tune: runs a trial
#= experiment VARIANT=lenet5-relu of tune: the network of the zoo whose recipe is searched
#= experiment RETRIES=0 tries more for a run that fails
#= experiment FORCE=1 run again what has a record
#= demo PORT=7860 of demo: where the page is served
#= bench ONLY=epoch,start of bench: only these measurements
#= bench REPEATS=5 of bench: turns of each
#= bench QUICK=1 of bench: what says most, in fewer turns
#= test PYTEST=-x of test: options of pytest, as PYTEST='-k "zoo or depth"'
#= all PYTHON=python3.11 the Python that makes .venv: 3.11, 3.12 or 3.13
HASH := \#
TAKES := $(shell awk '/^$(HASH)= / { n = split($$2, targets, ","); sub(/=.*/, "", $$3); \
           for (i = 1; i <= n; i++) print targets[i] ":" $$3 }' $(firstword $(MAKEFILE_LIST)))
VARIABLES := $(sort $(foreach pair,$(TAKES),$(lastword $(subst :, ,$(pair)))))
SWITCHES := FORCE QUICK
# What programs read by themselves; make passes on what its command line names.
SURROUNDINGS := CNN_CACHE DIGITS KILLS SPACING STORM_SEEDS CUDA_% OMP_% PIP_% RAY_% TF_%

# A value is what was typed, whatever is in it: nothing of it is make's or the shell's to expand. So it is never text
# of a command; it goes by the environment, and the command has its name alone: --seeds="$SEEDS".
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(filter $(VARIABLES) $(SURROUNDINGS),$(GIVEN)) $(VARIABLES),\
  $(if $(filter undefined default,$(origin $(name))),,$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

quoted = '$(subst ','\'',$1)'
near = $(shell $(call quoted,$(or $(wildcard .venv/bin/python),$(PYTHON),python3)) -c 'import difflib, sys; \
         known = {word.casefold(): word for word in sys.argv[2:]}; \
         near = difflib.get_close_matches(sys.argv[1].casefold(), list(known), 1); \
         print(" Did you mean %s?" % known[near[0]] if near else "")' $(call quoted,$1) $2 2> /dev/null)
taken = $(patsubst $1:%,%,$(filter $1:%,$(TAKES)))
asked = $(if $(filter-out 0 no false,$($1)),$1)
option = $(if $(filter $1,$(SWITCHES)),$(if $(asked),--$(shell echo $1 | tr A-Z_ a-z-)),$(if \
           $(filter $1,$(GIVEN))$($1),--$(shell echo $1 | tr A-Z_ a-z-)="$$$1"))
options = $(foreach name,$(call taken,$1),$(call option,$(name)))

# What cannot be is refused before anything is made.
GOALS := $(or $(MAKECMDGOALS),help)
STRANGE := $(firstword $(filter-out $(TARGETS) $(EXPERIMENTS) .venv/.% Makefile,$(GOALS)))
ifneq ($(filter $(VARIABLES),$(STRANGE)),)
$(error $(STRANGE) is a variable, not a target: $(STRANGE)=value)
endif
ifneq ($(STRANGE),)
$(error There is no target '$(STRANGE)'.$(call near,$(STRANGE),$(TARGETS) $(EXPERIMENTS) $(VARIABLES)) `make help` lists all)
endif
UNKNOWN := $(firstword $(filter-out $(VARIABLES) $(SURROUNDINGS) SHELL MAKEFLAGS,$(GIVEN)))
ifneq ($(UNKNOWN),)
$(error There is no variable '$(UNKNOWN)'.$(call near,$(UNKNOWN),$(VARIABLES)) `make help` lists all)
endif
ifeq ($(MAKELEVEL),0)  # else the variables may be those of the make that calls this one
TAKEN := $(foreach goal,all $(GOALS),$(call taken,$(if $(filter $(goal),$(EXPERIMENTS)),experiment,$(goal))))
IDLE := $(firstword $(filter-out $(TAKEN),$(filter $(VARIABLES),$(GIVEN))))
ifneq ($(IDLE),)
$(error `make $(GOALS)` takes no $(IDLE); it takes $(sort $(TAKEN)))
endif
endif
$(foreach name,$(SWITCHES),$(if $(filter-out 0 no false 1 yes true,$($(name))),$(error $(name) is 1 or 0, got '$($(name))')))

help: ## show this list
	@( echo "Usage: make TARGET [VARIABLE=value …]"; \
	echo; echo "Experiments (make list says more):"; \
	for name in $(EXPERIMENTS); do \
	  printf '  %-22s %s\n' $$name "$$(sed -n '1{/^"""/!q;s/^"""//;s/"""$$//;p}' $$(ls experiments/$${name//-/_}.py experiments/$${name//-/_}/__init__.py 2> /dev/null))"; done; \
	echo; echo "Other targets:"; \
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	  printf '  %-22s %s\n' "$$name" "$$text"; done; \
	echo; echo "Variables:"; \
	sed -n 's/^#= [a-z,]* \([^ ]*\) \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	  printf '  %-22s %s\n' "$$name" "$$text"; done; ) || [ $$? = 141 ] # whoever reads no further has what they want

$(EXPERIMENTS): .venv/.runtime $(if $(CLUSTER),.venv/.ray)
	@$(RUN) run $@ $(call options,experiment)

list: .venv/.runtime ## the experiments, with their questions and variants
	@$(RUN) list

tables: .venv/.runtime ## make all tables and figures anew from the records (RESULTS)
	@$(RUN) tables $(call options,tables)

report: .venv/.runtime ## write report.html and claims.csv from the tables (RESULTS)
	@$(RUN) report $(call options,report)

demo: .venv/.demo ## serve a page on this machine: draw, and look inside a trained network (RESULTS, PORT)
	@.venv/bin/python -m demo $(call options,demo)

bench: .venv/.runtime ## measure speed side by side into benchmark.csv (RESULTS, ONLY, REPEATS, QUICK); long
	@$(RUN) bench $(call options,bench)

ray: .venv/.ray ## add Ray to .venv, for CLUSTER and its tests

setup: .venv/.runtime ## build .venv from requirements.txt where it is missing or stale

test: .venv/.development .venv/.demo ## run the tests (PYTEST="-k zoo" passes options)
	@.venv/bin/python -c 'import os, shlex; shlex.split(os.environ.get("PYTEST", ""))' 2> /dev/null || \
	  { echo "error: a quotation mark of PYTEST=$$PYTEST is not closed" >&2; exit 2; }
	@PYTEST_ADDOPTS="$$PYTEST_ADDOPTS $$PYTEST" .venv/bin/python -m pytest

smoke: .venv/.runtime ## a real look in a minute or two: lenet on MNIST, one seed, one epoch
	@folder=$$(mktemp -d) && $(RUN) run lenet --seeds=1 --epochs=1 --results="$$folder" $(call options,smoke) && rm -r $$folder

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

# The Python that makes .venv: the one that was named, or the first of these that is there.
WORKS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
find_python = for python in $(if $(PYTHON),"$$PYTHON",.venv/bin/python python3.11 python3.12 python3.13 python3); do \
    "$$python" -c '$(WORKS)' 2> /dev/null && break; \
    $(if $(PYTHON),echo "error: PYTHON=$$PYTHON is $$("$$python" -c 'import sys; print("Python " + sys.version.split()[0])' \
      2> /dev/null || echo 'no Python that can be started'); expected is Python 3.11$(,) 3.12 or 3.13" >&2; exit 2;) python=; \
  done; \
  [ "$$python" ] || { echo "error: Python 3.11, 3.12 or 3.13 is not there; install one, or name it: make PYTHON=…" >&2; exit 2; }
# Whether .venv is that Python's.
IDENTITY := import sys; print("Python %s in %s" % (sys.version.split()[0], sys.base_prefix))
same_python = [ "$$(.venv/bin/python -c '$(IDENTITY)' 2> /dev/null)" = "$$("$$python" -c '$(IDENTITY)')" ]
, := ,

# pip names what it collects: a terminal sees how far it is, a log the beginning and the end.
define install
echo "Installing $1 into .venv …"; set -o pipefail; \
  .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r $1 | { count=0; \
    while read -r word name rest; do case $$word in \
      Collecting) count=$$((count + 1)); [ ! -t 1 ] || printf '\r\033[K  %s: %s' $$count "$$name";; \
      Installing) [ ! -t 1 ] || printf '\r\033[K'; echo "  $$count packages are here; unpacking them …";; \
    esac; done; [ ! -t 1 ] || printf '\r\033[K'; } && touch $@
endef

.python:
	@$(find_python); [ ! -e .venv/.runtime ] || $(same_python) || { echo "error: .venv is made by" \
	  "$$(.venv/bin/python -c '$(IDENTITY)'), not by PYTHON=$$PYTHON: make clean, then make setup PYTHON=$$PYTHON" >&2; exit 2; }

# A stamp is written last, so an interrupted installation is not taken for a whole one.
.venv/.runtime: requirements.txt | $(if $(PYTHON),.python)
	@$(find_python); [ ! -e .venv ] || $(same_python) || clear=--clear; \
	  echo "Making .venv with $$("$$python" -c 'import sys; print("Python " + sys.version.split()[0])') (a minute or two, once) …"; \
	  "$$python" -m venv $$clear .venv
	@$(call install,requirements.txt)

.venv/.development: .venv/.runtime requirements-dev.txt
	@$(call install,requirements-dev.txt)

.venv/.demo: .venv/.runtime requirements-demo.txt
	@$(call install,requirements-demo.txt)

.venv/.ray: .venv/.runtime requirements-ray.txt
	@$(call install,requirements-ray.txt)
