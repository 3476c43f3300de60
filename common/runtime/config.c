#include "common/runtime/config.h"

#include "common/runtime/config_internal.h"
#include "common/runtime/ini.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
mr_config_file (const mr_config_t *self)
{
    return self->file;
}

const char *
mr_config_path (const mr_config_t *self)
{
    return self->path;
}

uint64_t
mr_config_hash (const mr_config_t *self)
{
    return self->hash;
}

const mr_config_section_t *
mr_config_section (const mr_config_t *self, const char *name)
{
    const mr_config_section_t *section = self->first;
    while (section != NULL && (section->name[0] != '\0' || strcmp (section->kind, name) != 0)) {
        section = section->next;
    }
    return section;
}

const mr_config_section_t *
mr_config_next_section (const mr_config_t *self, const char *kind, const mr_config_section_t *after)
{
    const mr_config_section_t *section = after == NULL ? self->first : after->next;
    while (section != NULL && (section->name[0] == '\0' || strcmp (section->kind, kind) != 0)) {
        section = section->next;
    }
    return section;
}

const char *
mr_config_section_name (const mr_config_section_t *section)
{
    return section->name;
}

int
mr_config_section_line (const mr_config_section_t *section)
{
    return section->line;
}

const mr_option_t *
mr_config_row (const mr_config_section_t *section, const char *key, size_t *ret_index)
{
    const mr_option_t *lists[] = {section->schema != NULL ? section->schema->options : NULL,
                                  section->shared};
    size_t index = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const mr_option_t *row = lists[i]; row != NULL && row->key != NULL; row++, index++) {
            if (strcmp (row->key, key) == 0) {
                *ret_index = index;
                return row;
            }
        }
    }
    return NULL;
}

int64_t
mr_config_number (const mr_config_section_t *section, const char *key)
{
    size_t index = 0;
    MR_ASSERT (mr_config_row (section, key, &index) != NULL);
    return section->values[index].number;
}

const char *
mr_config_text (const mr_config_section_t *section, const char *key)
{
    size_t index = 0;
    MR_ASSERT (mr_config_row (section, key, &index) != NULL);
    return section->values[index].text;
}

const mr_config_entry_t *
mr_config_next (const mr_config_section_t *section, const char *key, const mr_config_entry_t *after)
{
    const mr_config_node_t *node =
        after == NULL ? section->first : ((const mr_config_node_t *)(const void *)after)->next;
    while (node != NULL && key != NULL && strcmp (node->entry.key, key) != 0) {
        node = node->next;
    }
    return node == NULL ? NULL : &node->entry;
}

bool
mr_config_is_set (const mr_config_section_t *section, const char *key, const char *word)
{
    const char *text = mr_config_text (section, key);
    return text != NULL && mr_config_sound (section, key) && strcmp (text, word) == 0;
}

bool
mr_config_is_other (const mr_config_section_t *section, const char *key, const char *word)
{
    return mr_config_sound (section, key) && !mr_config_is_set (section, key, word);
}

bool
mr_config_is_written (const mr_config_section_t *section, const char *key)
{
    return mr_config_next (section, key, NULL) != NULL;
}

mr_config_place_t
mr_config_at (const mr_config_section_t *section, const char *key)
{
    const mr_config_entry_t *entry = key != NULL ? mr_config_next (section, key, NULL) : NULL;
    return (mr_config_place_t){section, key, entry != NULL ? entry->line : section->line};
}

bool
mr_config_sound (const mr_config_section_t *section, const char *key)
{
    const mr_config_entry_t *entry = NULL;
    while ((entry = mr_config_next (section, key, entry)) != NULL) {
        if (entry->faulty) {
            return false;
        }
    }
    return true;
}

mr_config_place_t
mr_config_at_entry (const mr_config_entry_t *entry)
{
    return (mr_config_place_t){entry->section, entry->key, entry->line};
}

const char *
mr_config_title (const mr_config_section_t *section, char ret_text[MR_CONFIG_TITLE_BYTES])
{
    snprintf (ret_text, MR_CONFIG_TITLE_BYTES, "[%s%s%s]", section->kind,
              section->name[0] != '\0' ? " " : "", section->name);
    return ret_text;
}

mr_status_t
mr_config_fault (const mr_config_t *self, const mr_config_entry_t *entry, mr_error_t *err,
                 const char *format, ...)
{
    char title[MR_CONFIG_TITLE_BYTES];
    char text[MR_ERROR_TEXT_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    mr_error_set (err, "%s:%d: %s %s: %s", self->path, entry->line,
                  mr_config_title (entry->section, title), entry->key, text);
    return MR_CONFIG;
}

void
mr_config_reject_entry (mr_config_t *self, const mr_config_entry_t *entry, const char *format, ...)
{
    char text[MR_ERROR_TEXT_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    mr_config_reject (self, mr_config_at_entry (entry), "%s", text);
}

void
mr_config_reject_key (mr_config_t *self, const mr_config_section_t *section, const char *key,
                      const char *format, ...)
{
    char text[MR_ERROR_TEXT_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    mr_config_reject (self, mr_config_at (section, key), "%s", text);
}

void
mr_config_words (const char *list, mr_config_word_fn *fn, void *arg)
{
    char word[MR_INI_VALUE_MAX_BYTES + 1];
    for (const char *at = list; at != NULL;) {
        at += strspn (at, " \t");
        size_t whole = strcspn (at, ",");
        size_t bytes = whole;
        while (bytes > 0 && (at[bytes - 1] == ' ' || at[bytes - 1] == '\t')) {
            bytes--;
        }
        MR_ASSERT (bytes < sizeof word);
        memcpy (word, at, bytes);
        word[bytes] = '\0';
        if (bytes > 0) {
            fn (word, arg);
        }
        at = at[whole] == ',' ? at + whole + 1 : NULL;
    }
}
