#include "common/runtime/worker_line.h"

#include "common/base/clock.h"
#include "common/base/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATES = MR_WORKER_DRAINING + 1 };

static const char *const state_names[STATES] = {
    [MR_WORKER_STARTING] = "starting",
    [MR_WORKER_RUNNING] = "running",
    [MR_WORKER_DRAINING] = "draining",
};

const char *
mr_worker_state_name (mr_worker_state_t state)
{
    return state_names[state];
}

/* "…key=WORD …" -> WORD; false when the key is not there or the word does not fit. */
static bool
word_of (const char *line, const char *key, char *word, size_t room)
{
    const char *at = strstr (line, key);
    if (at == NULL) {
        return false;
    }
    at += strlen (key);
    size_t bytes = strcspn (at, " \n");
    if (bytes == 0 || bytes >= room) {
        return false;
    }
    memcpy (word, at, bytes);
    word[bytes] = '\0';
    return true;
}

static bool
parse_started (const char *line, int64_t *started_ns)
{
    char word[MR_RFC3339_BYTES];
    struct tm tm = {0};
    if (!word_of (line, "started=", word, sizeof word)) {
        return false;
    }
    const char *rest = strptime (word, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL || *rest != '.') {
        return false;
    }
    *started_ns = (int64_t)timegm (&tm) * MR_NS_PER_S + strtol (rest + 1, NULL, 10) * 1000;
    return true;
}

mr_status_t
mr_worker_parse_line (const char *line, mr_worker_info_t *info)
{
    char word[32];
    if (!word_of (line, "pid=", word, sizeof word)) {
        return MR_INVALID;
    }
    info->pid = (pid_t)strtol (word, NULL, 10);
    if (info->pid <= 0 || !word_of (line, "incarnation=", word, sizeof word)) {
        return MR_INVALID;
    }
    info->incarnation = strtoull (word, NULL, 16);
    if (!parse_started (line, &info->started_ns) || !word_of (line, "state=", word, sizeof word)) {
        return MR_INVALID;
    }
    for (size_t i = 0; i < STATES; i++) {
        if (strcmp (word, state_names[i]) == 0) {
            info->state = (mr_worker_state_t)i;
            return MR_OK;
        }
    }
    return MR_INVALID;
}

mr_status_t
mr_worker_parse_name (const char *name, char *ret_stage, int *ret_slot)
{
    const char *dot = strrchr (name, '.');
    size_t bytes = dot == NULL ? strlen (name) : (size_t)(dot - name);
    if (bytes == 0 || bytes >= MR_WORKER_NAME_BYTES) {
        return MR_INVALID;
    }
    int slot = -1;
    if (dot != NULL) {
        char *end;
        long value = strtol (dot + 1, &end, 10);
        bool is_plain = dot[1] >= '0' && dot[1] <= '9' && (dot[1] != '0' || dot[2] == '\0');
        if (!is_plain || *end != '\0' || value >= MR_SLOTS_MAX) {
            return MR_INVALID;
        }
        slot = (int)value;
    }
    memcpy (ret_stage, name, bytes);
    ret_stage[bytes] = '\0';
    *ret_slot = slot;
    return MR_OK;
}
