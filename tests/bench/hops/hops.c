#include "tests/bench/hops/hops.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum {
    BUFFER_BYTES = 1 << 20, /* a batch that is filled, as ingest's */
    TIMEOUT_MS = 60000,
    ADDRESS_BYTES = 256,
};

typedef struct link {
    void *context;
    void *in;
    void *out;
} link_t;

static void
fail (const char *what)
{
    fprintf (stderr, "hops: %s: %s\n", what, zmq_strerror (zmq_errno ()));
    exit (1);
}

static double
now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
cpu_s (int who)
{
    struct rusage usage;
    getrusage (who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* A message has so many bytes in flight at most as Millrace's links have. */
static void *
open_socket (link_t *self, int type, int hwm)
{
    int timeout_ms = TIMEOUT_MS;
    void *socket = zmq_socket (self->context, type);
    if (socket == NULL) {
        fail ("socket");
    }
    zmq_setsockopt (socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt (socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt (socket, ZMQ_LINGER, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt (socket, ZMQ_SNDTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt (socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    return socket;
}

static void
open_link (link_t *self, const mr_hops_options_t *options, unsigned place)
{
    char address[ADDRESS_BYTES];
    int hwm = options->chunk == 1 ? 1000 : 16;
    *self = (link_t){.context = zmq_ctx_new ()};
    if (place > 0) {
        snprintf (address, sizeof address, "ipc://%.200s/hop%u", options->dir, place);
        self->in = open_socket (self, ZMQ_PULL, hwm);
        if (zmq_bind (self->in, address) != 0) {
            fail (address);
        }
    }
    if (place < options->hops) {
        snprintf (address, sizeof address, "ipc://%.200s/hop%u", options->dir, place + 1);
        self->out = open_socket (self, ZMQ_PUSH, hwm);
        if (zmq_connect (self->out, address) != 0) {
            fail (address);
        }
    }
}

static void
close_link (link_t *self)
{
    if (self->in != NULL) {
        zmq_close (self->in);
    }
    if (self->out != NULL) {
        zmq_close (self->out);
    }
    zmq_ctx_term (self->context);
}

static uint64_t
messages (const mr_hops_options_t *options)
{
    return (options->records + options->chunk - 1) / options->chunk;
}

static void
send_all (const mr_hops_options_t *options)
{
    link_t link;
    open_link (&link, options, 0);
    size_t bytes = options->bytes * options->chunk;
    for (uint64_t number = 1; number <= messages (options); number++) {
        zmq_msg_t msg;
        if (zmq_msg_init_size (&msg, bytes) != 0) {
            fail ("message");
        }
        memset (zmq_msg_data (&msg), 'x', bytes);
        memcpy (zmq_msg_data (&msg), &number, sizeof number);
        if (zmq_msg_send (&msg, link.out, 0) < 0) {
            fail ("send");
        }
    }
    close_link (&link);
}

static void
relay_all (const mr_hops_options_t *options, unsigned place)
{
    link_t link;
    open_link (&link, options, place);
    for (uint64_t number = 1; number <= messages (options); number++) {
        zmq_msg_t msg;
        zmq_msg_init (&msg);
        if (zmq_msg_recv (&msg, link.in, 0) < 0 || zmq_msg_send (&msg, link.out, 0) < 0) {
            fail ("relay");
        }
    }
    close_link (&link);
}

/* Returns whether all came, and in order. */
static bool
receive_all (const mr_hops_options_t *options, link_t *link, double *ret_began_s)
{
    bool good = true;
    size_t bytes = options->bytes * options->chunk;
    for (uint64_t number = 1; number <= messages (options); number++) {
        zmq_msg_t msg;
        uint64_t found = 0;
        zmq_msg_init (&msg);
        if (zmq_msg_recv (&msg, link->in, 0) < 0) {
            fail ("receive");
        }
        if (number == 1) {
            *ret_began_s = now_s ();
        }
        good = good && zmq_msg_size (&msg) == bytes;
        if (good) {
            memcpy (&found, zmq_msg_data (&msg), sizeof found);
        }
        good = good && found == number;
        zmq_msg_close (&msg);
    }
    return good;
}

int
mr_hops_run (const mr_hops_options_t *options)
{
    for (unsigned place = 0; place < options->hops; place++) {
        pid_t pid = fork ();
        if (pid < 0) {
            perror ("hops: fork");
            return 1;
        }
        if (pid == 0) {
            if (place == 0) {
                send_all (options);
            } else {
                relay_all (options, place);
            }
            exit (0);
        }
    }
    link_t link;
    double began_s = 0;
    open_link (&link, options, options->hops);
    bool good = receive_all (options, &link, &began_s);
    double wall_s = now_s () - began_s;
    for (unsigned place = 0; place < options->hops; place++) {
        int status = 0;
        good = wait (&status) > 0 && status == 0 && good;
    }
    close_link (&link);
    printf ("{\"exact\":%s,\"wall_s\":%.4f,\"cpu_s\":%.4f}\n", good ? "true" : "false", wall_s,
            cpu_s (RUSAGE_SELF) + cpu_s (RUSAGE_CHILDREN));
    return good ? 0 : 1;
}

int
mr_hops_receive (const mr_hops_options_t *options)
{
    char address[ADDRESS_BYTES];
    snprintf (address, sizeof address, "ipc://%.200s/receive", options->dir);
    char *buffer = malloc (BUFFER_BYTES);
    link_t link = {.context = zmq_ctx_new ()};
    link.in = open_socket (&link, ZMQ_PULL, 1000);
    if (buffer == NULL || zmq_bind (link.in, address) != 0) {
        fail (address);
    }
    puts ("ready");
    fflush (stdout);
    uint64_t total = 0;
    size_t used = 0;
    double began_s = 0;
    double began_cpu_s = 0;
    for (uint64_t number = 1; number <= options->records; number++) {
        zmq_msg_t msg;
        zmq_msg_init (&msg);
        if (zmq_msg_recv (&msg, link.in, 0) < 0) {
            fail ("receive");
        }
        if (number == 1) {
            began_s = now_s ();
            began_cpu_s = cpu_s (RUSAGE_SELF);
        }
        size_t bytes = zmq_msg_size (&msg);
        used = used + bytes <= BUFFER_BYTES ? used : 0;
        memcpy (buffer + used, zmq_msg_data (&msg), bytes);
        used += bytes;
        total += bytes;
        zmq_msg_close (&msg);
    }
    printf ("{\"exact\":%s,\"wall_s\":%.4f,\"cpu_s\":%.4f}\n",
            total == options->records * options->bytes ? "true" : "false", now_s () - began_s,
            cpu_s (RUSAGE_SELF) - began_cpu_s);
    free (buffer);
    close_link (&link);
    return 0;
}
