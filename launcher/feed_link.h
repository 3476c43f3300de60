/* feed_link: the socket of a numbered producer: requests out, answers in, and whether it is
 * connected. Not thread safe. */
#ifndef MR_LAUNCHER_FEED_LINK_H
#define MR_LAUNCHER_FEED_LINK_H

#include "common/base/status.h"
#include "common/wire/producer.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_feed_link {
    void *zmq;
    void *socket;
    void *watch; /* connection changes (mr_socket_next_event) */
} mr_feed_link_t;

/* All zero before. mr_feed_link_close also after a failure. */
MR_CHECK mr_status_t mr_feed_link_open (mr_feed_link_t *self, const char *endpoint,
                                        mr_error_t *err);
void mr_feed_link_close (mr_feed_link_t *self);

/* One request; records may be NULL with count 0. MR_AGAIN: no room now. */
MR_CHECK mr_status_t mr_feed_link_send (mr_feed_link_t *self, const char *name, uint64_t number,
                                        const mr_frame_t *records, size_t count);

/* An answer, without its delimiter; valid during the call. */
typedef mr_status_t mr_feed_answer_fn (void *arg, const mr_frame_t *frames, size_t count,
                                       mr_error_t *err);

/* Take one message in. MR_CLOSED: none is waiting; else what fn returns. */
MR_CHECK mr_status_t mr_feed_link_receive (mr_feed_link_t *self, mr_feed_answer_fn *fn, void *arg,
                                           mr_error_t *err);

#endif
