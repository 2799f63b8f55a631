# One command for each task. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
RUN := .venv/bin/python -m experiments

# Each file or folder of experiments/ is a target: experiments/compare_fc.py is `make compare-fc`. Listed in ORDER.
FOUND := $(sort $(subst _,-,$(filter-out __%,$(basename $(notdir $(wildcard experiments/*.py))) \
           $(patsubst experiments/%/__init__.py,%,$(wildcard experiments/*/__init__.py)))))
ORDER := $(shell sed -n 's/^    "\(.*\)",$$/\1/p' experiments/__init__.py 2> /dev/null)
EXPERIMENTS := $(filter $(FOUND),$(ORDER)) $(filter-out $(ORDER),$(FOUND))
TARGETS := help quick setup ray list tables summary report demo bench test smoke check lock clean
.PHONY: $(TARGETS) $(EXPERIMENTS) .python

# The variables, in groups (#:): targets that take it, an example, and its help. TRIAL_SEEDS=1 becomes the option
# --trial-seeds=1, which has the same help in lab/command/arguments.py.
#: what an experiment runs
#= experiment SEEDS=5 number of runs of each variant, with the seeds 0, 1, 2, …
#= experiment EPOCHS=10 passes over the training pictures, for all variants
#= experiment VARIANTS=a,b run only these variants
#= experiment,quick,smoke DATASET=mnist run only on mnist, fashion-mnist, cifar-10, or, without a download, quickdraw, digits or cifar-10-sample
#= experiment CLASSES=cat,dog for quickdraw: download the official drawings of these classes, or of all 345 with `all`
#= experiment FORCE=1 run again what already has a record
#= experiment RATES=1 run no row, but choose each row's learning rate by the experiment's grid, on validation pictures
#= experiment RETRIES=0 how often a failed run is tried again
#= experiment,quick,tables,summary,report,demo,bench RESULTS=results folder of records, tables and figures (default: results)
#: where and how it runs
#= experiment,quick,smoke WORKERS=2 number of worker processes (default: one per core)
#= experiment,smoke DEVICES=cpu:2 devices of each run: cpu, gpu, or with their number, as cpu:2 (default: one GPU if there are any)
#= experiment,smoke PRECISION=float32 number format of the layers: float32, float64, mixed_bfloat16 or mixed_float16
#= experiment,smoke PLAIN=1 train by Keras's own operations, also where there are faster ones
#= experiment CLUSTER=ray run on a Ray cluster: `ray` for this machine's own, or host:port of the head node
#: how tune searches
#= experiment TUNER=hyperband for tune: the search method, hyperband, random or bayesian (default: hyperband)
#= experiment TRIALS=12 for tune: number of recipes to try (default: 23 by hyperband, 20 by the others)
#= experiment TRIAL_SEEDS=1 for tune: number of runs of each trial, with the seeds 100, 101, …
#= experiment VARIANT=lenet5-relu for tune: the network whose recipe is searched
#: other targets
#= demo PORT=7860 port of the page (default: the first free one from 7860)
#= report LANGUAGE=en language of the report, en or ru: report.html or report-ru.html (default: en)
#= bench ONLY=epoch,start only these measurements; an unknown name lists all
#= bench REPEATS=5 how often each is measured (default: 5, fewer if quick)
#= bench QUICK=1 only the most telling measurements, fewer times
#= test ALL=1 also the slow tests, and those of several hosts and nodes: a quarter of an hour more
#= test PYTEST=-x options of pytest, as PYTEST='-k "zoo or depth"'
#= all PYTHON=python3.11 the Python that makes .venv: 3.11, 3.12 or 3.13 (default: the newest)
HASH := \#
TAKES := $(shell awk '/^$(HASH)= / { n = split($$2, targets, ","); sub(/=.*/, "", $$3); \
           for (i = 1; i <= n; i++) print targets[i] ":" $$3 }' $(firstword $(MAKEFILE_LIST)))
VARIABLES := $(sort $(foreach pair,$(TAKES),$(lastword $(subst :, ,$(pair)))))
SWITCHES := ALL FORCE PLAIN QUICK RATES
# Environment variables that programs read. `make NAME=value` passes these on too.
SURROUNDINGS := CNN_CACHE DIGITS KILLS SPACING STORM_SEEDS CUDA_% OMP_% PIP_% RAY_% TF_% UV_%

# A value must reach the program exactly as typed: neither make nor the shell may expand any part of it. So it is
# exported to the environment, and the command contains only its name: --seeds="$SEEDS".
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
# LANGUAGE is also a variable of many systems' own, where it says something else: only the command line's counts.
option = $(if $(filter $1,$(SWITCHES)),$(if $(asked),--$(shell echo $1 | tr A-Z_ a-z-)),$(if \
           $(filter $1,$(GIVEN))$(if $(filter LANGUAGE,$1),,$($1)),--$(shell echo $1 | tr A-Z_ a-z-)="$$$1"))
options = $(foreach name,$(call taken,$1),$(call option,$(name)))

# Unknown targets and variables are refused before anything is built.
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
ifeq ($(MAKELEVEL),0)  # a make that calls this one may have set the variables for itself
TAKEN := $(foreach goal,all $(GOALS),$(call taken,$(if $(filter $(goal),$(EXPERIMENTS)),experiment,$(goal))))
IDLE := $(firstword $(filter-out $(TAKEN),$(filter $(VARIABLES),$(GIVEN))))
ifneq ($(IDLE),)
$(error `make $(GOALS)` takes no $(IDLE); it takes $(sort $(TAKEN)))
endif
endif
$(foreach name,$(SWITCHES),$(if $(filter-out 0 no false 1 yes true,$($(name))),$(error $(name) is 1 or 0, got '$($(name))')))

# Prints the help in 80 columns: experiments, targets (##) and variables (#=) of this file. Only what awk has on every
# system. An experiment's minutes are those of our own runs, its text is the first line of its file.
define HELP
function say(head, text,   words, count, i, line) {
  count = split(text, words, " "); line = sprintf("%-25s", head)
  for (i = 1; i <= count; i++) {
    if (length(line) + length(words[i]) > 79) { print line; line = sprintf("%25s", "") }
    line = line " " words[i]
  }
  print line
}
function about(name,   file, line) {
  file = "experiments/" name; gsub(/-/, "_", file)
  if ((getline line < (file ".py")) <= 0) getline line < (file "/__init__.py")
  if (line !~ /^"""/) return ""
  gsub(/"""/, "", line); sub(/ \(slides? .*/, "", line); sub(/\.$$/, "", line)
  return line
}
BEGIN {
  print "Usage: make TARGET [VARIABLE=value …]"
  print "\nExperiments in the lecture's order, with their minutes on two cores:"
  while ((getline line < "results/reference/minutes.csv") > 0) { split(line, cells, ","); minutes[cells[1]] = cells[2] }
  count = split(experiments, names, " ")
  for (i = 1; i <= count; i++) say(sprintf("  %-19s%3s", names[i], minutes[names[i]]), about(names[i]))
  print "  (no minutes: seconds; ≥: at least; ?: not measured; questions: make list)\n\nOther targets:"
}
/^[a-z-]+:.*## / { name = $$1; sub(/:$$/, "", name); sub(/.*## /, ""); say("  " name, $$0) }
/^$(HASH)[:] / { sub(/^..  */, ""); variables = variables "\n\n" $$0 }
/^$(HASH)= / { variables = variables "\n" $$0 }
END {
  count = split(variables, lines, "\n")
  for (i = 2; i <= count; i++) {
    if (lines[i] !~ /^$(HASH)=/) { print (lines[i] ? "Variables: " : "") lines[i]; continue }
    split(lines[i], words, " "); text = lines[i]; sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", text); say("  " words[3], text)
  }
}
endef
export HELP

help: ## print this list
	@awk -v experiments="$(EXPERIMENTS)" "$$HELP" $(firstword $(MAKEFILE_LIST)) || [ $$? = 141 ] # 141: `make help | head` closes the pipe

$(EXPERIMENTS): .venv/.runtime $(if $(CLUSTER),.venv/.ray)
	@$(RUN) run $@ $(call options,experiment)

# In a folder of its own, so that no table has both these rows and those of the declared recipes.
quick: .venv/.runtime ## a first look at five experiments in about a minute, into results/quick: one seed, one epoch (DATASET, RESULTS, WORKERS)
	@folder="$${RESULTS:-results/quick}"; \
	echo "A first look, about a minute on two cores: pictures, shifts and parameters, then the networks of two experiments, one epoch each."; \
	$(RUN) run filters parameters --results="$$folder" $(call option,WORKERS) && \
	$(RUN) run equivariance --variants=conv-valid,conv-relu-conv,conv-same,conv-stride2,max-pool,worked-4x4 --results="$$folder" $(call option,WORKERS) && \
	$(RUN) run compare-fc lenet --seeds=1 --epochs=1 --results="$$folder" $(call option,DATASET) $(call option,WORKERS) && \
	$(RUN) report --results="$$folder" && \
	echo "This was a look: from one seed and one epoch nothing trained is judged. The real calls: make compare-fc, make lenet."

list: .venv/.runtime ## list the experiments with their questions and variants
	@$(RUN) list

tables: .venv/.runtime ## write all tables again from the records, and the figures of those that changed (RESULTS)
	@$(RUN) tables $(call options,tables)

summary: .venv/.runtime ## print parameters, receptive fields and test errors side by side (RESULTS)
	@$(RUN) summary $(call options,summary)

report: .venv/.runtime ## write report.html and claims.csv from the tables (LANGUAGE, RESULTS)
	@$(RUN) report $(call options,report)

demo: .venv/.demo ## serve a page to this machine only: draw, and look inside a trained network (RESULTS, PORT)
	@.venv/bin/python -m demo $(call options,demo)

bench: .venv/.runtime ## measure speed side by side, into benchmark.csv; takes long (RESULTS, ONLY, REPEATS, QUICK)
	@$(RUN) bench $(call options,bench)

ray: .venv/.ray ## install Ray into .venv, for CLUSTER and its tests

setup: .venv/.runtime ## build .venv from requirements.txt if it is missing or out of date

# Four at a time at most, whatever the cores: each has a TensorFlow of its own. Then those that need the machine alone.
test: .venv/.development .venv/.demo ## run the tests in some minutes, one a core (ALL=1: also the slow ones; PYTEST="-k zoo": as pytest is told, one by one)
	@.venv/bin/python -c 'import os, shlex; shlex.split(os.environ.get("PYTEST", ""))' 2> /dev/null || \
	  { echo "error: a quotation mark of PYTEST=$$PYTEST is not closed" >&2; exit 2; }
	@$(if $(PYTEST),PYTEST_ADDOPTS="$$PYTEST_ADDOPTS $$PYTEST" .venv/bin/python -m pytest, \
	  .venv/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not alone$(if $(call asked,ALL),, and not slow)" \
	  $(if $(call asked,ALL),&& .venv/bin/python -m pytest -m alone))

smoke: .venv/.runtime ## try everything out in a minute or two: lenet on MNIST, one seed, one epoch (DATASET, WORKERS, DEVICES, PLAIN, PRECISION)
	@folder=$$(mktemp -d) && $(RUN) run lenet --seeds=1 --epochs=1 --results="$$folder" $(call options,smoke) && rm -r $$folder

check: .venv/.development ## check style, formatting and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

lock: .venv/.development ## compile requirements*.txt again from requirements*.in
	@for name in requirements-setup requirements requirements-dev requirements-ray requirements-bench requirements-demo; do \
	  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header $$name.in -o $$name.txt; done

clean: ## remove .venv and the caches of tools; results stay
	@rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

# Sets $python to the Python that makes .venv: PYTHON, or that of .venv, or the newest supported one.
WORKS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
find_python = for python in $(if $(PYTHON),"$$PYTHON",.venv/bin/python python3.13 python3.12 python3.11 python3); do \
    "$$python" -c '$(WORKS)' 2> /dev/null && break; \
    $(if $(PYTHON),echo "error: PYTHON=$$PYTHON is $$("$$python" -c 'import sys; print("Python " + sys.version.split()[0])' \
      2> /dev/null || echo 'no Python that can be started'); expected is Python 3.11$(,) 3.12 or 3.13" >&2; exit 2;) python=; \
  done; \
  [ "$$python" ] || { echo "error: no Python 3.11, 3.12 or 3.13 was found; install one, or name it: make PYTHON=…" >&2; exit 2; }
# Whether .venv was made by $python.
IDENTITY := import sys; print("Python %s in %s" % (sys.version.split()[0], sys.base_prefix))
same_python = [ "$$(.venv/bin/python -c '$(IDENTITY)' 2> /dev/null)" = "$$("$$python" -c '$(IDENTITY)')" ]
, := ,

# uv fetches and compiles in parallel; in a terminal it shows its progress. pip, which every Python has, installs uv and knows
# which index this machine uses.
define install
echo "Installing $1 into .venv …"; \
  index=$${PIP_INDEX_URL:-$$(.venv/bin/python -m pip config get global.index-url 2> /dev/null)}; \
  .venv/bin/uv pip install --python .venv/bin/python --require-hashes --compile-bytecode \
  $$([ -t 2 ] || echo --quiet) $${index:+--default-index "$$index"} -r $1 && touch $@
endef

.python:
	@$(find_python); [ ! -e .venv/.runtime ] || $(same_python) || { echo "error: .venv was made by" \
	  "$$(.venv/bin/python -c '$(IDENTITY)'), not by PYTHON=$$PYTHON: make clean, then make setup PYTHON=$$PYTHON" >&2; exit 2; }

# The stamp file is written last, so that an interrupted installation does not count as done.
.venv/.runtime: requirements.txt requirements-setup.txt | $(if $(PYTHON),.python)
	@$(find_python); if [ -e .venv/.runtime ] && $(same_python); then \
	    echo "Renewing .venv: only what changed is installed …"; \
	  else \
	    [ ! -e .venv ] || $(same_python) || clear=--clear; \
	    echo "Making .venv with $$("$$python" -c 'import sys; print("Python " + sys.version.split()[0])'): once, 2.6 GB of disk," \
	      "up to five minutes, mostly downloading …"; \
	    "$$python" -m venv $$clear .venv; \
	  fi && \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.txt
	@$(call install,requirements.txt)

.venv/.development: .venv/.runtime requirements-dev.txt
	@$(call install,requirements-dev.txt)

.venv/.demo: .venv/.runtime requirements-demo.txt
	@$(call install,requirements-demo.txt)

.venv/.ray: .venv/.runtime requirements-ray.txt
	@$(call install,requirements-ray.txt)
