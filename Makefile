# The front door; meson does the building. `make run` and `make test` bring what is missing.
BUILD = build
SETUP = # more arguments for meson setup, as in: make SETUP=-Dbpf=disabled
ARGS = # arguments for memoir, as in: make run ARGS='ps -n 5'
DESTDIR =
NINJA = ninja
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

all:
	@sh scripts/bootstrap --check core || { echo "make run installs it" >&2; exit 1; }
	@test -f $(BUILD)/build.ninja || sh scripts/configure $(BUILD) $(SETUP)
	@$(NINJA) -C $(BUILD)

run:
	@sh scripts/bootstrap core bpf
	@sh scripts/configure $(BUILD) $(SETUP)
	@$(NINJA) -C $(BUILD) --quiet
	@$(BUILD)/memoir $(ARGS) || test $$? = 3 # done, but part of the data was not readable

# The tier for every change, in under 25 minutes.
test:
	@sh scripts/bootstrap core bpf test
	@sh scripts/test

# What takes hours: longer runs of the same tests and of the fuzzers.
soak:
	@sh scripts/bootstrap core bpf test
	@sh scripts/test --soak

bench:
	@sh scripts/bootstrap core bpf bench
	@sh scripts/configure $(BUILD) $(SETUP)
	@$(NINJA) -C $(BUILD) --quiet
	@MEMOIR_BUILD=$(BUILD) python3 bench/run.py $(ARGS)

lint:
	@sh scripts/bootstrap core bpf test lint
	@sh scripts/configure $(BUILD) $(SETUP)
	@$(NINJA) -C $(BUILD) --quiet
	@sh scripts/lint $(BUILD)

format:
	@sh scripts/bootstrap lint
	@sh scripts/lint --format

install: all
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild

# Only directories that meson made.
clean:
	@for d in build build-*; do test ! -d "$$d/meson-private" || rm -rf "$$d"; done

.PHONY: all run test soak bench lint format install clean
