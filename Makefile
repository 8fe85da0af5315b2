# ringmaster: `make help` lists what this file can do.

BUILD  ?= release
PREFIX ?= /usr/local
OUT    := build/$(BUILD)
# As many jobs as cores, unless the caller sets -j.
ifeq (0,$(MAKELEVEL))
MAKEFLAGS += -j$(shell nproc)
endif

CPPFLAGS := -I. -Isrc -Iinclude -Itests/support -D_GNU_SOURCE -DRAPIDJSON_HAS_STDSTRING=1
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
CXXFLAGS := -std=c++20 -fPIC -fno-omit-frame-pointer $(WARNINGS)
FLAGS_release := -O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_debug   := -Og -g
# To measure what recording events costs: docs/performance.md.
FLAGS_norecorder := $(FLAGS_release) -DWITHOUT_RECORDER
# clang 14, unlike gcc, does not define __SANITIZE_ADDRESS__. RapidJSON's iterators cause the
# warning that is turned off.
FLAGS_asan    := -O1 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                 -fsanitize-ignorelist=tests/fuzz/ignorelist.txt -D__SANITIZE_ADDRESS__ \
                 -Wno-ambiguous-reversed-operator
# With TSan, gcc 12 warns of accesses beyond the ends of arrays though there are none.
FLAGS_tsan    := -O1 -g1 -fsanitize=thread -Wno-array-bounds -Wno-stringop-overread \
                 -Wno-stringop-overflow
CXXFLAGS += $(FLAGS_$(BUILD))
# This build includes the fuzzers, and libFuzzer is a part of clang.
ifeq ($(BUILD),asan)
CXX := clang++
endif
LDFLAGS  += $(FLAGS_$(BUILD)) -Wl,--as-needed,-z,relro,-z,now
LDLIBS   := -luv -lcurl -lssl -lcrypto -lfmt -lsystemd -lseccomp -lz -lbsd -lprometheus-cpp-core \
            -lpthread

# $(call objects,FILES): one object for each folder that holds some of FILES. A folder is compiled
# as one file: this takes two fifths of the time that its files would take one by one.
objects   = $(patsubst %/,$(OUT)/obj/%.o,$(sort $(dir $(1))))
# $(call each,FILES): one object for each file, where not the whole folder is wanted.
each      = $(patsubst %.cc,$(OUT)/obj/%.o,$(1))

# The server: every file of src/ except its main, the handlers and the demo.
SERVER   := $(shell find src -name '*.cc' ! -path 'src/demo/*' ! -path 'src/handlers/*' \
                    ! -name main.cc)
HANDLERS := $(notdir $(wildcard src/handlers/*)) interests
PROGRAMS := $(OUT)/ringmaster $(OUT)/feature_service $(HANDLERS:%=$(OUT)/handlers/%.so)
# The objects of fuzzed.a. The linker takes from it only the objects that a fuzzer needs, so that
# the coverage counts no others.
FUZZED   := $(call objects,$(filter $(addprefix src/,base/% ipc/% rpc/% config/% net/client/% \
                                                 master/scheduler/%),$(SERVER))) \
            $(call each,$(wildcard src/upstream/*template.cc) \
              $(patsubst %,src/upstream/%.cc,address_history answer_cache fetch_failure \
                name_lookup request_key shared_fetches) \
              src/demo/interests/features.cc \
              src/net/cidr.cc src/net/proxy_header.cc $(wildcard src/net/tls_*.cc) \
              $(addprefix src/master/,frontend/http_policy.cc \
                $(addprefix pipeline/,job.cc run_stage.cc run_stage_recovery.cc tail_profile.cc)))
FUZZERS  := $(patsubst tests/fuzz/%.cc,$(OUT)/%,$(wildcard tests/fuzz/*_fuzz.cc))
# The programs of `make bench`, besides the server.
BENCHES  := $(patsubst tests/bench/%.cc,$(OUT)/bench/%,\
              $(wildcard tests/bench/*.cc tests/bench/*/*.cc))

.PHONY: all run test check mutants fuzz fuzzers bench benches soak tidy options lint hooks \
        compile-commands install uninstall deb image clean help FORCE
all: $(PROGRAMS) ## build into build/release/ (or BUILD=debug, asan, tsan, norecorder)

run: ## install what is missing, build, serve the demo on 127.0.0.1:7070 until Ctrl-C
	scripts/setup.sh build
	$(MAKE) all
	scripts/demo.sh $(OUT)

test: ## install what is missing, build, run every test; ONLY=NAME[,NAME]: only these
	scripts/setup.sh build test
	scripts/npm_install.sh tests/e2e/support/interop/node build/interop/node
	$(MAKE) all $(OUT)/unit_tests
	scripts/test.sh $(OUT)

check: ## the tests under ASan+UBSan, threads under TSan, and a minute of fuzzing
	scripts/setup.sh build test fuzz browser
	scripts/npm_install.sh tests/e2e/support/interop/node build/interop/node
	scripts/npm_install.sh tests/e2e/support/browser build/browser
	scripts/check.sh

mutants: ## put faults into the source, one at a time, and count those that the tests find: an hour
	scripts/setup.sh build test
	$(MAKE) all $(OUT)/unit_tests
	/usr/bin/python3 scripts/mutants.py $(OUT)

fuzz: ## feed the fuzzers of tests/fuzz fifteen million inputs: some 30 minutes
	scripts/setup.sh build fuzz
	scripts/fuzz.sh long

bench: ## measure the server and what it replaces; FULL=1, ONLY=, BASELINE=: docs/performance.md
	scripts/setup.sh build bench
	$(MAKE) all benches
	scripts/bench.sh $(OUT)

soak: ## kill and reload servers at random, and count all answers; SOAK="--minutes 5" for less
	scripts/setup.sh build test
	$(MAKE) all
	scripts/soak.sh $(OUT) $(SOAK)

tidy: ## check which folders include which, the sizes and the format
	scripts/tidy.sh

options: $(OUT)/ringmaster ## write the texts about keys and commands in docs/ and conf/ anew
	/usr/bin/python3 scripts/options.py $(OUT)

lint: ## look for bugs with clang-tidy in the files that differ from main; ALL=1: in all
	scripts/setup.sh lint
	$(MAKE) compile-commands
	scripts/lint.sh

hooks: ## have git run tidy over the files of each commit
	scripts/hooks.sh

compile-commands: ## write build/compile_commands.json, for editors and clang's tools
	@mkdir -p build
	@$(MAKE) -Bn all $(OUT)/unit_tests benches | \
	 /usr/bin/python3 scripts/compile_commands.py > build/compile_commands.json

install: all ## install into $(DESTDIR)$(PREFIX)
	scripts/install.sh $(OUT) "$(DESTDIR)" "$(PREFIX)"

uninstall: ## undo `make install`; keeps configuration that was changed
	scripts/install.sh --undo $(OUT) "$(DESTDIR)" "$(PREFIX)"

deb: ## make Debian packages of the server, the headers and the Python handler: build/deb/
	scripts/setup.sh build deb
	$(MAKE) BUILD=release all
	scripts/deb.sh

image: deb ## make container images of the packages, with and without Python: build/image/
	scripts/setup.sh image
	scripts/image.sh

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

# --- how things are built ---

$(OUT)/ringmaster: $(call objects,$(SERVER)) $(call each,src/main.cc)
$(OUT)/feature_service: $(call objects,$(wildcard $(addprefix src/,demo/feature_service/*.cc \
                          base/*.cc base/*/*.cc net/*.cc rpc/*.cc)))
PYTHON_JSON := $(call each,$(wildcard $(addprefix src/handlers/python/,exception.cc json_*.cc)))
$(OUT)/unit_tests: $(call objects,$(SERVER) \
                     $(shell find tests/unit tests/support -name '*.cc')) \
                   $(call each,src/demo/interests/features.cc) $(PYTHON_JSON)
$(OUT)/unit_tests: LDLIBS += $(shell pkg-config --libs python3-embed)
$(OUT)/ringmaster $(OUT)/feature_service $(OUT)/unit_tests: $(OUT)/flags
	@echo link $@
	@$(CXX) $(LDFLAGS) -rdynamic -o $@ $(filter %.o,$^) $(LDLIBS)

fuzzers: $(FUZZERS)
$(OUT)/%_fuzz: $(OUT)/obj/tests/fuzz/%_fuzz.o $(OUT)/fuzzed.a
	@echo link $@
	@$(CXX) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
$(OUT)/fuzzed.a: $(FUZZED) $(OUT)/flags
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

benches: $(BENCHES)
$(OUT)/bench/aggregation: $(call each,src/demo/interests/features.cc)
$(OUT)/bench/prediction: $(call each,$(addprefix src/demo/interests/,features.cc model.cc))
$(OUT)/bench/large_server: $(call objects,$(SERVER))
$(OUT)/bench/bounds/arrivals: $(call each,src/bench/arrivals.cc)
$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(OUT)/flags
	@mkdir -p $(@D)
	@echo link $@
	@$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LDLIBS)

$(OUT)/handlers/interests.so $(OUT)/bench/prediction: LDLIBS := -lxgboost
$(OUT)/handlers/python.so: LDLIBS := $(shell pkg-config --libs python3-embed)
# python.so is never unloaded: the interpreter has pointers into it, and is never finalized.
$(OUT)/handlers/python.so: private LDFLAGS += -Wl,-z,nodelete
$(OUT)/handlers/python.so: $(patsubst src/%,$(OUT)/%,$(wildcard \
                            $(addprefix src/handlers/python/ringmaster/,*.py py.typed)))
$(OUT)/handlers/python/%: src/handlers/python/%
	@install -D -m 644 $< $@
# Keeps files that make would delete as intermediate ones. (.SECONDARY would not rebuild a missing
# object while the file made of it, such as an archive, is newer than the source.)
.PRECIOUS: $(OUT)/obj/%.cc $(OUT)/obj/%.o
.SECONDEXPANSION:
$(OUT)/handlers/%.so: $$(call objects,$$(wildcard src/handlers/$$*/*.cc src/demo/$$*/*.cc)) \
                      $(OUT)/flags
	@mkdir -p $(@D)
	@echo link $@
	@$(CXX) $(LDFLAGS) -shared -o $@ $(filter %.o,$^) $(LDLIBS)

# The headers that most files include are compiled once, and for the unit tests once more, without
# optimization, which _FORTIFY_SOURCE needs.
UNOPTIMIZED := -O0 -U_FORTIFY_SOURCE
define compile
	@mkdir -p $(@D)
	@echo compile $(patsubst $(OUT)/obj/%.cc,%,$<)
	@$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(1) -MMD -MP -o $@ $<
endef
$(OUT)/obj/%.o: %.cc $(OUT)/flags $(OUT)/precompiled.h.gch
	$(call compile,-include $(OUT)/precompiled.h -c)
$(OUT)/obj/%.o: $(OUT)/obj/%.cc $(OUT)/flags $(OUT)/precompiled.h.gch
	$(call compile,-include $(OUT)/precompiled.h -c)
$(OUT)/obj/tests/unit/%.o: $(OUT)/obj/tests/unit/%.cc $(OUT)/flags $(OUT)/precompiled_tests.h.gch
	$(call compile,$(UNOPTIMIZED) -include $(OUT)/precompiled_tests.h -c)
# A folder's time changes when it gets or loses a file. Then the list of its files is written anew.
$(OUT)/obj/%.cc: %
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $(sort $(wildcard $</*.cc)) > $@
$(call objects,src/handlers/python/ tests/unit/handlers/python/) $(PYTHON_JSON): \
  private CPPFLAGS += $(subst -I,-isystem ,$(shell pkg-config --cflags python3-embed))
# admin.o contains the files of the status page.
$(OUT)/obj/src/master/admin.o: $(wildcard src/master/admin/page/*)
# scripts/gdb reads the master's variables, whose types these two folders know. (gcc describes a
# class with virtual functions, such as Dispatcher, only where the first of these is defined.)
$(addprefix $(OUT)/obj/src/master/,lifecycle.o pipeline.o): \
  private CXXFLAGS += -g2
$(OUT)/precompiled.h.gch: src/precompiled.h $(OUT)/flags
	$(call compile,-x c++-header)
$(OUT)/precompiled_tests.h.gch: tests/support/precompiled_tests.h $(OUT)/flags
	$(call compile,$(UNOPTIMIZED) -x c++-header)

# This file changes only when a flag does, and then the objects are rebuilt.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)' | cmp -s - $@ || \
	 echo '$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)' > $@

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
