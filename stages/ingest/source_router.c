#include "stages/ingest/source.h"

#include "common/base/log.h"
#include "common/runtime/sockets.h"
#include "common/wire/producer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    BURST = 64,             /* requests before others get their turn */
    HWM_REQUESTS = 64,      /* default of `hwm` */
    ANSWERS_HWM = 10000,    /* a producer that does not read its answers loses them, and retries */
    MAX_MESSAGE = 64 << 20, /* libzmq drops a peer that sends more */
    MAX_REQUEST = 32 << 20, /* all records together: an empty batch takes that */
    MAX_ROUTING_BYTES = 255,
};

#define NOTHING_SEALED UINT64_C (1) /* by this process: what is journaled is from earlier ones */

/* Frames of one request in the order they came; routing[0] names the peer, and REQ peers put an
 * empty frame behind it. */
typedef struct request {
    zmq_msg_t *frames;
    size_t count;
    size_t capacity;
    bool cut; /* more frames than we keep */
} request_t;

/* An answer that waits until the batch is in the window. */
typedef struct waiting {
    uint8_t routing[MAX_ROUTING_BYTES];
    uint8_t routing_bytes;
    bool delimiter;
    char id[MR_PRODUCER_ID_MAX_BYTES];
    uint8_t id_bytes;
    uint64_t last;
    uint64_t seq; /* of the batch that holds the records; 0: not sealed yet */
} waiting_t;

typedef struct router {
    mr_intake_t *intake;
    mr_loop_t *loop;
    mr_producers_t *producers; /* the intake's */
    void *socket;
    int loop_id;
    request_t request;
    waiting_t *waiting;
    size_t waiting_count;
    size_t waiting_capacity;
    uint64_t sealed;  /* the last batch that was sealed, ... */
    uint64_t durable; /* ... and the last that is durable */
    bool enabled;
    bool refusing;
} router_t;

static void
clear_request (request_t *request)
{
    for (size_t i = 0; i < request->count; i++) {
        zmq_msg_close (&request->frames[i]);
    }
    request->count = 0;
    request->cut = false;
}

static zmq_msg_t *
next_frame (request_t *request)
{
    if (request->count == MR_BATCH_MAX_RECORDS + 3) {
        return NULL;
    }
    if (request->count == request->capacity) {
        size_t capacity = request->capacity == 0 ? 64 : 2 * request->capacity;
        zmq_msg_t *frames = realloc (request->frames, capacity * sizeof *frames);
        if (frames == NULL) {
            return NULL;
        }
        request->frames = frames;
        request->capacity = capacity;
    }
    zmq_msg_t *frame = &request->frames[request->count++];
    zmq_msg_init (frame);
    return frame;
}

/* Read one whole request; libzmq hands over all frames of a message or none. */
static bool
receive (router_t *self)
{
    request_t *request = &self->request;
    bool more = true;
    while (more) {
        zmq_msg_t spare;
        zmq_msg_t *frame = next_frame (request);
        if (frame == NULL) {
            request->cut = true;
            frame = &spare;
            zmq_msg_init (frame);
        }
        if (zmq_msg_recv (frame, self->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (frame);
            clear_request (request);
            return false;
        }
        more = zmq_msg_more (frame) != 0;
        if (frame == &spare) {
            zmq_msg_close (frame);
        }
    }
    return true;
}

static mr_frame_t
frame_at (const request_t *request, size_t i)
{
    return (mr_frame_t){zmq_msg_data (&request->frames[i]), zmq_msg_size (&request->frames[i])};
}

static void
send_answer (router_t *self, const waiting_t *to, const mr_answer_t *answer)
{
    char text[MR_ANSWER_WHY_BYTES];
    mr_frame_t frames[2];
    size_t count = mr_answer_encode (answer, text, frames);
    int flags = ZMQ_SNDMORE | ZMQ_DONTWAIT;
    if (zmq_send (self->socket, to->routing, to->routing_bytes, flags) < 0 ||
        (to->delimiter && zmq_send (self->socket, "", 0, flags) < 0) ||
        zmq_send (self->socket, to->id, to->id_bytes, flags) < 0) {
        return; /* the producer is gone or does not read; it will ask again */
    }
    for (size_t i = 0; i < count; i++) {
        int last = i + 1 == count ? ZMQ_DONTWAIT : flags;
        (void)zmq_send (self->socket, frames[i].data, frames[i].bytes, last);
    }
}

static void
answer_busy (router_t *self, const waiting_t *to)
{
    mr_answer_t answer = {.type = MR_ANSWER_BUSY};
    send_answer (self, to, &answer);
}

static void
answer_error (router_t *self, const waiting_t *to, const char *why)
{
    mr_answer_t answer = {.type = MR_ANSWER_ERROR};
    snprintf (answer.why, sizeof answer.why, "%.*s", (int)sizeof answer.why - 1, why);
    send_answer (self, to, &answer);
}

/* Who asks and with which id. false: so broken that no answer is possible. */
static bool
address_of (const request_t *request, waiting_t *to, size_t *ret_first)
{
    size_t at = 1;
    if (request->count >= 2 && zmq_msg_size (&request->frames[1]) == 0) {
        to->delimiter = true;
        at = 2;
    }
    mr_frame_t routing = frame_at (request, 0);
    if (routing.bytes > sizeof to->routing) {
        return false;
    }
    memcpy (to->routing, routing.data, routing.bytes);
    to->routing_bytes = (uint8_t)routing.bytes;
    if (at < request->count) {
        mr_frame_t id = frame_at (request, at);
        to->id_bytes = (uint8_t)(id.bytes < sizeof to->id ? id.bytes : sizeof to->id);
        memcpy (to->id, id.data, to->id_bytes);
    }
    *ret_first = at;
    return true;
}

typedef struct contents {
    uint32_t records;
    size_t bytes;
} contents_t;

/* Count the records from frame `first` on. false: one is longer than max_record, and err says so.
 */
static bool
survey (const router_t *self, size_t first, contents_t *ret_contents, mr_error_t *err)
{
    contents_t contents = {0};
    size_t max_record = mr_intake_max_record (self->intake);
    for (size_t i = first; i < self->request.count; i++) {
        mr_frame_t record = frame_at (&self->request, i);
        if (record.bytes > max_record) {
            mr_error_set (err, "record %u of the request has %zu bytes, more than max_record = %zu",
                          contents.records + 1, record.bytes, max_record);
            return false;
        }
        if (!mr_producer_blank (record.data, record.bytes)) {
            contents.records++;
            contents.bytes += record.bytes;
        }
    }
    *ret_contents = contents;
    return true;
}

static bool
remember (router_t *self, const waiting_t *to)
{
    if (self->waiting_count == self->waiting_capacity) {
        size_t capacity = self->waiting_capacity == 0 ? 64 : 2 * self->waiting_capacity;
        waiting_t *waiting = realloc (self->waiting, capacity * sizeof *waiting);
        if (waiting == NULL) {
            return false;
        }
        self->waiting = waiting;
        self->waiting_capacity = capacity;
    }
    self->waiting[self->waiting_count++] = *to;
    return true;
}

/* Line ends belong to transports, not to records. */
static size_t
without_line_end (const char *record, size_t bytes)
{
    if (bytes > 0 && record[bytes - 1] == '\n') {
        bytes--;
    }
    return bytes > 0 && record[bytes - 1] == '\r' ? bytes - 1 : bytes;
}

static bool
store (router_t *self, size_t first, uint32_t skip)
{
    for (size_t i = first; i < self->request.count; i++) {
        mr_frame_t record = frame_at (&self->request, i);
        if (mr_producer_blank (record.data, record.bytes)) {
            continue;
        }
        if (skip > 0) {
            skip--;
            continue;
        }
        if (!mr_intake_request_record (self->intake, record.data,
                                       without_line_end (record.data, record.bytes))) {
            return false;
        }
    }
    return true;
}

/* Decide about a request whose parts are known to be sound. */
static void
judge (router_t *self, waiting_t *to, const mr_producer_id_t *id, size_t first,
       const contents_t *contents)
{
    uint32_t skip = 0;
    if (id->numbered) {
        uint64_t last = mr_producers_last (self->producers, id->name, id->name_bytes);
        mr_verdict_t verdict = mr_producer_judge (last, id->number, contents->records);
        to->last = verdict.last;
        if (verdict.type == MR_VERDICT_GAP) {
            mr_answer_t answer = {.type = MR_ANSWER_GAP, .last = verdict.last};
            send_answer (self, to, &answer);
            return;
        }
        if (verdict.type == MR_VERDICT_MALFORMED) {
            answer_error (self, to, "the request has more records than its number allows");
            return;
        }
        skip = verdict.type == MR_VERDICT_DUPLICATE ? contents->records : verdict.skip;
        if (verdict.type == MR_VERDICT_STORE &&
            mr_producers_set (self->producers, id->name, id->name_bytes, id->number) != MR_OK) {
            answer_busy (self, to);
            return;
        }
    }
    if (!remember (self, to) || !store (self, first, skip)) {
        mr_log_error ("no memory to take a request in");
        abort (); /* it was not acknowledged: the producer sends it again */
    }
}

static void
handle (router_t *self)
{
    waiting_t to = {0};
    size_t at = 0;
    if (!address_of (&self->request, &to, &at)) {
        return;
    }
    mr_error_t err;
    mr_producer_id_t id;
    contents_t contents;
    if (at >= self->request.count) {
        answer_error (self, &to, "a request is an id frame and one frame for each record");
    } else if (self->request.cut) {
        answer_error (self, &to, "a request holds at most 65536 records");
    } else if (mr_producer_id_parse (frame_at (&self->request, at), &id, &err) != MR_OK ||
               !survey (self, at + 1, &contents, &err)) {
        answer_error (self, &to, err.text);
    } else if (contents.records > MR_BATCH_MAX_RECORDS || contents.bytes > MAX_REQUEST) {
        answer_error (self, &to, "the request is too large: at most 65536 records and 32 MiB");
    } else if (!mr_intake_request_fits (self->intake, contents.records, contents.bytes)) {
        answer_busy (self, &to); /* the batch under way leaves too little room, the next will not */
    } else {
        judge (self, &to, &id, at + 1, &contents);
    }
}

static void
taken (void *arg, uint64_t seq)
{
    router_t *self = arg;
    self->sealed = seq;
    for (size_t i = self->waiting_count; i > 0 && self->waiting[i - 1].seq == 0; i--) {
        self->waiting[i - 1].seq = seq;
    }
}

static void
durable (void *arg, uint64_t seq)
{
    router_t *self = arg;
    size_t done = 0;
    self->durable = seq;
    while (done < self->waiting_count && self->waiting[done].seq != 0 &&
           self->waiting[done].seq <= seq) {
        mr_answer_t answer = {.type = MR_ANSWER_OK, .last = self->waiting[done].last};
        send_answer (self, &self->waiting[done], &answer);
        done++;
    }
    if (done > 0) {
        self->waiting_count -= done;
        memmove (self->waiting, self->waiting + done, self->waiting_count * sizeof *self->waiting);
    }
}

/* Duplicates, and questions for the last number, wait for nothing new: they are as durable as the
 * last batch. */
static void
settle_duplicates (router_t *self)
{
    if (self->waiting_count > 0 && mr_intake_empty (self->intake)) {
        uint64_t seq = self->sealed != 0 ? self->sealed : NOTHING_SEALED;
        taken (self, seq);
        self->sealed = seq == NOTHING_SEALED ? 0 : seq;
        if (seq == NOTHING_SEALED || self->durable >= seq) {
            durable (self, self->durable > seq ? self->durable : seq);
        }
    }
}

/* The journal takes nothing: say so to each request, that nobody waits in the dark. */
static void
refuse_waiting (router_t *self)
{
    for (int i = 0; i < BURST && receive (self); i++) {
        waiting_t to = {0};
        size_t at = 0;
        if (address_of (&self->request, &to, &at)) {
            answer_busy (self, &to);
        }
        clear_request (&self->request);
    }
}

static void
on_readable (void *arg, short revents)
{
    (void)revents;
    router_t *self = arg;
    if (self->refusing) {
        refuse_waiting (self);
        return;
    }
    for (int i = 0; i < BURST && mr_intake_ready (self->intake) && receive (self); i++) {
        handle (self);
        clear_request (&self->request);
        int events;
        size_t bytes = sizeof events;
        zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &bytes);
    }
    settle_duplicates (self);
    mr_intake_turn_over (self->intake);
}

static void
watch (router_t *self)
{
    mr_loop_events (self->loop, self->loop_id, self->enabled || self->refusing ? ZMQ_POLLIN : 0);
}

static void
refuse (void *arg, bool refusing)
{
    router_t *self = arg;
    self->refusing = refusing;
    watch (self);
}

static void
enable (void *arg, bool enabled)
{
    router_t *self = arg;
    self->enabled = enabled;
    watch (self);
}

static void
serve (void *arg)
{
    on_readable (arg, 0);
}

/* What waits in the socket was not taken: say so, that nobody waits for an answer in vain. */
static void
stop (void *arg)
{
    router_t *self = arg;
    refuse (self, true);
    refuse_waiting (self);
}

static void
destroy (void *arg)
{
    router_t *self = arg;
    if (self->loop_id != 0) {
        mr_loop_remove (self->loop, self->loop_id);
    }
    if (self->socket != NULL) {
        int linger_ms = 1000; /* the last answers */
        zmq_setsockopt (self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close (self->socket);
    }
    clear_request (&self->request);
    free (self->request.frames);
    free (self->waiting);
    free (self);
}

static mr_status_t
open_socket (router_t *self, mr_stage_t *stage, const mr_binding_t *binding, mr_error_t *err)
{
    self->socket = mr_socket_open (mr_stage_zmq (stage), ZMQ_ROUTER);
    if (self->socket == NULL) {
        return mr_error_errno (err, "router socket");
    }
    int hwm = (int)mr_config_number (mr_config_section (mr_stage_config (stage), "ingest"), "hwm");
    hwm = hwm == 0 ? HWM_REQUESTS : hwm;
    int answers_hwm = ANSWERS_HWM;
    int handover = 1; /* a producer that reconnects under its name is the same producer */
    int64_t max_message = MAX_MESSAGE;
    zmq_setsockopt (self->socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt (self->socket, ZMQ_SNDHWM, &answers_hwm, sizeof answers_hwm);
    zmq_setsockopt (self->socket, ZMQ_ROUTER_HANDOVER, &handover, sizeof handover);
    zmq_setsockopt (self->socket, ZMQ_MAXMSGSIZE, &max_message, sizeof max_message);
    return mr_binding_bind (binding, self->socket, err);
}

mr_status_t
mr_source_router_new (mr_stage_t *stage, mr_intake_t *intake, const mr_binding_t *binding,
                      mr_error_t *err)
{
    router_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "router");
    }
    self->intake = intake;
    self->loop = mr_stage_loop (stage);
    self->producers = mr_intake_producers (intake);
    self->enabled = true;
    mr_status_t status = open_socket (self, stage, binding, err);
    if (status == MR_OK) {
        self->loop_id =
            mr_loop_add (self->loop, mr_loop_socket (self->socket), ZMQ_POLLIN, on_readable, self);
        mr_source_t source = {
            .enable = enable,
            .serve = serve,
            .taken = taken,
            .durable = durable,
            .refuse = refuse,
            .stop = stop,
            .destroy = destroy,
            .self = self,
        };
        status = mr_intake_add_source (intake, &source);
    }
    if (status != MR_OK) {
        destroy (self);
    }
    return status;
}
