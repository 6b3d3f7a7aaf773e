.DEFAULT_GOAL := help
.PHONY: help setup demo test check chaos nodes sandbox fuzz playback frameworks bench clean

help: ## show these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

setup: ## make .venv from the hashed locks
	@scripts/setup

demo: ## from nothing to a converted video: an engine, the images, one job
	@scripts/demo

test: ## all tests, against Docker and Podman
	@scripts/test

check: ## style, types, layers, scripts, documents
	@scripts/check

chaos: ## 500 jobs through a storm of faults, and what is left of them
	@scripts/chaos

nodes: ## the same over three daemons on one PostgreSQL and one S3, with networks that are cut
	@scripts/nodes

sandbox: ## every attack on every engine, and 2,000 jobs of which one in five is hostile
	@scripts/sandbox

fuzz: ## the API against its own description, for ten minutes
	@scripts/fuzz

playback: ## streams in headless Chromium, with hls.js and dash.js
	@scripts/playback

frameworks: ## PyTorch and TensorFlow in the variants of the inference image: 3 GB, some minutes
	@scripts/frameworks

bench: ## the benchmarks
	@scripts/bench

clean: ## take away what the other targets have made here
	@scripts/clean
