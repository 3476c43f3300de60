#include "common/wire/crumb.h"

uint64_t
mr_crumb_base (uint32_t origin, uint64_t seq)
{
    uint64_t kept = seq & ((UINT64_C (1) << MR_CRUMB_SEQ_BITS) - 1);
    return (uint64_t)(origin & 63) << (MR_CRUMB_SEQ_BITS + MR_CRUMB_INDEX_BITS) |
           kept << MR_CRUMB_INDEX_BITS | 1;
}

bool
mr_crumb_unpack (uint64_t word, mr_crumb_t *ret_crumb)
{
    uint32_t index = (uint32_t)(word & ((UINT64_C (1) << MR_CRUMB_INDEX_BITS) - 1));
    if (index == 0) {
        return false;
    }
    *ret_crumb = (mr_crumb_t){
        .origin = (uint32_t)(word >> (MR_CRUMB_SEQ_BITS + MR_CRUMB_INDEX_BITS)),
        .seq = word >> MR_CRUMB_INDEX_BITS & ((UINT64_C (1) << MR_CRUMB_SEQ_BITS) - 1),
        .index = index - 1,
    };
    return true;
}
