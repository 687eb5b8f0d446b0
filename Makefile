# make demo: adapt the embedded model to easy-VQA, with a report card at the end.
# make test: what proves it, in about ten minutes on two slow cores.
# make slow: tests that take seconds each and have a quicker one beside them; a few minutes.
# make docs: the documentation site, in site/.
# make campaign: kills at random places and thousands of generated bad inputs; takes about half an hour.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A CPU build of PyTorch by default; set TORCH=torch to take what your platform offers.
TORCH ?= torch==2.13.0

.PHONY: install demo test slow campaign docs full benchmarks clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml photos/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ./photos --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/skiptune run easy-vqa-demo

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile --no-loadscope-reorder

slow: install
	$(BIN)/python -m pytest -m slow --numprocesses auto

campaign: install
	SKIPTUNE_CAMPAIGN=long $(BIN)/python -m pytest tests/campaign tests/training/test_divided_batches.py \
		--numprocesses auto

docs: install
	$(BIN)/mkdocs build --strict

full: install
	$(BIN)/skiptune run easy-vqa

benchmarks: install
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/many_tasks.py
	$(BIN)/python benchmarks/slim_loading.py
	$(BIN)/python benchmarks/kept_adapters.py
	$(BIN)/python benchmarks/vilt_step.py
	$(BIN)/python benchmarks/meter_step.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/adapter_start.py
	$(BIN)/python benchmarks/search_cost.py
	$(BIN)/python benchmarks/search_quality.py
	$(BIN)/python benchmarks/question_only.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/first_hour.py
	$(BIN)/skiptune run easy-vqa-demo
	$(BIN)/python benchmarks/onnx_accuracy.py
	$(BIN)/python benchmarks/easy_vqa_chat.py
	$(BIN)/python benchmarks/tokens_throughput.py
	$(BIN)/python benchmarks/token_accuracy.py
	$(BIN)/python benchmarks/token_ways.py

clean:
	rm -rf $(VENV) build dist runs site
