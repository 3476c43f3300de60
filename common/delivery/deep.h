/* deep: what became of the records of every journal, proved batch by batch from the bytes that lie
 * on the disk: all frames of journals and spools are read and verified, each identity must be in
 * exactly one spool exactly once with the counts that its journal says, and the cumulative totals
 * must follow from the frames. What retention has taken is proved by the totals at the starts of
 * segments alone. Nobody is asked for help, and everything may move meanwhile.
 *
 * Order of reading, so that nothing that moves looks like a fault: journals and spools as a whole;
 * then the cut: the windows; what came to the journals since; what came to the spools since (they
 * hold all that a window read before called DONE); what came to the journals since (they hold all
 * that is in a spool). */
#ifndef MR_COMMON_DELIVERY_DEEP_H
#define MR_COMMON_DELIVERY_DEEP_H

#include "common/base/status.h"
#include "common/delivery/tally.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_DEEP_FILE_BYTES = 1024, MR_DEEP_WHAT_BYTES = 320 };

/* Something that does not add up, or cannot be read. */
typedef struct mr_deep_fault {
    uint64_t journal;              /* 0: of none, or nobody knows */
    uint64_t seq;                  /* 0: the same */
    char file[MR_DEEP_FILE_BYTES]; /* in the data directory, or a sink's path; "": about none */
    uint64_t offset;               /* in it */
    char what[MR_DEEP_WHAT_BYTES];
} mr_deep_fault_t;

/* One journal, at its watermark. */
typedef struct mr_deep_journal {
    int slot;          /* of the ingest worker */
    mr_tally_t tally;  /* ahead, replayed and refused are not looked at */
    uint64_t from;     /* from this seq on batch by batch; below it by totals */
    uint64_t batches;  /* read in spools one by one, through the watermark */
    uint64_t compared; /* of all in spools, those whose frame the journal still has */
    uint64_t damaged;  /* places of the journal that cannot be read, but nothing depends on them */
} mr_deep_journal_t;

typedef struct mr_deep_spool {
    int slot;
    uint64_t segments;
    uint64_t batches; /* frames read and verified */
    uint64_t bytes;
} mr_deep_spool_t;

/* Who is told; all are called. */
typedef struct mr_deep_visitor {
    void (*fault) (void *arg, const mr_deep_fault_t *fault);
    void (*journal) (void *arg, const mr_deep_journal_t *journal);
    void (*spool) (void *arg, const mr_deep_spool_t *spool);
    void *arg;
} mr_deep_visitor_t;

/* Look at everything in the data directory. MR_OK, whatever was found: faults were told;
 * MR_AGAIN: it moves too fast to be caught, try again; MR_CONFIG, MR_SYSTEM. */
MR_CHECK mr_status_t mr_deep_read (const char *data_dir, const mr_deep_visitor_t *visitor,
                                   mr_error_t *err);

#endif
