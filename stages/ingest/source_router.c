#include "stages/ingest/source.h"

#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "common/runtime/sockets.h"
#include "stages/ingest/message.h"
#include "stages/ingest/request.h"

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
    HOLD_MS = 200,          /* while stopping, an answer is held back for so long, ... */
    HOLD_MAX = 4096,        /* ... and so many of them */
};

/* An answer that waits until everything up to `last` is as durable as promised: also a gap, for who
 * hears it lets go of what is before. */
typedef struct waiting {
    uint8_t routing[MR_REQUEST_ROUTING_MAX_BYTES];
    uint8_t routing_bytes;
    bool delimiter;
    char id[MR_PRODUCER_ID_MAX_BYTES];
    uint8_t id_bytes;
    uint64_t last;
    uint64_t seq; /* of the batch that holds the records; 0: not sealed yet */
    bool gap;     /* not `ok`: nothing of the request was taken */
} waiting_t;

typedef struct waiting_list {
    waiting_t *list;
    size_t count;
    size_t capacity;
} waiting_list_t;

typedef struct router {
    mr_intake_t *intake;
    mr_loop_t *loop;
    mr_producers_t *producers; /* the intake's */
    void *socket;
    mr_bound_t bound;
    int loop_id;
    mr_message_t message;
    waiting_list_t waiting; /* for `ok` or `gap` */
    waiting_list_t held;    /* for `busy`, when we go */
    uint64_t sealed;        /* the last batch in the journal, of whatever life, ... */
    uint64_t durable;       /* ... and the last that is durable */
    bool enabled;
    bool refusing;
    bool stopping;
} router_t;

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
    MR_CRASH_POINT ("ingest.answer.sent");
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
    mr_intake_bad_request (self->intake, answer.why);
    send_answer (self, to, &answer);
}

/* Where an answer to the request goes. */
static waiting_t
address_of (const mr_request_t *request)
{
    waiting_t to = {.delimiter = request->delimiter,
                    .routing_bytes = (uint8_t)request->routing.bytes,
                    .id_bytes = (uint8_t)request->id.bytes};
    memcpy (to.routing, request->routing.data, request->routing.bytes);
    if (request->id.bytes > 0) {
        memcpy (to.id, request->id.data, request->id.bytes);
    }
    return to;
}

static bool
remember (waiting_list_t *waiting, const waiting_t *to)
{
    if (waiting->count == waiting->capacity) {
        size_t capacity = waiting->capacity == 0 ? 64 : 2 * waiting->capacity;
        waiting_t *list = realloc (waiting->list, capacity * sizeof *list);
        if (list == NULL) {
            return false;
        }
        waiting->list = list;
        waiting->capacity = capacity;
    }
    waiting->list[waiting->count++] = *to;
    return true;
}

/* What comes while we stop is answered as late as can be, by the last words on its connection: a
 * producer that hears `busy` before sends again at once, to us, and just as we go that would be
 * lost. After it the connection is closed, and it sends to our successor. */
static void
refuse_later (router_t *self, const waiting_t *to)
{
    if (self->held.count >= HOLD_MAX || !remember (&self->held, to)) {
        answer_busy (self, to);
    }
}

static void
release_held (router_t *self)
{
    for (size_t i = 0; i < self->held.count; i++) {
        answer_busy (self, &self->held.list[i]);
    }
    self->held.count = 0;
}

static void
on_hold_timer (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    release_held (arg);
}

static bool
store (router_t *self, const mr_request_t *request, uint32_t skip)
{
    size_t position = 0;
    mr_frame_t record;
    while (mr_request_next (request, &position, &record)) {
        if (skip > 0) {
            skip--;
        } else if (!mr_intake_request_record (self->intake, record.data, record.bytes)) {
            return false;
        }
    }
    return true;
}

/* Enter a producer's number; answers where that cannot be. */
static bool
note_number (router_t *self, const waiting_t *to, const mr_producer_id_t *id)
{
    mr_status_t status = mr_producers_set (self->producers, id->name, id->name_bytes, id->number);
    if (status == MR_CLOSED) {
        char why[MR_ANSWER_WHY_BYTES];
        snprintf (why, sizeof why,
                  "%u names of producers are known, and [ingest] max_producers allows no more: "
                  "raise it, use one of them, or a name for one run, which begins with "
                  "\"" MR_PRODUCER_ONCE "\" (millrace send: --producer " MR_PRODUCER_ONCE "NAME)",
                  mr_producers_limit (self->producers));
        answer_error (self, to, why);
    } else if (status != MR_OK) {
        answer_busy (self, to);
    }
    return status == MR_OK;
}

/* Decide about a request whose parts are known to be sound. */
static void
judge (router_t *self, waiting_t *to, const mr_request_t *request)
{
    const mr_producer_id_t *id = &request->producer;
    uint32_t skip = 0;
    if (id->numbered) {
        uint64_t last = mr_producers_last (self->producers, id->name, id->name_bytes);
        mr_verdict_t verdict = mr_producer_judge (last, id->number, request->records);
        to->last = verdict.last;
        if (verdict.type == MR_VERDICT_MALFORMED) {
            answer_error (self, to, "the request has more records than its number allows");
            return;
        }
        to->gap = verdict.type == MR_VERDICT_GAP;
        skip = verdict.type == MR_VERDICT_STORE ? verdict.skip : request->records;
        if (verdict.type == MR_VERDICT_STORE && !note_number (self, to, id)) {
            return;
        }
    }
    if (!remember (&self->waiting, to) || !store (self, request, skip)) {
        mr_log_error ("no memory to take a request in");
        abort (); /* it was not acknowledged: the producer sends it again */
    }
}

/* taking false: nothing is taken now; what is wrong is said all the same. */
static void
handle (router_t *self, bool taking)
{
    mr_request_t request;
    mr_error_t err;
    mr_status_t status = mr_request_read (self->message.views, self->message.count,
                                          mr_intake_max_record (self->intake), &request, &err);
    if (status == MR_CLOSED) {
        return;
    }
    waiting_t to = address_of (&request);
    if (status != MR_OK) {
        answer_error (self, &to, err.text);
    } else if (self->stopping) {
        refuse_later (self, &to);
    } else if (!taking || !mr_intake_request_fits (self->intake, request.records, request.bytes)) {
        answer_busy (self,
                     &to); /* a batch under way may leave too little room; the next will not */
    } else {
        judge (self, &to, &request);
    }
}

/* The records of all that wait are in this batch, or in earlier ones. */
static void
mark_waiting (router_t *self, uint64_t seq)
{
    for (size_t i = self->waiting.count; i > 0 && self->waiting.list[i - 1].seq == 0; i--) {
        self->waiting.list[i - 1].seq = seq;
    }
}

static void
answer_waiting (router_t *self, uint64_t seq)
{
    waiting_list_t *waiting = &self->waiting;
    size_t done = 0;
    for (; done < waiting->count && waiting->list[done].seq != 0 && waiting->list[done].seq <= seq;
         done++) {
        const waiting_t *to = &waiting->list[done];
        mr_answer_t answer = {.type = to->gap ? MR_ANSWER_GAP : MR_ANSWER_OK, .last = to->last};
        send_answer (self, to, &answer);
    }
    if (done > 0) {
        waiting->count -= done;
        memmove (waiting->list, waiting->list + done, waiting->count * sizeof *waiting->list);
    }
}

static void
taken (void *arg, uint64_t seq)
{
    router_t *self = arg;
    self->sealed = seq;
    mark_waiting (self, seq);
}

static void
durable (void *arg, uint64_t seq)
{
    router_t *self = arg;
    self->durable = seq;
    answer_waiting (self, seq);
}

/* Duplicates, gaps, and questions for the last number, wait for nothing new: they are as durable as
 * the last batch in the journal, which may be of an earlier life that died before it was. */
static void
settle_duplicates (router_t *self)
{
    if (self->waiting.count > 0 && mr_intake_empty (self->intake)) {
        bool none = self->sealed == 0; /* nobody waits for anything */
        mark_waiting (self, none ? 1 : self->sealed);
        answer_waiting (self, none ? 1 : self->durable);
    }
}

/* The journal takes nothing: say so to each request, that nobody waits in the dark. */
static void
refuse_waiting (router_t *self)
{
    for (int i = 0; i < BURST && mr_message_receive (&self->message, self->socket); i++) {
        handle (self, false);
        mr_message_clear (&self->message);
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
    for (int i = 0; i < BURST && mr_intake_ready (self->intake) &&
                    mr_message_receive (&self->message, self->socket);
         i++) {
        handle (self, true);
        mr_message_clear (&self->message);
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

/* What is not taken any more is said all the same, that nobody waits for an answer in vain. */
static void
stop (void *arg)
{
    router_t *self = arg;
    self->stopping = true;
    refuse (self, true);
    refuse_waiting (self);
    (void)mr_loop_timer (self->loop, HOLD_MS, on_hold_timer, self); /* without it: at the end */
}

static void
destroy (void *arg)
{
    router_t *self = arg;
    if (self->loop_id != 0) {
        mr_loop_remove (self->loop, self->loop_id);
    }
    if (self->socket != NULL) {
        if (self->stopping) {
            refuse_waiting (self);
            release_held (self);
        }
        int linger_ms = 1000; /* the last answers */
        zmq_setsockopt (self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close (self->socket);
    }
    mr_message_release (&self->message);
    free (self->waiting.list);
    free (self->held.list);
    free (self);
}

static void
hold (void *arg)
{
    router_t *self = arg;
    mr_binding_hold (&self->bound);
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
    return mr_binding_bind (binding, self->socket, &self->bound, err);
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
    self->sealed = mr_intake_journaled (intake);
    self->durable = mr_intake_durable (intake);
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
            .hold = hold,
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
