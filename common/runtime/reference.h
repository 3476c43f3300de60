/* reference: the documentation of the configuration and of the error types, made from the rows
 * that the code itself goes by. README holds the markdown between markers, --help prints the text,
 * man pages hold the mdoc lines; tests/unit/test_reference.c finds what drifted.
 * Rows for debugging are left out. Pure; not thread safe for one buffer. */
#ifndef MR_COMMON_RUNTIME_REFERENCE_H
#define MR_COMMON_RUNTIME_REFERENCE_H

#include "common/base/buffer.h"
#include "common/base/option.h"
#include "common/base/status.h"

typedef enum mr_reference_format {
    MR_REFERENCE_MARKDOWN,
    MR_REFERENCE_MAN,  /* mdoc, for a section of a page */
    MR_REFERENCE_TEXT, /* for --help, at most 80 columns where the words allow it */
} mr_reference_format_t;

/* Append one section with all of its keys. Statuses as mr_buffer_append, for all three. */
MR_CHECK mr_status_t mr_reference_section (mr_reference_format_t format,
                                           const mr_section_schema_t *section, mr_buffer_t *out);

/* Append every section of mr_schema. */
MR_CHECK mr_status_t mr_reference_options (mr_reference_format_t format, mr_buffer_t *out);

/* Append the table of error types. */
MR_CHECK mr_status_t mr_reference_errors (mr_reference_format_t format, mr_buffer_t *out);

#endif
