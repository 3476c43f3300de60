/* From the file's words to checked values: sections against the schema, keys against their rows. */
#include "common/base/hash.h"
#include "common/runtime/config_internal.h"
#include "common/runtime/ini.h"

#include <string.h>

static void
section_read (void *arg, const char *kind, const char *name, int line)
{
    mr_config_t *self = arg;
    self->open = mr_config_add_section (self, kind, name, line);
}

static void
add_entry (mr_config_t *self, const char *key, const char *value, int line, bool faulty)
{
    mr_config_node_t *node = mr_config_alloc (self, sizeof *node);
    char *own_key = mr_config_copy (self, key, strlen (key));
    char *written = mr_config_copy (self, value, strlen (value));
    if (self->open == NULL || node == NULL || own_key == NULL || written == NULL) {
        return;
    }
    node->entry = (mr_config_entry_t){
        .section = self->open,
        .key = own_key,
        .written = written,
        .line = line,
        .faulty = faulty,
    };
    if (self->open->last != NULL) {
        self->open->last->next = node;
    } else {
        self->open->first = node;
    }
    self->open->last = node;
}

static void
value_read (void *arg, const char *key, const char *value, int line)
{
    add_entry (arg, key, value, line, false);
}

static void
broken_read (void *arg, const char *key, int line, const char *what)
{
    mr_config_t *self = arg;
    add_entry (self, key, "", line, true);
    if (what != NULL && self->open != NULL) {
        mr_config_reject (self, (mr_config_place_t){self->open, key, line}, "%s", what);
    }
}

static void
fault_read (void *arg, int line, const char *text)
{
    mr_config_note (arg, line, false, "%s", text);
}

void
mr_config_read (mr_config_t *self, const char *text, size_t bytes)
{
    const mr_ini_handler_t handler = {section_read, value_read, fault_read, broken_read, self};
    mr_ini_read (text, bytes, &handler);
}

static const mr_section_schema_t *
find_schema (const mr_section_schema_t *extra, const char *kind)
{
    if (extra != NULL && strcmp (extra->name, kind) == 0) {
        return extra;
    }
    const mr_section_schema_t *schema = mr_schema ();
    while (schema->name != NULL && strcmp (schema->name, kind) != 0) {
        schema++;
    }
    return schema->name != NULL ? schema : NULL;
}

static void
reject_section (mr_config_t *self, const mr_config_section_t *section,
                const mr_section_schema_t *extra)
{
    const char *names[32] = {NULL};
    size_t count = 0;
    for (const mr_section_schema_t *row = mr_schema (); row->name != NULL && count < 30; row++) {
        names[count++] = row->name;
    }
    if (extra != NULL) {
        names[count++] = extra->name;
    }
    const char *nearest = mr_option_nearest (section->kind, names);
    if (nearest != NULL) {
        mr_config_reject (self, mr_config_at (section, NULL), "unknown section; nearest: [%s]",
                          nearest);
    } else {
        mr_config_reject (self, mr_config_at (section, NULL),
                          "unknown section, and no stage of that name in [pipeline] chain");
    }
}

static void
check_twice (mr_config_t *self, const mr_config_section_t *section)
{
    for (const mr_config_section_t *other = self->first; other != section; other = other->next) {
        if (strcmp (other->kind, section->kind) == 0 && strcmp (other->name, section->name) == 0) {
            mr_config_reject (self, mr_config_at (section, NULL),
                              "this section is already on line %d; put its keys there",
                              other->line);
            return;
        }
    }
}

/* Find the schema of a section. Returns whether its keys can be checked.
 *   chain  NULL: the key is faulty, and what stands in it is not known */
static bool
bind_section (mr_config_t *self, mr_config_section_t *section, const mr_section_schema_t *extra,
              const char *chain)
{
    section->schema = find_schema (extra, section->kind);
    if (section->schema == NULL) {
        bool may_be = chain == NULL || mr_config_has_word (chain, section->kind);
        if (section->name[0] != '\0' || !may_be) {
            reject_section (self, section, extra);
            return false;
        }
        section->shared = mr_schema_shared ();
        return true;
    }
    if (section->schema == extra) {
        section->shared = mr_schema_shared ();
    }
    mr_config_place_t place = {section, NULL, section->line};
    if (section->schema->named && section->name[0] == '\0') {
        mr_config_reject (self, place, "needs a name: [%s NAME]", section->kind);
    } else if (!section->schema->named && section->name[0] != '\0') {
        mr_config_reject (self, place, "takes no name; write [%s]", section->kind);
    }
    return true;
}

static void
reject_key (mr_config_t *self, const mr_config_entry_t *entry)
{
    const char *keys[64] = {NULL};
    size_t count = 0;
    const mr_option_t *row = entry->section->schema->options;
    for (; row->key != NULL && count < 63; row++) {
        keys[count++] = row->key;
    }
    mr_config_place_t place = mr_config_at_entry (entry);
    const char *nearest = mr_option_nearest (entry->key, keys);
    if (nearest != NULL) {
        mr_config_reject (self, place, "unknown key; nearest: %s", nearest);
        return;
    }
    for (const mr_section_schema_t *other = mr_schema (); other->name != NULL; other++) {
        for (row = other->options; row->key != NULL; row++) {
            if (strcmp (row->key, entry->key) == 0) {
                mr_config_reject (self, place, "unknown key; it belongs in [%s%s]", other->name,
                                  other->named ? " NAME" : "");
                return;
            }
        }
    }
    mr_config_reject (self, place, "unknown key");
}

/* Whether the same key stands earlier in its section; reports it where it may not. */
static bool
check_repeat (mr_config_t *self, const mr_config_entry_t *entry)
{
    const mr_config_entry_t *first = mr_config_next (entry->section, entry->key, NULL);
    if (first == entry) {
        return false;
    }
    if (entry->option == NULL || (entry->option->flags & MR_OPTION_REPEATS) == 0) {
        mr_config_reject (self, mr_config_at_entry (entry),
                          "is already set on line %d and may stand only once", first->line);
    }
    return true;
}

/* Quotes, ${NAME}, type and range of one value. */
static bool
resolve_value (mr_config_t *self, mr_config_entry_t *entry)
{
    mr_error_t err;
    char *text = mr_config_copy (self, entry->written, strlen (entry->written));
    if (text == NULL) {
        return false;
    }
    mr_option_type_t type = entry->option != NULL ? entry->option->type : MR_OPTION_EXPR;
    bool quoted = text[0] == '"';
    if (type == MR_OPTION_STRING || type == MR_OPTION_PATH) {
        mr_option_unquote (text);
    }
    const char *expanded = mr_config_expand (self, text, &err);
    if (expanded == NULL) {
        mr_config_reject (self, mr_config_at_entry (entry), "%s", err.text);
        return false;
    }
    entry->value.text = expanded;
    if (entry->option == NULL) {
        return true;
    }
    mr_status_t status = MR_OK;
    if (*expanded == '\0' && !quoted) {
        mr_error_set (&err, "no value; write one or leave the key out");
        status = MR_CONFIG;
    } else {
        status = mr_option_parse (entry->option, expanded, &entry->value, &err);
    }
    if (status != MR_OK) {
        const char *hash = strstr (entry->written, " #");
        mr_config_reject (self, mr_config_at_entry (entry), "%s%s", err.text,
                          hash != NULL ? " (a comment behind a value begins with \" ;\")" : "");
        return false;
    }
    entry->value.text = mr_config_absolute (self, type, expanded);
    return entry->value.text != NULL;
}

static void
resolve_entries (mr_config_t *self, mr_config_section_t *section)
{
    for (mr_config_node_t *node = section->first; node != NULL; node = node->next) {
        mr_config_entry_t *entry = &node->entry;
        size_t index = 0;
        entry->option = mr_config_row (section, entry->key, &index);
        if (entry->option == NULL && section->schema != NULL) {
            reject_key (self, entry);
            entry->faulty = true;
            continue;
        }
        bool repeated = check_repeat (self, entry);
        entry->faulty = entry->faulty || !resolve_value (self, entry);
        if (entry->faulty) {
            entry->value.text = NULL;
        } else if (entry->option != NULL && !repeated) {
            section->values[index] = entry->value;
        }
    }
}

static size_t
count_rows (const mr_option_t *row)
{
    size_t count = 0;
    while (row != NULL && row[count].key != NULL) {
        count++;
    }
    return count;
}

/* What holds where the file says nothing. */
static void
fill_defaults (mr_config_t *self, mr_config_section_t *section)
{
    const mr_option_t *lists[] = {section->schema != NULL ? section->schema->options : NULL,
                                  section->shared};
    size_t index = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const mr_option_t *row = lists[i]; row != NULL && row->key != NULL; row++, index++) {
            bool written = mr_config_next (section, row->key, NULL) != NULL;
            mr_option_value_t *value = &section->values[index];
            if (!written && (row->flags & MR_OPTION_REQUIRED) != 0) {
                mr_config_reject (self, mr_config_at (section, row->key), "is missing: %s%s%s",
                                  row->help, row->choices != NULL ? "; one of: " : "",
                                  row->choices != NULL ? row->choices : "");
            }
            if (value->text == NULL && row->fallback != NULL) {
                mr_error_t err;
                MR_ASSERT (mr_option_parse (row, row->fallback, value, &err) == MR_OK);
                value->text = mr_config_absolute (self, row->type, row->fallback);
            }
        }
    }
}

static void
resolve_section (mr_config_t *self, mr_config_section_t *section)
{
    size_t rows = count_rows (section->shared);
    rows += section->schema != NULL ? count_rows (section->schema->options) : 0;
    section->values = mr_config_alloc (self, (rows + 1) * sizeof section->values[0]);
    if (section->values != NULL) {
        resolve_entries (self, section);
        fill_defaults (self, section);
    }
}

typedef struct adding {
    mr_config_t *config;
    const mr_section_schema_t *extra;
} adding_t;

static void
add_stage (const char *stage, void *arg)
{
    const adding_t *adding = arg;
    if (find_schema (adding->extra, stage) == NULL &&
        mr_config_section (adding->config, stage) == NULL) {
        mr_config_add_section (adding->config, stage, "", 0);
    }
}

/* Sections that the file leaves out, so that everybody finds their defaults. */
static void
add_missing (mr_config_t *self, const mr_section_schema_t *extra, const char *chain)
{
    for (const mr_section_schema_t *row = mr_schema (); row->name != NULL; row++) {
        if (!row->named && mr_config_section (self, row->name) == NULL) {
            mr_config_add_section (self, row->name, "", 0);
        }
    }
    if (extra != NULL && mr_config_section (self, extra->name) == NULL) {
        mr_config_add_section (self, extra->name, "", 0);
    }
    adding_t adding = {self, extra};
    mr_config_words (chain != NULL ? chain : "", add_stage, &adding);
}

/* `[pipeline] chain` as written, needed before any section can be judged. NULL: it is faulty. */
static const char *
find_chain (mr_config_t *self)
{
    const mr_config_section_t *pipeline = mr_config_section (self, "pipeline");
    const mr_config_entry_t *entry =
        pipeline != NULL ? mr_config_next (pipeline, "chain", NULL) : NULL;
    mr_error_t ignored; /* resolve_value reports it */
    if (entry == NULL) {
        return "";
    }
    return entry->faulty ? NULL : mr_config_expand (self, entry->written, &ignored);
}

static void
hash_values (mr_config_t *self)
{
    uint64_t hash = 0;
    for (const mr_config_section_t *section = self->first; section != NULL;
         section = section->next) {
        if (section->line == 0) {
            continue;
        }
        hash = mr_hash64_seeded (section->kind, strlen (section->kind) + 1, hash);
        hash = mr_hash64_seeded (section->name, strlen (section->name) + 1, hash);
        for (const mr_config_node_t *node = section->first; node != NULL; node = node->next) {
            const char *text = node->entry.value.text;
            hash = mr_hash64_seeded (node->entry.key, strlen (node->entry.key) + 1, hash);
            hash = mr_hash64_seeded (text != NULL ? text : "", text != NULL ? strlen (text) + 1 : 0,
                                     hash);
        }
    }
    self->hash = hash;
}

void
mr_config_resolve (mr_config_t *self, const mr_section_schema_t *extra)
{
    const char *chain = find_chain (self);
    add_missing (self, extra, chain);
    for (mr_config_section_t *section = self->first; section != NULL && !self->out_of_memory;
         section = section->next) {
        check_twice (self, section);
        if (bind_section (self, section, extra, chain)) {
            resolve_section (self, section);
        }
    }
    if (!self->out_of_memory) {
        hash_values (self);
    }
}
