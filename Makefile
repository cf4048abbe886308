# Everything is done by the Python files in dev/; they need python3 (3.10 to 3.13) and nothing else.
#   make demo PYTHON=python3.12     with another Python
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test test-chaos bench bench-first-step lint unit e2e lock jar clean

help: ## Show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: ## Run the example DAG on real Spark; DOCKER=1 one with an image; KEEP=1 leaves all running; AIRFLOW_PORT=, LOCALEMR_PORT= move it
	@$(PYTHON) dev/bootstrap.py airflow-3.3 localemr demo-data > /dev/null
	@.venv/localemr/bin/python dev/run_demo.py --airflow-env .venv/airflow-3.3 $(if $(filter-out 0,$(DOCKER)),--docker) \
		$(if $(filter-out 0,$(KEEP)),--keep) \
		$(if $(AIRFLOW_PORT),--airflow-port $(AIRFLOW_PORT)) $(if $(LOCALEMR_PORT),--localemr-port $(LOCALEMR_PORT))

demo-stop: ## Stop what a demo with KEEP=1 has left running
	@if test -x .venv/localemr/bin/python; then .venv/localemr/bin/python dev/run_demo.py --stop; \
		else echo "no demo is running"; fi

test: ## Run all checks: lint, types, unit and end-to-end tests on Airflow 3.3 and 2.11
	@$(PYTHON) dev/checks.py

test-chaos: ## Kill worker, triggerer and local EMR at random points of 50 runs; RUNS=, SEED= change it
	@$(if $(RUNS),EMRKIT_CHAOS_RUNS=$(RUNS) )$(if $(SEED),EMRKIT_CHAOS_SEED=$(SEED) )$(PYTHON) dev/checks.py chaos

bench: ## Measure emrkit beside the amazon provider, 28 minutes; ARGS="--quick" takes 5 (see benchmarks/README.md)
	@$(PYTHON) dev/bootstrap.py bench > /dev/null
	@.venv/bench/bin/python -m benchmarks $(ARGS)

bench-first-step: ## Measure the first step of a warm cluster on the local EMR
	@$(PYTHON) dev/bootstrap.py localemr > /dev/null
	@.venv/localemr/bin/python -m benchmarks.first_step $(ARGS)

lint: ## Run ruff and mypy
	@$(PYTHON) dev/checks.py lint

unit: ## Run the unit tests on Airflow 3.3
	@$(PYTHON) dev/checks.py unit

e2e: ## Run the end-to-end tests on Airflow 3.3: real Spark, minutes
	@$(PYTHON) dev/checks.py e2e

lock: ## Renew the lock files in requirements/; UPGRADE=1 takes the newest versions
	@$(PYTHON) dev/relock.py $(if $(filter-out 0,$(UPGRADE)),--upgrade)

jar: ## Build the s3:// file system jar from its Java source (needs a JDK)
	@$(PYTHON) dev/bootstrap.py test > /dev/null
	@.venv/test/bin/python dev/build_jar.py --uv .venv/test/bin/uv

clean: ## Stop a demo left running; remove the environments, caches and build output
	@test ! -x .venv/localemr/bin/python || .venv/localemr/bin/python dev/run_demo.py --stop
	@$(PYTHON) dev/bootstrap.py --clean
	@rm -rf .cache .local build dist airflow_provider_emrkit.egg-info .mypy_cache .pytest_cache .ruff_cache
