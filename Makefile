# Set-up, demo and tests on a machine without a ROS 2 distribution; `make` lists the targets.

VENV := .venv
BIN := $(VENV)/bin

TORCH ?= 2.13.0
TORCH_INDEX ?=
PYTHON ?=
BAG ?=
DATA ?= ../shared/data
ACCURACY_ARGS ?=
PYTEST_ARGS ?=
TEST_JOBS ?= 2
SOAK_MINUTES ?= 60
FUZZ_MINUTES ?= 60

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

# A sourced ROS distribution must not leak into the virtual environment, whose wheels find their
# own libraries.
ifneq ($(AMENT_PREFIX_PATH)$(_ROS_WHEELS_BOOTSTRAP_COMPLETE),)
unexport LD_LIBRARY_PATH
endif
unexport AMENT_PREFIX_PATH PYTHONPATH PYTHONHOME _ROS_WHEELS_BOOTSTRAP_COMPLETE
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PIP := $(BIN)/python -m pip install -qq --no-input --constraint requirements/constraints.txt

# Each stamp carries a hash of what its step was made from and is written last: a changed pin runs
# the step again, a failed step leaves none.
STAMPS := $(VENV)/stamps
hash = $(shell cat $(1) /dev/null | sha256sum | cut -c1-16)
TF2_FILES := $(wildcard $(addprefix third_party/tf2_msgs/,*.txt *.toml *.xml */*.msg */*.cmake))

venv := $(STAMPS)/venv
ros := $(STAMPS)/ros-$(call hash,requirements/ros.txt)
torch := $(STAMPS)/torch-$(shell echo '$(TORCH) $(TORCH_INDEX)' | sha256sum | cut -c1-16)
requirements := $(STAMPS)/requirements-$(call hash,$(addprefix requirements/,runtime.txt dev.txt \
  constraints.txt))
docs := $(STAMPS)/docs-$(call hash,$(addprefix requirements/,docs.txt constraints.txt))
tf2 := $(STAMPS)/tf2-$(call hash,requirements/ros.txt $(TF2_FILES))
package := $(STAMPS)/package-$(call hash,setup.py setup.cfg $(wildcard sspinnpose_ros/core/native/*.c))

stamp = @rm -f $(STAMPS)/$(firstword $(subst -, ,$(@F)))-* && touch $@

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'Variables: TORCH=$(TORCH) (version), TORCH_INDEX (package index for torch alone), PYTHON,'
	@echo 'BAG (demo), DATA=$(DATA) (recorded trials), ACCURACY_ARGS (accuracy, e.g. --jobs 2),' \
	  'PYTEST_ARGS and TEST_JOBS=$(TEST_JOBS) (test), SOAK_MINUTES, FUZZ_MINUTES.'

.PHONY: setup
setup: $(package) ## Make .venv: ROS wheels, tf2_msgs, torch, the package itself
	@:

.PHONY: demo
demo: setup ## Play a wearer's IMUs into the estimator node (BAG=... for a recording)
	$(BIN)/sspinnpose demo $(if $(BAG),--bag '$(BAG)')

.PHONY: test
test: lint $(docs) ## Check style and types, run the tests
	$(BIN)/python -m pytest -m 'not slow and not benchmark' -n $(TEST_JOBS) --dist loadfile \
	  $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## Check style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: docs
docs: $(docs) ## Build the documentation site into build/docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/docs
	@echo 'build/docs/index.html'

.PHONY: train
train: setup ## Train the shipped default model again, from its fixed seed
	$(BIN)/sspinnpose train -o sspinnpose_ros/models/default --seed 0

.PHONY: seeds
seeds: setup ## Train models of two other seeds, into trained/
	for seed in 1 2; do $(BIN)/sspinnpose train -o trained/seed_$$seed --seed $$seed; done

.PHONY: adapt
adapt: setup ## Adapt the shipped model to each trial in DATA, without its reference, into trained/
	for bag in '$(DATA)'/*/bag; do trial=$${bag%/bag}; \
	  $(BIN)/sspinnpose train "$$trial" --from default -o trained/adapted/$${trial##*/} --overwrite; \
	done

.PHONY: accuracy
accuracy: setup ## Score DATA into docs/accuracy.md and the model card, with what is in trained/
	$(BIN)/sspinnpose accuracy '$(DATA)' --docs docs/accuracy.md \
	  --card sspinnpose_ros/models/README.md --model default \
	  $(foreach model,$(wildcard trained/seed_*),--model $(model)) \
	  $(foreach model,$(wildcard trained/adapted/*),--adapted $(notdir $(model))=$(model)) \
	  $(ACCURACY_ARGS)

.PHONY: bench
bench: setup ## Measure latency, CPU and throughput
	$(BIN)/sspinnpose bench

.PHONY: golden
golden: setup ## Pin the estimate of the golden recording anew, after a change that is meant
	$(BIN)/python test/golden_recording.py

.PHONY: soak
soak: setup ## Wear seven sensors for SOAK_MINUTES with faults: the pipeline, then a real node
	$(BIN)/python benchmarks/soak.py --minutes $(SOAK_MINUTES) --node-minutes $(SOAK_MINUTES) \
	  --docs docs/reliability.md

.PHONY: fuzz
fuzz: setup ## Feed hostile input to every reader for FUZZ_MINUTES, new cases each time
	PYTHONPATH=test $(BIN)/python -m fuzz --minutes $(FUZZ_MINUTES)

.PHONY: clean
clean: ## Remove .venv, caches and build outputs
	rm -rf $(VENV) build install log .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(venv):
	@[ "$$(uname -sm)" = 'Linux x86_64' ] || { \
	  echo "The ROS wheels exist for Linux on x86-64 only and this is $$(uname -sm): use a ROS 2" \
	    "distribution and colcon build instead." >&2; exit 1; }
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    2>/dev/null && break; \
	  python=; \
	done; \
	[ -n "$$python" ] || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed (the ROS wheels exist for no later one) and" \
	    "$(or $(PYTHON),python3) is" \
	    "$$("$(or $(PYTHON),python3)" --version 2>/dev/null || echo missing): install one, e.g." \
	    "sudo apt install python3.11-venv python3.11-dev, or name one, e.g. make setup" \
	    "PYTHON=/opt/python3.11/bin/python3.11." >&2; exit 1; }; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$$("$$python" --version) cannot make virtual environments: sudo apt install" \
	    "python3-venv." >&2; exit 1; }; \
	echo "setup: $(VENV) with $$("$$python" --version)"; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(ros): | $(venv)
	@echo 'setup: ROS 2 wheels (270 MB)'
	@$(PIP) -r requirements/ros.txt
	$(stamp)

$(torch): | $(ros)
	@echo 'setup: torch $(TORCH) from $(or $(TORCH_INDEX),the default index): 200 MB for the processor alone, from PyPI with CUDA' \
	  'several GB; TORCH_INDEX=https://download.pytorch.org/whl/cpu takes the small one'
	@$(BIN)/python -m pip install -qq --no-input torch==$(TORCH) \
	  $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(stamp)

$(requirements): | $(torch)
	@echo 'setup: requirements'
	@$(PIP) -r requirements/runtime.txt -r requirements/dev.txt
	$(stamp)

$(tf2): | $(requirements)
	@header=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h; \
	if [ -e "$$header" ] && command -v c++ >/dev/null; then \
	  echo 'setup: tf2_msgs (compiles for under a minute)'; \
	  $(PIP) --no-deps ./third_party/tf2_msgs; \
	  rm -f $(STAMPS)/tf2-* && touch $@; \
	else \
	  echo "setup: going on without tf2_msgs, so /tf will not be published; building it takes a" \
	    "C++ compiler and $$header: sudo apt install g++ python3-dev, then make setup." >&2; \
	fi

$(package): | $(tf2)
	@echo 'setup: sspinnpose_ros'
	@$(PIP) --no-deps --no-build-isolation --editable .
	$(stamp)

$(docs): | $(package)
	@echo 'setup: sphinx'
	@$(PIP) -r requirements/docs.txt
	$(stamp)
