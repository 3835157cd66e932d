.PHONY: check lint types layers test vllm browser

check: lint types layers test

lint:
	ruff check .
	ruff format --check .

types:
	mypy

layers:
	lint-imports

test:
	python -m pytest

vllm:
	python -m pytest -m vllm

browser:
	python -m pytest -m browser
