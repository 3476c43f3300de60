/* share: a received frame that several threads hold; it is freed when the last one lets go.
 * Holding and releasing are thread safe. */
#ifndef MR_COMMON_RUNTIME_SHARE_H
#define MR_COMMON_RUNTIME_SHARE_H

typedef struct mr_share mr_share_t;

/* A holder of what this zmq_msg_t holds, which stays where it is in memory; msg itself may be
 * closed. NULL: no memory. */
mr_share_t *mr_share_new (void *msg);

/* One holder more: every holder releases once. */
mr_share_t *mr_share_hold (mr_share_t *self);
void mr_share_release (mr_share_t **self_p); /* *self_p may be NULL */

#endif
