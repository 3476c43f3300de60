#include "common/runtime/peers.h"

#include "common/base/log.h"
#include "common/base/slots.h"
#include "common/runtime/rundir.h"
#include "common/runtime/sockets.h"
#include "common/runtime/worker.h"
#include "common/wire/control.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

typedef enum peer_state {
    PEER_FREE, /* the entry is unused */
    PEER_CONNECTING,
    PEER_CONNECTED,
    PEER_LEAVING, /* its farewell waits for room */
} peer_state_t;

typedef struct peer {
    mr_peers_t *owner;
    peer_state_t state;
    int slot;
    void *socket;
    void *events; /* socket monitor */
    int socket_id;
    int events_id;
} peer_t;

/* Twice the slots: a worker that leaves and its successor may be here at the same time. */
enum { MAX_PEERS = 2 * MR_SLOTS_MAX };

struct mr_peers {
    mr_peers_options_t options;
    char run_dir[PATH_MAX];
    char stage[MR_WORKER_NAME_BYTES];
    mr_rundir_t *rundir;
    peer_t peers[MAX_PEERS];
    int next; /* whose turn it is */
    bool want_room;
    bool leaving;
    uint8_t *bye; /* MR_BYE_BYTES */
};

static void
close_peer (peer_t *peer, int linger_ms)
{
    mr_loop_remove (peer->owner->options.loop, peer->socket_id);
    mr_loop_remove (peer->owner->options.loop, peer->events_id);
    mr_socket_unwatch (peer->socket, &peer->events);
    zmq_setsockopt (peer->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close (peer->socket);
    peer->socket = NULL;
    peer->state = PEER_FREE;
}

static void
notify_room (mr_peers_t *self)
{
    if (!self->want_room) {
        return;
    }
    self->want_room = false;
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].state == PEER_CONNECTED) {
            mr_loop_events (self->options.loop, self->peers[i].socket_id, 0);
        }
    }
    self->options.room (self->options.arg);
}

static void
say_farewell (peer_t *peer)
{
    mr_peers_t *self = peer->owner;
    if (zmq_send (peer->socket, self->bye, MR_BYE_BYTES, ZMQ_DONTWAIT) == MR_BYE_BYTES) {
        close_peer (peer, self->options.linger_ms);
    } else {
        peer->state = PEER_LEAVING;
        mr_loop_events (self->options.loop, peer->socket_id, ZMQ_POLLOUT);
    }
}

static void
on_writable (void *arg, short revents)
{
    (void)revents;
    peer_t *peer = arg;
    if (peer->state == PEER_LEAVING) {
        say_farewell (peer);
    } else {
        notify_room (peer->owner);
    }
}

static void on_appeared (void *arg, int slot);

/* The worker died: what our side still queues for it must not reach a successor behind newer
 * batches, so the socket goes before anybody is told. */
static void
drop_lost (peer_t *peer)
{
    mr_peers_t *self = peer->owner;
    int slot = peer->slot;
    bool was_leaving = peer->state == PEER_LEAVING;
    close_peer (peer, 0);
    mr_log_warn ("lost the connection to %s.%d", self->stage, slot);
    if (self->options.lost != NULL) {
        self->options.lost (self->options.arg, slot);
    }
    if (!was_leaving && !self->leaving) {
        on_appeared (self, slot);
    }
    notify_room (self);
}

static void
on_socket_event (void *arg, short revents)
{
    (void)revents;
    peer_t *peer = arg;
    mr_peers_t *self = peer->owner;
    int event;
    while (peer->events != NULL && mr_socket_next_event (peer->events, &event)) {
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && peer->state == PEER_CONNECTING) {
            peer->state = PEER_CONNECTED;
            mr_loop_events (self->options.loop, peer->socket_id, self->want_room ? ZMQ_POLLOUT : 0);
            /* A worker that was leaving when we connected waits for our farewell. */
            mr_rundir_scan (self->rundir);
            if (peer->state == PEER_FREE) {
                return;
            }
        } else if (event == ZMQ_EVENT_DISCONNECTED && peer->state != PEER_CONNECTING) {
            /* Whether it left on purpose stands in the run directory, perhaps not read yet. */
            mr_rundir_scan (self->rundir);
            if (peer->state == PEER_CONNECTED || peer->state == PEER_LEAVING) {
                drop_lost (peer);
            }
            return;
        }
    }
}

static peer_t *
free_entry (mr_peers_t *self)
{
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].state == PEER_FREE) {
            return &self->peers[i];
        }
    }
    return NULL;
}

static bool
open_peer (peer_t *peer, const char *endpoint)
{
    const mr_peers_options_t *options = &peer->owner->options;
    int immediate = options->immediate ? 1 : 0;
    peer->socket = mr_socket_open (options->zmq, ZMQ_PUSH);
    if (peer->socket == NULL) {
        return false;
    }
    zmq_setsockopt (peer->socket, ZMQ_SNDHWM, &options->hwm, sizeof options->hwm);
    zmq_setsockopt (peer->socket, ZMQ_IMMEDIATE, &immediate, sizeof immediate);
    peer->events = mr_socket_watch (options->zmq, peer->socket,
                                    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
    if (peer->events == NULL || zmq_connect (peer->socket, endpoint) != 0) {
        mr_socket_unwatch (peer->socket, &peer->events);
        zmq_close (peer->socket);
        return false;
    }
    return true;
}

static void
on_appeared (void *arg, int slot)
{
    mr_peers_t *self = arg;
    peer_t *peer = free_entry (self);
    if (self->leaving || peer == NULL) {
        return;
    }
    char endpoint[PATH_MAX + 128];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/%s.%d.ipc", self->run_dir, self->stage, slot);
    *peer = (peer_t){.owner = self, .slot = slot};
    if (!open_peer (peer, endpoint)) {
        mr_log_error ("cannot connect to %s: %s", endpoint, zmq_strerror (errno));
        return;
    }
    peer->state = PEER_CONNECTING;
    peer->socket_id =
        mr_loop_add (self->options.loop, mr_loop_socket (peer->socket), 0, on_writable, peer);
    peer->events_id = mr_loop_add (self->options.loop, mr_loop_socket (peer->events), ZMQ_POLLIN,
                                   on_socket_event, peer);
    MR_ASSERT (peer->socket_id != 0 && peer->events_id != 0);
    mr_log_debug ("connecting to %s.%d", self->stage, slot);
}

static void
leave_peer (peer_t *peer)
{
    if (peer->state == PEER_CONNECTED) {
        say_farewell (peer);
    } else if (peer->state == PEER_CONNECTING) {
        /* Without IMMEDIATE something may wait in the socket; it goes when it can. */
        close_peer (peer, peer->owner->options.immediate ? 0 : peer->owner->options.linger_ms);
    }
}

static void
on_vanished (void *arg, int slot)
{
    mr_peers_t *self = arg;
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].slot == slot) {
            leave_peer (&self->peers[i]);
        }
    }
    notify_room (self);
}

mr_status_t
mr_peers_new (const mr_peers_options_t *options, mr_peers_t **ret_peers, mr_error_t *err)
{
    mr_peers_t *self = calloc (1, sizeof *self);
    uint8_t *bye = malloc (MR_BYE_BYTES);
    if (self == NULL || bye == NULL) {
        free (self);
        free (bye);
        return mr_error_errno (err, "link to %s", options->stage);
    }
    mr_bye_encode (bye);
    self->bye = bye;
    self->options = *options;
    snprintf (self->run_dir, sizeof self->run_dir, "%s", options->run_dir);
    snprintf (self->stage, sizeof self->stage, "%s", options->stage);
    mr_status_t status =
        mr_rundir_new (self->run_dir, self->stage, options->loop, &self->rundir, err);
    if (status != MR_OK) {
        mr_peers_destroy (&self);
        return status;
    }
    mr_rundir_on_change (self->rundir, on_appeared, on_vanished, self);
    mr_rundir_scan (self->rundir);
    *ret_peers = self;
    return MR_OK;
}

void
mr_peers_destroy (mr_peers_t **self_p)
{
    mr_peers_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].state != PEER_FREE) {
            close_peer (&self->peers[i], self->options.linger_ms);
        }
    }
    mr_rundir_destroy (&self->rundir);
    free (self->bye);
    free (self);
    *self_p = NULL;
}

mr_status_t
mr_peers_send (mr_peers_t *self, void *msg)
{
    for (int tried = 0; tried < MAX_PEERS; tried++) {
        peer_t *peer = &self->peers[self->next];
        self->next = self->next + 1 == MAX_PEERS ? 0 : self->next + 1;
        if (peer->state != PEER_CONNECTED) {
            continue;
        }
        int sent;
        do {
            sent = zmq_msg_send (msg, peer->socket, ZMQ_DONTWAIT);
        } while (sent < 0 && errno == EINTR);
        if (sent >= 0) {
            return MR_OK;
        }
    }
    return MR_AGAIN;
}

mr_status_t
mr_peers_send_to (mr_peers_t *self, int slot, const void *data, size_t bytes)
{
    for (int i = 0; i < MAX_PEERS; i++) {
        const peer_t *peer = &self->peers[i];
        bool usable = peer->state == PEER_CONNECTED ||
                      (peer->state == PEER_CONNECTING && !self->options.immediate);
        if (usable && peer->slot == slot &&
            zmq_send (peer->socket, data, bytes, ZMQ_DONTWAIT) == (int)bytes) {
            return MR_OK;
        }
    }
    return MR_AGAIN;
}

void
mr_peers_send_all (mr_peers_t *self, const void *data, size_t bytes)
{
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        (void)!mr_peers_send_to (self, slot, data, bytes);
    }
}

void
mr_peers_want_room (mr_peers_t *self)
{
    self->want_room = true;
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].state == PEER_CONNECTED) {
            mr_loop_events (self->options.loop, self->peers[i].socket_id, ZMQ_POLLOUT);
        }
    }
}

bool
mr_peers_any (const mr_peers_t *self)
{
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].state == PEER_CONNECTING || self->peers[i].state == PEER_CONNECTED) {
            return true;
        }
    }
    return false;
}

bool
mr_peers_have_room (const mr_peers_t *self)
{
    for (int i = 0; i < MAX_PEERS; i++) {
        int events = 0;
        size_t bytes = sizeof events;
        if (self->peers[i].state == PEER_CONNECTED &&
            zmq_getsockopt (self->peers[i].socket, ZMQ_EVENTS, &events, &bytes) == 0 &&
            (events & ZMQ_POLLOUT) != 0) {
            return true;
        }
    }
    return false;
}

void
mr_peers_leave (mr_peers_t *self)
{
    self->leaving = true;
    for (int i = 0; i < MAX_PEERS; i++) {
        leave_peer (&self->peers[i]);
    }
}

bool
mr_peers_gone (const mr_peers_t *self)
{
    for (int i = 0; i < MAX_PEERS; i++) {
        if (self->peers[i].state != PEER_FREE) {
            return false;
        }
    }
    return true;
}
