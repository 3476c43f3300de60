/* config: the user's ini file, read once, checked against the schema, with the file and line of
 * every value, so that whoever finds a fault later can say where it is.
 *
 * Reading: inih behind our own reader, which counts lines, protects quotes, joins indented
 * continuation lines and allows values up to 8 KiB. ${NAME} in values is taken from the
 * environment after parsing; $${ is a plain ${. Immutable after loading; thread safe. */
#ifndef MR_COMMON_RUNTIME_CONFIG_H
#define MR_COMMON_RUNTIME_CONFIG_H

#include "common/base/option.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_CONFIG_STAGES_MAX = 16, /* in [pipeline] chain */
    MR_CONFIG_SINKS_MAX = 63,
};

typedef struct mr_config mr_config_t;
typedef struct mr_config_section mr_config_section_t;

/* One written value. */
typedef struct mr_config_entry {
    const mr_config_section_t *section;
    const char *key;
    const mr_option_t *option; /* NULL: a key of a stage whose schema is not known here */
    mr_option_value_t value;   /* PATH, ENDPOINT: text is absolute; STRING, PATH: without quotes */
    const char *written;       /* as in the file, before ${} and without comment */
    int line;
    bool faulty; /* a fault was told of it, value.text may be NULL; never in a loaded config */
} mr_config_entry_t;

/* Read and check a file.
 *   path  relative to the working directory or absolute
 *   extra schema of a stage that is not one of the built-in domains, or NULL
 * A section [NAME] where NAME stands in `[pipeline] chain` but has no schema here is kept for its
 * own stage to check; of such a section, as of extra, `workers` is known to everybody.
 * Returns MR_OK and an owned config; MR_CONFIG: "file:line: [section] key: what, nearest name";
 * several faults: err holds the first and their number, mr_config_check reports all. A file that
 * cannot be read is MR_CONFIG, too. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_config_load (const char *path, const mr_section_schema_t *extra,
                                     mr_config_t **ret_config, mr_error_t *err);
void mr_config_destroy (mr_config_t **self_p);

/* The same from memory, without a schema of a stage of one's own.
 *   path  only names the text in messages and says where relative paths begin */
MR_CHECK mr_status_t mr_config_load_text (const char *text, size_t bytes, const char *path,
                                          mr_config_t **ret_config, mr_error_t *err);

/* ---- all faults at once ---- */

/* Like load, but what is in the file may have faults: they are kept, and whoever can find more of
 * them adds them. A key with a fault has its default, if there is one.
 * MR_OK: an owned config; MR_CONFIG: the file cannot be read; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_config_open (const char *path, const mr_section_schema_t *extra,
                                     mr_config_t **ret_config, mr_error_t *err);

/* Whether no fault is known of a key: it is well, or not there. For rules that compare it with
 * another one, so that one fault is told once. */
bool mr_config_sound (const mr_config_section_t *section, const char *key);

/* Add "file:line: [section] key: <formatted>". The second: at the first entry of the key, or at the
 * section where it is not written; key NULL: the section as a whole. */
void mr_config_reject_entry (mr_config_t *self, const mr_config_entry_t *entry, const char *format,
                             ...) MR_PRINTF (3, 4);
void mr_config_reject_key (mr_config_t *self, const mr_config_section_t *section, const char *key,
                           const char *format, ...) MR_PRINTF (4, 5);

/* Called once for each fault or warning ("file:line: warning: ..."), in the order of the file. */
typedef void mr_config_fault_fn (const char *text, void *arg);

/* Tell all faults and warnings. Returns the number of faults, warnings not counted. */
int mr_config_report (const mr_config_t *self, mr_config_fault_fn *fn, void *arg);

/* MR_OK; MR_CONFIG: there are faults, err holds the first and their number. */
MR_CHECK mr_status_t mr_config_verdict (const mr_config_t *self, mr_error_t *err);

/* open and report; that the file cannot be read is one fault. */
int mr_config_check (const char *path, const mr_section_schema_t *extra, mr_config_fault_fn *fn,
                     void *arg);

/* ---- what is in it ---- */

/* The path of the file as it was given, which all messages begin with. */
const char *mr_config_path (const mr_config_t *self);

/* Absolute path of the file. Valid while self is. */
const char *mr_config_file (const mr_config_t *self);

/* A hash of all sections and written values: changes when anything that matters changed. */
uint64_t mr_config_hash (const mr_config_t *self);

/* The unnamed section `name`; never NULL for a section of the schema, though the file has none. */
const mr_config_section_t *mr_config_section (const mr_config_t *self, const char *name);

/* The named sections of a kind in the order of the file: pass NULL for the first; NULL at the end.
 */
const mr_config_section_t *mr_config_next_section (const mr_config_t *self, const char *kind,
                                                   const mr_config_section_t *after);

/* NAME of [kind NAME], "" for unnamed ones; and the line of its header, 0 when not in the file. */
const char *mr_config_section_name (const mr_config_section_t *section);
int mr_config_section_line (const mr_config_section_t *section);

/* A value or its default. Asking for a key that is not in the schema is our own bug.
 * number: BOOL, INT, SIZE, DURATION (ms), MODE, CHOICE (index). text: NULL when absent. */
int64_t mr_config_number (const mr_config_section_t *section, const char *key);
const char *mr_config_text (const mr_config_section_t *section, const char *key);

/* Written entries in the order of the file. key NULL: all keys. after NULL: the first. */
const mr_config_entry_t *mr_config_next (const mr_config_section_t *section, const char *key,
                                         const mr_config_entry_t *after);

/* Set err to "file:line: [section] key: <formatted>" and return MR_CONFIG: for faults that only the
 * user of a value can find. entry must come from mr_config_next. */
mr_status_t mr_config_fault (const mr_config_t *self, const mr_config_entry_t *entry,
                             mr_error_t *err, const char *format, ...) MR_PRINTF (4, 5);

/* Why [ingest] can have one worker only: its first address without {slot}, which several workers
 * could not bind. Sets err as mr_config_fault does and returns MR_CONFIG; MR_OK: it can have more.
 */
MR_CHECK mr_status_t mr_config_many_ingests (const mr_config_t *self, mr_error_t *err);

/* Words of a LIST value: calls fn for each, trimmed, terminated, valid during the call. */
typedef void mr_config_word_fn (const char *word, void *arg);
void mr_config_words (const char *list, mr_config_word_fn *fn, void *arg);

/* The built-in schema, ends with a row whose name is NULL. */
const mr_section_schema_t *mr_schema (void);

#endif
