/* harness: the one function that a fuzz harness defines. libFuzzer calls it (preset fuzz), or
 * replay.c does with the files of tests/fuzz/corpus/<name>. */
#ifndef MR_TESTS_FUZZ_HARNESS_H
#define MR_TESTS_FUZZ_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Decode `bytes` bytes and check what must hold for any input; abort when it does not. `data` is
 * borrowed, of any length, aligned to nothing. Returns 0. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

#ifdef __cplusplus
}
#endif

/* Stop here, so that the fuzzer keeps the input; on in every build. */
#define MR_FUZZ_CHECK(condition) ((condition) ? (void)0 : __builtin_trap ())

#endif
