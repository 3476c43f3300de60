/* outputs: the sinks of an exporter, those of the configuration and the store of dead letters, each
 * with its pump; and one that writes nowhere and counts the records that no sink takes. Not thread
 * safe. */
#ifndef MR_STAGES_EXPORTER_OUTPUTS_H
#define MR_STAGES_EXPORTER_OUTPUTS_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/delivery/spool.h"
#include "common/runtime/stage.h"
#include "stages/exporter/latency.h"
#include "stages/exporter/pump.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_outputs mr_outputs_t;

/* Whether the sinks of this configuration could be made; as mr_stage_ops_t.check. */
MR_CHECK mr_status_t mr_outputs_check (mr_config_t *config, bool dry, mr_error_t *err);

/* Borrowed, all of it. */
typedef struct mr_outputs_options {
    mr_stage_t *stage;
    mr_spool_t *spool;
    mr_latency_t *latency; /* times from a batch's making until the first sink of records has it */
    uint64_t limit_bytes;  /* of the spool, for each sink */
    bool fsync;            /* deliver what survives power loss only */
} mr_outputs_options_t;

/* Begin delivering. MR_OK; MR_CONFIG; MR_SYSTEM. */
MR_CHECK mr_status_t mr_outputs_new (const mr_outputs_options_t *options,
                                     mr_outputs_t **ret_outputs, mr_error_t *err);
void mr_outputs_destroy (mr_outputs_t **self_p);

/* This was appended to the spool. */
void mr_outputs_hand (mr_outputs_t *self, const mr_handed_t *handed);
/* There is more in the spool. */
void mr_outputs_wake (mr_outputs_t *self);
void mr_outputs_reopen (mr_outputs_t *self);

/* Everything below this position of the spool is delivered; with fsync also after power loss. */
uint64_t mr_outputs_position (const mr_outputs_t *self);

/* Whether the spool holds so much for some sink that nothing more may come in. Makes sinks that may
 * drop do so. ret_sink: the first such sink's name */
bool mr_outputs_full (mr_outputs_t *self, uint64_t limit_bytes, const char **ret_sink);

/* Whether every sink has everything, or is failing and had its time.
 *   given_up  sinks that fail need not be waited for; what waits for them is logged */
bool mr_outputs_drained (mr_outputs_t *self, bool given_up);

/* Publish what the sinks have done since the last time. */
void mr_outputs_publish (mr_outputs_t *self);

/* Whether one of them takes records, so that latency is heard of. */
bool mr_outputs_take_records (const mr_outputs_t *self);

/* The first sink that fails, "sink NAME: WHY". false: none, ret_text is untouched. */
enum { MR_OUTPUTS_FAILURE_BYTES = 320 };
bool mr_outputs_failure (const mr_outputs_t *self, char *ret_text);

/* Append `,"sinks":[...],"unrouted":N` (PROTOCOL.md, "counters"). */
MR_CHECK mr_status_t mr_outputs_append (mr_outputs_t *self, mr_buffer_t *json);

#endif
