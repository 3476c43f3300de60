#include "launcher/notes.h"

#include "common/base/clock.h"

#include <string.h>

/* A worker that dies again and again is given up before that, unless it dies slowly. */
enum { PATIENCE_MS = 10000 };

static void
say (const mr_notes_t *self, const char *text)
{
    fprintf (self->voice, "%s\n", text);
    fflush (self->voice);
}

static void
tell_death (mr_notes_t *self)
{
    if (self->worker[0] != '\0') {
        say (self, self->death);
        self->worker[0] = '\0';
    }
}

static void
take_death (mr_notes_t *self, const char *worker, const char *text, int64_t now_ns)
{
    if (strcmp (self->worker, worker) == 0) {
        return; /* the first one is as good */
    }
    tell_death (self); /* of another one */
    snprintf (self->worker, sizeof self->worker, "%s", worker);
    snprintf (self->death, sizeof self->death, "%s", text);
    self->since_ns = now_ns;
}

static const char *
member (const json_t *note, const char *key)
{
    const char *text = json_string_value (json_object_get (note, key));
    return text != NULL ? text : "";
}

void
mr_notes_take (mr_notes_t *self, const json_t *note, int64_t now_ns)
{
    const char *what = member (note, "note");
    const char *worker = member (note, "worker");
    const char *text = member (note, "text");
    bool waited = now_ns - self->since_ns >= PATIENCE_MS * MR_NS_PER_MS;
    if (strcmp (what, "died") == 0) {
        take_death (self, worker, text, now_ns);
        return;
    }
    if (waited || (strcmp (what, "running") == 0 && strcmp (self->worker, worker) == 0)) {
        tell_death (self);
    }
    bool up = strcmp (what, "started") == 0 || strcmp (what, "running") == 0;
    bool given_up = strcmp (what, "given_up") == 0;
    if (given_up && strcmp (self->worker, worker) == 0) {
        self->worker[0] = '\0';
    }
    if (text[0] != '\0' && !(self->starting && (up || given_up))) {
        say (self, text);
    }
}
