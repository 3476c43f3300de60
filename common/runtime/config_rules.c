/* What one key says about another: the chain, directories and the length of socket paths. */
#include "common/base/endpoint.h"
#include "common/runtime/config_internal.h"
#include "common/runtime/filesystem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

typedef struct chain_check {
    mr_config_t *config;
    mr_config_place_t place;
    size_t words; /* faulty ones, too */
    size_t count;
    const char *seen[MR_CONFIG_STAGES_MAX];
} chain_check_t;

/* Names that other sections and sockets of the run directory already have. */
static bool
is_reserved (const char *name)
{
    static const char *const names[] = {"pipeline", "metric", "sink", "monitor", "launcher", "bus"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp (names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_stage_name (const char *name)
{
    size_t bytes = strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return islower ((unsigned char)name[0]) && name[bytes] == '\0' && bytes <= 32;
}

static void
check_stage (const char *name, void *arg)
{
    chain_check_t *check = arg;
    check->words++;
    if (!is_stage_name (name)) {
        mr_config_reject (check->config, check->place,
                          "\"%.40s\" is not a stage; write a-z first, then a-z 0-9 _ -, at most "
                          "32 characters",
                          name);
        return;
    }
    if (is_reserved (name)) {
        mr_config_reject (check->config, check->place, "%s cannot be the name of a stage", name);
    }
    for (size_t i = 0; i < check->count; i++) {
        if (strcmp (check->seen[i], name) == 0) {
            mr_config_reject (check->config, check->place, "%s stands twice", name);
            return;
        }
    }
    if (check->count == MR_CONFIG_STAGES_MAX) {
        mr_config_reject (check->config, check->place, "more than %d stages", MR_CONFIG_STAGES_MAX);
    } else {
        check->seen[check->count] = mr_config_copy (check->config, name, strlen (name));
        check->count += check->seen[check->count] != NULL;
    }
}

/* Returns the length of the longest name of a stage. */
static size_t
check_chain (mr_config_t *self, const mr_config_section_t *pipeline)
{
    const char *chain = mr_config_text (pipeline, "chain");
    chain_check_t check = {.config = self, .place = mr_config_at (pipeline, "chain")};
    if (chain != NULL) {
        mr_config_words (chain, check_stage, &check);
    }
    if (chain != NULL && check.words < 2 && check.count == check.words) {
        mr_config_reject (self, check.place, "a chain has at least two stages");
    }
    size_t longest = strlen ("launcher");
    for (size_t i = 0; i < check.count; i++) {
        if (i > 0 && strcmp (check.seen[i], "ingest") == 0) {
            mr_config_reject (self, check.place, "ingest must be the first stage");
        }
        if (i + 1 < check.count && strcmp (check.seen[i], "exporter") == 0) {
            mr_config_reject (self, check.place, "exporter must be the last stage");
        }
        size_t bytes = strlen (check.seen[i]);
        longest = bytes > longest ? bytes : longest;
    }
    return longest;
}

/* Every worker binds RUN/<stage>.<slot>.ipc. */
static void
check_run_dir (mr_config_t *self, const mr_config_section_t *pipeline, size_t longest)
{
    const char *run_dir = mr_config_text (pipeline, "run_dir");
    if (run_dir == NULL || !mr_config_sound (pipeline, "run_dir")) {
        return;
    }
    size_t bytes = strlen (run_dir) + 1 + longest + strlen (".62.ipc");
    if (bytes > MR_IPC_PATH_MAX_BYTES) {
        mr_config_reject (self, mr_config_at (pipeline, "run_dir"),
                          "too long: sockets in %.200s would need %zu bytes, and %d is the limit; "
                          "take at least %zu off",
                          run_dir, bytes, MR_IPC_PATH_MAX_BYTES, bytes - MR_IPC_PATH_MAX_BYTES);
    }
}

/* Locks, shared mappings and inotify need a file system of this machine. */
static void
check_directories (mr_config_t *self, const mr_config_section_t *pipeline)
{
    static const char *const keys[] = {"run_dir", "data_dir"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *path = mr_config_text (pipeline, keys[i]);
        bool sound = path != NULL && mr_config_sound (pipeline, keys[i]);
        const char *kind = sound ? mr_filesystem_network (path) : NULL;
        if (kind != NULL) {
            mr_config_reject (self, mr_config_at (pipeline, keys[i]),
                              "%.200s is on a network file system (%s); locks do not hold there, "
                              "take a local directory",
                              path, kind);
        }
    }
}

/* Sections of a kind that no stage of the chain reads. */
static void
check_use (mr_config_t *self, const mr_config_section_t *pipeline, const char *kind,
           const char *stage)
{
    const mr_config_section_t *section = mr_config_next_section (self, kind, NULL);
    const char *chain = mr_config_text (pipeline, "chain");
    if (section != NULL && mr_config_sound (pipeline, "chain") &&
        !mr_config_has_word (chain, stage)) {
        mr_config_warn (self, mr_config_at (section, NULL),
                        "not used: [pipeline] chain has no stage %s", stage);
    }
}

void
mr_config_rules (mr_config_t *self)
{
    if (self->out_of_memory) {
        return;
    }
    const mr_config_section_t *pipeline = mr_config_section (self, "pipeline");
    size_t longest = check_chain (self, pipeline);
    check_run_dir (self, pipeline, longest);
    check_directories (self, pipeline);
    mr_config_rules_endpoints (self);
    mr_config_rules_metrics (self);
    mr_config_rules_sinks (self);
    check_use (self, pipeline, "metric", "metrics");
    check_use (self, pipeline, "sink", "exporter");
}
