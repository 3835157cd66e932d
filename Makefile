.PHONY: check lint types layers test system docs chat vllm endpoints browser

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

system:
	python -m pytest -m system -n 2

docs:
	python -m pytest -m docs -n 2

chat:
	python -m pytest -m chat

vllm:
	python -m pytest -m vllm

endpoints:
	python -m pytest -m endpoints

browser:
	python -m pytest -m browser
