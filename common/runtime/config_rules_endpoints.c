/* Addresses: every one is bound once, and by one worker. */
#include "common/base/endpoint.h"
#include "common/base/slots.h"
#include "common/runtime/config_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { ENDPOINTS_MAX = 64 };

/* One address that a process of the pipeline binds. */
typedef struct bound {
    mr_config_place_t place;
    bool ipc;
    char path[MR_ENDPOINT_BYTES]; /* ipc, for the last slot */
    mr_hostport_t address;        /* tcp */
} bound_t;

typedef struct endpoints {
    mr_config_t *config;
    size_t count;
    bound_t list[ENDPOINTS_MAX];
} endpoints_t;

static bool
is_any_host (const char *host)
{
    return strcmp (host, "*") == 0 || strcmp (host, "0.0.0.0") == 0 || strcmp (host, "::") == 0;
}

static bool
is_same (const bound_t *a, const bound_t *b)
{
    if (a->ipc != b->ipc) {
        return false;
    }
    if (a->ipc) {
        return strcmp (a->path, b->path) == 0;
    }
    return a->address.port != 0 && a->address.port == b->address.port &&
           (strcmp (a->address.host, b->address.host) == 0 || is_any_host (a->address.host) ||
            is_any_host (b->address.host));
}

/* Whether an ipc path is one of those that workers bind for each other. */
static bool
is_own_socket (const mr_config_t *self, const char *path)
{
    const mr_config_section_t *pipeline = mr_config_section (self, "pipeline");
    const char *run_dir =
        mr_config_sound (pipeline, "run_dir") ? mr_config_text (pipeline, "run_dir") : NULL;
    size_t bytes = run_dir != NULL ? strlen (run_dir) : 0;
    if (bytes == 0 || strncmp (path, run_dir, bytes) != 0 || path[bytes] != '/') {
        return false;
    }
    const char *dot = strchr (path + bytes + 1, '.');
    if (dot == NULL || strchr (path + bytes + 1, '/') != NULL) {
        return false;
    }
    size_t digits = strspn (dot + 1, "0123456789");
    return (digits > 0 && strcmp (dot + 1 + digits, ".ipc") == 0) ||
           strncmp (path + bytes + 1, "bus.", 4) == 0;
}

static void
check_ipc (mr_config_t *self, const bound_t *bound)
{
    size_t bytes = strlen (bound->path);
    if (bytes > MR_IPC_PATH_MAX_BYTES) {
        mr_config_reject (self, bound->place,
                          "the path is too long for a socket: %.200s has %zu bytes, and %d is the "
                          "limit",
                          bound->path, bytes, MR_IPC_PATH_MAX_BYTES);
    }
    if (is_own_socket (self, bound->path)) {
        mr_config_reject (self, bound->place,
                          "%.200s is a socket of the pipeline itself; choose another name",
                          bound->path);
    }
}

static void
reject_same (mr_config_t *self, const bound_t *bound, const bound_t *other)
{
    if (bound->place.line == 0) { /* a default: the fault is where the user wrote */
        const bound_t *swap = bound;
        bound = other;
        other = swap;
    }
    char title[MR_CONFIG_TITLE_BYTES];
    char line[32] = "the default of ";
    if (other->place.line > 0) {
        snprintf (line, sizeof line, "line %d, ", other->place.line);
    }
    mr_config_reject (self, bound->place, "the same address as %s%s %s; each can be bound once",
                      line, mr_config_title (other->place.section, title), other->place.key);
}

static void
add (endpoints_t *self, const bound_t *bound)
{
    for (size_t i = 0; i < self->count; i++) {
        const bound_t *other = &self->list[i];
        if (is_same (other, bound)) {
            reject_same (self->config, bound, other);
            return;
        }
    }
    if (self->count == ENDPOINTS_MAX) {
        mr_config_reject (self->config, bound->place, "more than %d addresses", ENDPOINTS_MAX);
        return;
    }
    self->list[self->count++] = *bound;
}

/* Fill in what is bound by the last slot. Returns false for what was rejected before. */
static bool
describe (const char *text, bound_t *bound)
{
    mr_error_t ignored;
    char plain[MR_ENDPOINT_BYTES];
    if (text == NULL ||
        mr_endpoint_for_slot (text, MR_SLOTS_MAX - 1, plain, sizeof plain, &ignored) != MR_OK) {
        return false;
    }
    bound->ipc = strncmp (plain, "ipc://", 6) == 0;
    if (bound->ipc) {
        snprintf (bound->path, sizeof bound->path, "%s", plain + 6);
        return true;
    }
    const char *address = strncmp (plain, "tcp://", 6) == 0 ? plain + 6 : plain;
    return mr_hostport_parse (address, &bound->address, &ignored) == MR_OK;
}

static const char one_worker[] =
    "with workers above 1 each needs an address of its own; write {slot} into it";

static bool
is_address (const mr_config_entry_t *entry)
{
    return entry->option != NULL &&
           (entry->option->type == MR_OPTION_ENDPOINT || entry->option->type == MR_OPTION_HOSTPORT);
}

mr_status_t
mr_config_many_ingests (const mr_config_t *self, mr_error_t *err)
{
    const mr_config_section_t *ingest = mr_config_section (self, "ingest");
    const mr_config_entry_t *entry = NULL;
    while ((entry = mr_config_next (ingest, NULL, entry)) != NULL) {
        if (is_address (entry) && !mr_endpoint_has_slot (entry->value.text)) {
            return mr_config_fault (self, entry, err, "%s", one_worker);
        }
    }
    return MR_OK;
}

static void
add_ingest (endpoints_t *self, const mr_config_section_t *ingest)
{
    bool several = mr_config_number (ingest, "workers") > 1;
    for (const mr_config_entry_t *entry = mr_config_next (ingest, NULL, NULL); entry != NULL;
         entry = mr_config_next (ingest, NULL, entry)) {
        bound_t bound = {.place = mr_config_at_entry (entry)};
        if (!is_address (entry) || !describe (entry->value.text, &bound)) {
            continue;
        }
        if (several && !mr_endpoint_has_slot (entry->value.text)) {
            mr_config_reject (self->config, bound.place, "%s", one_worker);
        }
        if (bound.ipc) {
            check_ipc (self->config, &bound);
        }
        add (self, &bound);
    }
    const char *chain = mr_config_text (mr_config_section (self->config, "pipeline"), "chain");
    if (self->count == 0 && self->config->faults == 0 && mr_config_has_word (chain, "ingest")) {
        mr_config_warn (self->config, mr_config_at (ingest, NULL),
                        "no input: no pull, router or tcp, so nothing can come in");
    }
}

void
mr_config_rules_endpoints (mr_config_t *self)
{
    endpoints_t *endpoints = mr_config_alloc (self, sizeof *endpoints);
    if (endpoints == NULL) {
        return;
    }
    endpoints->config = self;
    add_ingest (endpoints, mr_config_section (self, "ingest"));
    const mr_config_section_t *monitor = mr_config_section (self, "monitor");
    bound_t http = {.place = mr_config_at (monitor, "http")};
    const char *text = mr_config_text (monitor, "http");
    if (text != NULL && mr_config_sound (monitor, "http") &&
        mr_config_number (monitor, "http") > 0 && describe (text, &http)) {
        add (endpoints, &http);
    }
}
