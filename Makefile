# make demo   install, structure the samples into an embedded graph, ask it three questions, draw it
# make test   install what the tests need, check style and types, run all tests
# Both keep to this folder: .venv/ (packages), graph/ (the embedded graph), out/ (tables, picture, dead letters).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint browser clean
.DELETE_ON_ERROR:

demo: .venv/run
	$(BIN)/tripleflow graph start
	$(BIN)/tripleflow run samples/documents --register samples/register.csv --parquet out/tables --dead-letters out/dead-letters
	@printf '\nagainst samples/gold (samples/README.md says what had been seen of it):\n'
	@$(BIN)/python -m samples.score out/tables
	@printf '\nWhich organisations do most documents mention?\n'
	@$(BIN)/tripleflow query entities --type Organisation --limit 5
	@printf 'What is stated of Halvorsen Marine Systems, under any of its spellings?\n'
	@$(BIN)/tripleflow query about "Halvorsen Marine" --limit 8
	@printf 'How is Ingrid Solberg connected with Leeds?\n'
	@$(BIN)/tripleflow query paths "Ingrid Solberg" Leeds --hops 3
	$(BIN)/tripleflow view --out out/graph.html
	$(BIN)/tripleflow view "Halvorsen Marine" --hops 2 --limit 60 --out out/halvorsen.html

test: .venv/test lint browser
	$(BIN)/python -m pytest

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy pipelines transforms kg_sink export_onnx benchmarks samples/score.py

# What was tested together is installed: constraints.txt.
.venv/run: setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("tripleflow needs Python 3.11 or newer; try: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/test: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,train]'
	@touch $@

# One test opens the picture in a real browser; without one it is skipped, and says so.
browser:
	@if command -v chromedriver >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Chromium, which one test needs"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	    chromium chromium-driver; } >/dev/null \
	    || echo "Chromium cannot be installed: the test that opens the picture will be skipped"; \
	else \
	  echo "no ChromeDriver here: the test that opens the picture will be skipped; install Chromium and its driver"; \
	fi

clean:
	-[ -x $(BIN)/tripleflow ] && [ -e graph ] && $(BIN)/tripleflow graph wipe
	rm -rf .venv graph out build
