/* A place of send of any bytes: it is read or refused, and its texts end.
 *
 * Input: byte 0: bit 0 repair the checksum of the head, as somebody who changes it on purpose
 * could. The rest is the file, read as far as it goes and padded with zeros. */
#include "common/base/hash.h"
#include "launcher/place.h"
#include "tests/fuzz/harness.h"

#include <string.h>

enum { CHECK_AT = 224 };

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    uint8_t file[MR_PLACE_BYTES] = {0};
    size_t size = bytes > 0 ? bytes - 1 : 0;
    memcpy (file, data + (bytes > 0 ? 1 : 0), size < sizeof file ? size : sizeof file);
    if (bytes > 0 && (data[0] & 1) != 0) {
        uint64_t check = mr_hash64 (file, CHECK_AT);
        memcpy (file + CHECK_AT, &check, sizeof check);
    }
    mr_place_facts_t facts;
    mr_place_mark_t marks[MR_PLACE_MARKS];
    mr_status_t status = mr_place_decode (file, sizeof file, &facts, marks);
    MR_FUZZ_CHECK (status == MR_OK || status == MR_INVALID);
    MR_FUZZ_CHECK (mr_place_decode (file, sizeof file - 1, &facts, marks) == MR_INVALID);
    if (status == MR_OK) {
        MR_FUZZ_CHECK (memchr (facts.base, '\0', sizeof facts.base) != NULL);
        MR_FUZZ_CHECK (memchr (facts.text, '\0', sizeof facts.text) != NULL);
        MR_FUZZ_CHECK (memchr (facts.path, '\0', sizeof facts.path) != NULL);
        for (size_t i = 0; i < MR_PLACE_MARKS; i++) {
            MR_FUZZ_CHECK (marks[i].number == 0 || marks[i].number > facts.start.number);
        }
    }
    return 0;
}
