#include "common/wire/control.h"

#include "common/base/hash.h"

#include <string.h>

#define CONTROL_MAGIC UINT32_C (0x4c43524d) /* "MRCL" */

typedef struct layout {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint64_t journal;
    uint64_t seq;
    uint32_t exported;
    uint32_t filtered;
    uint32_t dead;
    uint32_t slot;
    uint64_t incarnation;
    uint32_t index;
    uint32_t evidence;
    uint64_t checksum;
} layout_t;

_Static_assert(sizeof (layout_t) == MR_CONTROL_BYTES, "control layout");

static const char bye_magic[8] = {'M', 'R', 'B', 'Y', 'E', '0', '0', '1'};

void
mr_control_encode (const mr_control_t *control, uint8_t ret_frame[MR_CONTROL_BYTES])
{
    layout_t layout = {
        .magic = CONTROL_MAGIC,
        .version = 1,
        .type = (uint16_t)control->type,
        .journal = control->journal,
        .seq = control->seq,
        .exported = control->exported,
        .filtered = control->filtered,
        .dead = control->dead,
        .slot = control->slot,
        .incarnation = control->incarnation,
        .index = control->index,
        .evidence = control->evidence,
    };
    layout.checksum = mr_hash64 (&layout, offsetof (layout_t, checksum));
    memcpy (ret_frame, &layout, sizeof layout);
}

static mr_status_t
invalid (mr_error_t *err, const char *field)
{
    mr_error_set (err, "control frame: bad %s", field);
    return MR_INVALID;
}

mr_status_t
mr_control_decode (const void *frame, size_t bytes, mr_control_t *ret_control, mr_error_t *err)
{
    layout_t layout;
    if (bytes != sizeof layout) {
        return invalid (err, "size");
    }
    memcpy (&layout, frame, sizeof layout);
    if (layout.magic != CONTROL_MAGIC) {
        return invalid (err, "magic");
    }
    if (layout.version != 1) {
        return invalid (err, "version");
    }
    if (layout.checksum != mr_hash64 (&layout, offsetof (layout_t, checksum))) {
        return invalid (err, "checksum");
    }
    if (layout.type < MR_CONTROL_DONE || layout.type > MR_CONTROL_REPORT) {
        return invalid (err, "type");
    }
    *ret_control = (mr_control_t){
        .type = (mr_control_type_t)layout.type,
        .journal = layout.journal,
        .seq = layout.seq,
        .exported = layout.exported,
        .filtered = layout.filtered,
        .dead = layout.dead,
        .slot = layout.slot,
        .incarnation = layout.incarnation,
        .index = layout.index,
        .evidence = layout.evidence,
    };
    return MR_OK;
}

void
mr_bye_encode (void *ret_frame)
{
    memset (ret_frame, 0, MR_BYE_BYTES);
    memcpy (ret_frame, bye_magic, sizeof bye_magic);
}

bool
mr_bye_is (const void *frame, size_t bytes)
{
    return bytes == MR_BYE_BYTES && memcmp (frame, bye_magic, sizeof bye_magic) == 0;
}
