/* config_internal: what the files of the configuration loader share; nobody else includes it.
 *
 * Loading goes in steps, each going on after faults: read (ini), resolve (schema, values), rules
 * (what one key says about another). All memory is in one arena that the config owns. */
#ifndef MR_COMMON_RUNTIME_CONFIG_INTERNAL_H
#define MR_COMMON_RUNTIME_CONFIG_INTERNAL_H

#include "common/runtime/config.h"

#include <stdbool.h>
#include <stddef.h>

/* An entry and its neighbour; the entry comes first, so that one leads to the other. */
typedef struct mr_config_node {
    mr_config_entry_t entry;
    struct mr_config_node *next;
} mr_config_node_t;

struct mr_config_section {
    const mr_config_t *config;
    const char *kind;                  /* "sink" of [sink NAME] */
    const char *name;                  /* "" for an unnamed one */
    int line;                          /* 0: not in the file */
    const mr_section_schema_t *schema; /* NULL: unknown, or a stage whose schema is not here */
    const mr_option_t *shared;         /* rows of every stage, where schema lacks them; or NULL */
    mr_option_value_t *values;         /* of schema's rows, then of shared's: first or default */
    mr_config_node_t *first;
    mr_config_node_t *last;
    mr_config_section_t *next;
};

typedef struct mr_config_block {
    struct mr_config_block *next;
    max_align_t data[];
} mr_config_block_t;

typedef struct mr_config_note {
    int line;
    bool warning;
    const char *text;
    struct mr_config_note *next;
} mr_config_note_t;

enum { MR_CONFIG_NOTES_MAX = 100 };

struct mr_config {
    const char *path; /* as given, for messages */
    const char *file;
    const char *dir;
    uint64_t hash;
    mr_config_section_t *first;
    mr_config_section_t *last;
    mr_config_section_t *open; /* values belong to it while reading */
    mr_config_block_t *blocks;
    mr_config_note_t *notes; /* by line; MR_CONFIG_NOTES_MAX at most */
    int note_count;          /* may be more */
    int faults;              /* how many of them are no warnings */
    bool out_of_memory;
};

/* Zeroed memory that lives as long as self; NULL sets out_of_memory. */
void *mr_config_alloc (mr_config_t *self, size_t bytes);
char *mr_config_copy (mr_config_t *self, const char *text, size_t bytes);

/* Add a section at the end; NULL: out of memory. */
mr_config_section_t *mr_config_add_section (mr_config_t *self, const char *kind, const char *name,
                                            int line);

/* Report a fault or a warning at a line: "path:line: <text>". line 0: "path: <text>". */
void mr_config_note (mr_config_t *self, int line, bool warning, const char *format, ...)
    MR_PRINTF (4, 5);

/* Where a fault is. */
typedef struct mr_config_place {
    const mr_config_section_t *section;
    const char *key; /* NULL: the section as a whole */
    int line;
} mr_config_place_t;

/* The first entry of a key, or its section where the key is not written. */
mr_config_place_t mr_config_at (const mr_config_section_t *section, const char *key);
mr_config_place_t mr_config_at_entry (const mr_config_entry_t *entry);

/* Report "path:line: [section] key: <text>". */
void mr_config_reject (mr_config_t *self, mr_config_place_t place, const char *format, ...)
    MR_PRINTF (3, 4);
void mr_config_warn (mr_config_t *self, mr_config_place_t place, const char *format, ...)
    MR_PRINTF (3, 4);

/* "[sink events]" into ret_text; returns it. */
enum { MR_CONFIG_TITLE_BYTES = 160 };
const char *mr_config_title (const mr_config_section_t *section,
                             char ret_text[MR_CONFIG_TITLE_BYTES]);

/* Whether a key is in the file; whether a CHOICE key is set to this word; whether it is set to
 * another one. The last two are false of a faulty key. */
bool mr_config_is_written (const mr_config_section_t *section, const char *key);
bool mr_config_is_set (const mr_config_section_t *section, const char *key, const char *word);
bool mr_config_is_other (const mr_config_section_t *section, const char *key, const char *word);

/* The row for a key and its index in values; NULL: no such key. */
const mr_option_t *mr_config_row (const mr_config_section_t *section, const char *key,
                                  size_t *ret_index);

/* Whether a word stands in a comma-separated list. */
bool mr_config_has_word (const char *list, const char *word);

/* Text with ${NAME} replaced. NULL: a fault, described in err. */
const char *mr_config_expand (mr_config_t *self, const char *text, mr_error_t *err);

/* Absolute form of a path or ipc endpoint that is relative to self's directory. */
const char *mr_config_absolute (mr_config_t *self, mr_option_type_t type, const char *text);

/* Where an absolute path leads when links are followed, as far as it exists. An overlong one is
 * returned as is. NULL: out of memory. */
const char *mr_config_real (mr_config_t *self, const char *path);

/* The steps. */
void mr_config_read (mr_config_t *self, const char *text, size_t bytes);
void mr_config_resolve (mr_config_t *self, const mr_section_schema_t *extra);
void mr_config_rules (mr_config_t *self);

/* Rules by topic; mr_config_rules calls them. */
void mr_config_rules_endpoints (mr_config_t *self);
void mr_config_rules_sinks (mr_config_t *self);
void mr_config_rules_metrics (mr_config_t *self);

/* `workers`, for a stage whose schema is not known here; ends with a NULL key. */
const mr_option_t *mr_schema_shared (void);

#endif
