# Everseal. `make` builds build/everseal and build/testpki; every .c file in a
# folder belongs to that folder's library, every tests/t_*.c is a test program.

BUILD ?= build
CC ?= cc
PKGS = libcrypto libssl libxml-2.0 jansson zlib libseccomp
LATE_PKGS = libcurl libarchive # base/late.h: compiled with, but loaded by their first call
CSTD = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wundef -Wwrite-strings
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
OPT ?= -O2 -g
VERSION := 0.1.0
CFLAGS_ALL = $(CSTD) $(WARN) $(if $(WERROR),-Werror) $(OPT) $(if $(SAN),,$(HARDEN)) $(SAN) -DEVERSEAL_VERSION='"$(VERSION)"' \
	-I. $(PKG_CFLAGS) $(CFLAGS)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(LATE_PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llmdb -lpthread
TEST_LIBS := $(shell pkg-config --libs libcurl 2>/dev/null) -lcmocka
LDFLAGS_ALL = $(SAN) $(if $(SAN),,-pie -Wl,-z,relro,-z,now) -Wl,--as-needed $(LDFLAGS)

AREAS = base store policy verify archiver
LIBS = $(foreach a,archiver verify policy store base,$(if $(wildcard $(a)/*.c),$(BUILD)/lib$(a).a))
objs = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.c $(1)/proof/*.c)))

TOOL_OBJS = $(call objs,tools)
PKI_OBJS = $(call objs,tests/pki)
CORPUS_OBJS = $(call objs,tests/corpus)
KIT_OBJS = $(BUILD)/tests/kit.o
TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/t_*.c)))

.PHONY: all bench check check-asan clean corpus purity layers splice interop travel crash fuzz soundness
all: $(if $(TOOL_OBJS),$(BUILD)/everseal) $(if $(PKI_OBJS),$(BUILD)/testpki)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# What every bundle carries is part of the program.
$(BUILD)/archiver/carried.o: tools/imprint.py tools/check.sh tools/README.bundle

define library
$(BUILD)/lib$(1).a: $(call objs,$(1))
	rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach a,$(AREAS),$(eval $(call library,$(a))))

$(BUILD)/everseal: $(TOOL_OBJS) $(LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $(TOOL_OBJS) $(LIBS) $(PKG_LIBS)

$(BUILD)/testpki: $(PKI_OBJS) $(BUILD)/libbase.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lmicrohttpd

$(BUILD)/tests/t_%: $(BUILD)/tests/t_%.o $(KIT_OBJS) $(LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS) $(TEST_LIBS)

$(filter $(BUILD)/tests/t_crash%,$(TESTS)): $(BUILD)/tests/crashdisk.o
$(BUILD)/tests/t_crash $(BUILD)/tests/t_crash_flip: $(BUILD)/tests/crashwork.o
$(BUILD)/tests/t_crash_service $(BUILD)/tests/t_crash_flip_service: $(BUILD)/tests/crashbench.o
$(BUILD)/tests/t_crash_flip $(BUILD)/tests/t_crash_flip_service: $(BUILD)/tests/crashimage.o
$(BUILD)/tests/t_crash_flip: $(BUILD)/tests/crashflip.o $(BUILD)/tests/crashsilent.o
$(BUILD)/tests/t_crash_flip: LDFLAGS += $(SILENT)
$(filter $(BUILD)/tests/t_store%,$(TESTS)): $(BUILD)/tests/storebox.o

# The alarm can be made silent (tests/crashsilent.h): the crash tests must miss it.
SILENT = -Wl,--wrap=store_status,--wrap=store_lost
$(BUILD)/tests/everseal-silent: $(TOOL_OBJS) $(BUILD)/tests/crashsilent.o $(LIBS)
	$(CC) $(LDFLAGS_ALL) $(SILENT) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS)

# The program with a checker that accepts nothing, for t_unproven.sh.
$(BUILD)/tests/unproven: $(BUILD)/tests/unproven.o $(TOOL_OBJS) $(LIBS)
	$(CC) $(LDFLAGS_ALL) -Wl,--wrap=proof_check -o $@ $(BUILD)/tests/unproven.o $(TOOL_OBJS) $(LIBS) $(PKG_LIBS)

# The outside corpus (EVERSEAL_SHARED, else ../shared); what differs is told in build/corpus/differences.tsv.
$(BUILD)/corpus/run: $(CORPUS_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $(CORPUS_OBJS) $(LIBS) $(PKG_LIBS)

# Every signature of the corpus that may be upgraded gets an ArchiveTimeStamp; not part of check.
$(BUILD)/splice/run: $(BUILD)/tests/splice/splice.o $(KIT_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $(BUILD)/tests/splice/splice.o $(KIT_OBJS) $(LIBS) $(PKG_LIBS) $(TEST_LIBS)

splice: all $(BUILD)/splice/run
	$(BUILD)/splice/run

# What the archive produces, judged by EU DSS, xmlsec1 and the schemas; needs EVERSEAL_SHARED and a Java runtime.
interop: all
	@BUILD=$(BUILD) sh tests/interop/run.sh

corpus: $(BUILD)/corpus/run $(BUILD)/tests/t_xmldsig $(BUILD)/fuzz/replay $(BUILD)/fuzz/seeds/made
	$(BUILD)/tests/t_xmldsig
	$(BUILD)/corpus/run --out $(BUILD)/corpus/differences.tsv
	@sh tests/fuzz/corpus.sh $(BUILD)

# The corpus twice, the second time with the wall clock twenty years on: byte-equal reports.
purity: all $(BUILD)/corpus/run $(BUILD)/tests/shift.so
	$(BUILD)/corpus/run --out $(BUILD)/corpus/now.tsv --reports $(BUILD)/corpus/now.json
	$(BUILD)/corpus/run --out $(BUILD)/corpus/later.tsv --reports $(BUILD)/corpus/later.json --years-on 20
	cmp $(BUILD)/corpus/now.json $(BUILD)/corpus/later.json
	@echo "purity: $$(wc -l < $(BUILD)/corpus/now.json) reports, equal octets"
	@BUILD=$(BUILD) sh tests/purity/caged.sh

# Stands in front of libc and moves the wall clock of the program itself.
$(BUILD)/tests/shift.so: tests/purity/shift.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARN) $(if $(WERROR),-Werror) -O2 -fPIC -shared -o $@ $< -ldl

# Ratios to counted floors (docs/bench.md); not part of check. The linker sends the product's signature checks by the
# bench's own functions, which count them.
BENCH = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
BENCH_WRAP = -Wl,--wrap=EVP_PKEY_verify
$(BUILD)/bench/lta: BENCH_WRAP += -Wl,--wrap=sig_verify
XMLSEC := $(shell pkg-config --exists xmlsec1-openssl 2>/dev/null && echo xmlsec1-openssl)
$(BUILD)/tests/bench/core.o: CFLAGS += $(if $(XMLSEC),-DWITH_XMLSEC $(shell pkg-config --cflags $(XMLSEC)))
$(BUILD)/bench/core: BENCH_LIBS = $(if $(XMLSEC),$(shell pkg-config --libs $(XMLSEC)))
# What the command loads, whether it is used or not.
$(BUILD)/bench/empty: $(BUILD)/everseal
$(BUILD)/bench/empty: BENCH_LIBS = -Wl,--no-as-needed $$(objdump -p $(BUILD)/everseal | sed -n 's/^ *NEEDED */-l:/p')
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(BENCH_WRAP) -o $@ $< $(LIBS) $(PKG_LIBS) $(BENCH_LIBS)

# Every parser under octets of any kind (tests/fuzz/fuzz.h). `make check` replays seeds and a few mutations of them; `make fuzz` runs
# libFuzzer with sanitizers, and alone needs clang and its run-time libraries. FUZZ_SECONDS for each entry, ENTRY="names" for some.
FUZZ_OBJS = $(filter-out %/replay.o %/libfuzzer.o %/record.o,$(call objs,tests/fuzz)) \
	$(filter-out %/everseal.o,$(TOOL_OBJS)) $(BUILD)/fuzz/everseal.o
# f_lies.c and record.c stand between main and its children.
FUZZ_WRAP = -Wl,--wrap=worker_call
$(BUILD)/fuzz/everseal.o: $(BUILD)/tools/everseal.o
	@mkdir -p $(@D)
	objcopy --redefine-sym main=everseal_main $< $@

$(BUILD)/fuzz/replay: $(BUILD)/tests/fuzz/replay.o $(FUZZ_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(FUZZ_WRAP) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS)

# An everseal that writes down what its children answer.
$(BUILD)/fuzz/recorder: $(BUILD)/tests/fuzz/record.o $(TOOL_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(FUZZ_WRAP) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS)

$(BUILD)/fuzz/fuzzer: $(BUILD)/tests/fuzz/libfuzzer.o $(FUZZ_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(FUZZ_WRAP) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS)

$(BUILD)/fuzz/seeds/made: tests/fuzz/seeds.sh tests/fuzz/seeds.py $(BUILD)/everseal $(BUILD)/fuzz/recorder $(BUILD)/testpki
	sh tests/fuzz/seeds.sh $(BUILD) $(@D)
	@touch $@

FUZZ_CLANG ?= clang
fuzz: $(BUILD)/fuzz/seeds/made
	@$(FUZZ_CLANG) --version >/dev/null || { echo "make fuzz needs clang and its run-time libraries (Debian: clang libclang-rt-dev)" >&2; exit 1; }
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC="$(FUZZ_CLANG)" WERROR= OPT='-O1 -g' \
		SAN='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer' $(BUILD)/clang/fuzz/fuzzer
	@sh tests/fuzz/run.sh $(BUILD)/clang/fuzz/fuzzer $(BUILD)/fuzz $(or $(FUZZ_SECONDS),60) $(ENTRY)

# Nothing passes that nobody signed (docs/soundness.md): five minutes; by hand SOUNDNESS="--mutants 200000 --seconds 3600", and
# CAMPAIGN=differential (EU DSS), CAMPAIGN=sabotage (does the campaign find what is broken on purpose?).
SOUND_MAKERS = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/soundness/make*.c))
SOUND_MAINS = $(BUILD)/tests/soundness/main.o $(BUILD)/tests/soundness/derivations.o
SOUND_OBJS = $(filter-out $(SOUND_MAKERS) $(SOUND_MAINS),$(call objs,tests/soundness))
$(BUILD)/tests/soundness/xmlsec.o: CFLAGS += $(if $(XMLSEC),-DWITH_XMLSEC $(shell pkg-config --cflags $(XMLSEC)))
$(BUILD)/soundness/run: $(BUILD)/tests/soundness/main.o
$(BUILD)/soundness/derivations: $(BUILD)/tests/soundness/derivations.o
$(BUILD)/soundness/run $(BUILD)/soundness/derivations: $(SOUND_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS) $(if $(XMLSEC),$(shell pkg-config --libs $(XMLSEC)))

$(BUILD)/soundness/make: $(SOUND_MAKERS) $(KIT_OBJS) $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $(SOUND_MAKERS) $(KIT_OBJS) $(LIBS) $(PKG_LIBS) $(TEST_LIBS)

soundness: all $(BUILD)/soundness/run $(BUILD)/soundness/derivations $(BUILD)/soundness/make
	@sh tests/soundness/campaign.sh $(BUILD) $(or $(CAMPAIGN),mutation) $(SOUNDNESS)

bench: all $(BENCH)
	@BUILD=$(BUILD) sh tests/bench/bench.sh

# Stands in front of libc in the crash tests; no sanitizer, no library of ours.
$(BUILD)/tests/recorder.so: tests/recorder.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -D_FILE_OFFSET_BITS=%,$(CSTD)) $(WARN) $(if $(WERROR),-Werror) -O2 -g -fPIC -shared -o $@ $< -ldl

tests: all $(TESTS) $(BUILD)/tests/recorder.so $(BUILD)/tests/unproven $(BUILD)/tests/everseal-silent $(BUILD)/fuzz/replay $(BUILD)/fuzz/seeds/made

# After the packages came, since this make looked for them before. With -j of its own if the caller gave none.
QUIETLY = $(MAKE) -s --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

check:
	@sh tests/deps.sh
	@echo "compiling the program and its tests" >&2
	@$(QUIETLY) tests
	@sh tests/run.sh $(BUILD)

check-asan:
	@$(MAKE) --no-print-directory BUILD=build/asan WERROR= OPT='-O1 -g' SAN='-fsanitize=address,undefined -fno-omit-frame-pointer' check

demo:
	@sh tests/deps.sh
	@echo "compiling" >&2
	@$(QUIETLY) all
	@BUILD=$(BUILD) sh tests/demo/demo.sh

# Thirty virtual years with a twin that oversleeps; the short way is tests/t_travel.sh.
travel: all
	@BUILD=$(BUILD) sh tests/travel/all.sh

# Power loss, failing disks and changed octets (docs/crash.md); about an hour. A part of it is in check.
crash: all $(BUILD)/tests/recorder.so $(BUILD)/tests/everseal-silent $(BUILD)/tests/t_crash_flip $(BUILD)/tests/t_crash_flip_service
	@BUILD=$(BUILD) sh tests/crash/all.sh

layers:
	@sh tests/layers.sh

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
