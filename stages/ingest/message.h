/* message: the frames of one message from a socket, kept until it is answered, and the same as a
 * request reads them. One thread. */
#ifndef MR_STAGES_INGEST_MESSAGE_H
#define MR_STAGES_INGEST_MESSAGE_H

#include "common/wire/producer.h"

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

/* Zeros at first. */
typedef struct mr_message {
    zmq_msg_t *frames;
    mr_frame_t *views; /* valid until the message is cleared */
    size_t count;
    size_t capacity;
} mr_message_t;

/* Read one whole message into an empty one; of more than MR_REQUEST_KEPT_FRAMES frames the first
 * are kept. false: none is there. Ends the process when there is no memory. */
bool mr_message_receive (mr_message_t *self, void *socket);

void mr_message_clear (mr_message_t *self);
void mr_message_release (mr_message_t *self);

#endif
