#include "tests/support/exporter/sink_kit.h"

#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[PATH_MAX - 64];

const char *
mr_held_path (const char *file)
{
    static char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", folder, file);
    return path;
}

const char *
mr_held_folder (void)
{
    snprintf (folder, sizeof folder, "%.200s", mr_test_dir ());
    return folder;
}

mr_status_t
mr_held_open (mr_held_t *held, mr_error_t *err)
{
    mr_status_t status = held->sink.open (held->sink.self, &held->committed, true, err);
    if (status == MR_OK) {
        held->sink.place (held->sink.self, &held->committed);
    }
    return status;
}

mr_held_t
mr_held_make (const char *file)
{
    mr_held_t held = {.committed = {.spool = 0}};
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_sink_file_new (mr_held_path (file), &held.sink, &err), MR_OK);
    return held;
}

mr_held_t
mr_held_new (const char *file)
{
    mr_held_t held = mr_held_make (file);
    mr_error_t err = {.text = ""};
    ck_assert_msg (mr_held_open (&held, &err) == MR_OK, "%s", err.text);
    return held;
}

mr_status_t
mr_held_try_write (mr_held_t *held, const char *lines, mr_error_t *err)
{
    struct iovec iov = {.iov_base = (char *)(uintptr_t)lines, .iov_len = strlen (lines)};
    return held->sink.write (held->sink.self, &iov, 1, err);
}

void
mr_held_write_only (mr_held_t *held, const char *lines)
{
    mr_error_t err = {.text = ""};
    ck_assert_msg (mr_held_try_write (held, lines, &err) == MR_OK, "%s", err.text);
}

void
mr_held_write (mr_held_t *held, const char *lines)
{
    mr_held_write_only (held, lines);
    held->sink.place (held->sink.self, &held->committed);
}

void
mr_held_close (mr_held_t *held)
{
    held->sink.close (held->sink.self);
}

void
mr_held_destroy (mr_held_t *held)
{
    mr_held_close (held);
    held->sink.destroy (held->sink.self);
}

void
mr_held_start_over (mr_held_t *held)
{
    mr_error_t err = {.text = ""};
    mr_held_close (held);
    ck_assert_msg (mr_held_open (held, &err) == MR_OK, "%s", err.text);
}

void
mr_held_put (const char *file, const char *text)
{
    FILE *out = fopen (mr_held_path (file), "a");
    ck_assert_ptr_nonnull (out);
    ck_assert_int_ge (fputs (text, out), 0);
    ck_assert_int_eq (fclose (out), 0);
}

void
mr_held_assert (const char *file, const char *text)
{
    static char got[1 << 16];
    FILE *source = fopen (mr_held_path (file), "r");
    ck_assert_msg (source != NULL, "%s is missing", file);
    size_t bytes = fread (got, 1, sizeof got - 1, source);
    got[bytes] = '\0';
    (void)fclose (source);
    ck_assert_str_eq (got, text);
}
