/* Counting what must come out, and comparing files with it. */
#include "tests/bench/load/load.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct tally {
    uint64_t lines;
    uint64_t bytes;
    uint64_t by_kind[MR_LOAD_SERVICES][MR_LOAD_LEVELS];
    uint64_t wrong; /* lines that no record of the run can become */
    uint64_t twice;
    char first_wrong[80];
} tally_t;

static void
count (tally_t *tally, uint64_t number, size_t bytes)
{
    mr_load_event_t event = mr_load_event (number);
    tally->lines++;
    tally->bytes += bytes;
    tally->by_kind[event.service][event.level]++;
}

static void
expect (const mr_load_options_t *options, tally_t *tally, char *scratch)
{
    for (uint64_t number = 1; number <= options->records; number++) {
        size_t bytes =
            mr_load_expected (number, options->bytes, mr_load_fixed_ts (number), scratch);
        if (bytes > 0) {
            count (tally, number, bytes);
        }
    }
}

static void
print_kinds (const tally_t *tally)
{
    printf ("\"by\":{");
    for (unsigned service = 0; service < MR_LOAD_SERVICES; service++) {
        for (unsigned level = 1; level < MR_LOAD_LEVELS; level++) {
            printf ("%s\"%s %s\":%" PRIu64, service == 0 && level == 1 ? "" : ",",
                    mr_load_services[service], mr_load_levels[level],
                    tally->by_kind[service][level]);
        }
    }
    printf ("}");
}

int
mr_load_count (const mr_load_options_t *options)
{
    char *scratch = malloc (options->bytes + MR_LOAD_EXTRA_BYTES);
    if (scratch == NULL) {
        return 1;
    }
    tally_t tally = {0};
    expect (options, &tally, scratch);
    printf ("{\"records\":%" PRIu64 ",\"survive\":%" PRIu64 ",\"bytes\":%" PRIu64 ",",
            options->records, tally.lines, tally.bytes);
    print_kinds (&tally);
    printf ("}\n");
    free (scratch);
    return 0;
}

typedef size_t make_fn (uint64_t number, size_t bytes, int64_t ts_ns, char *to);

static int
write_all (const mr_load_options_t *options, make_fn *make)
{
    char *scratch = malloc (options->bytes + MR_LOAD_EXTRA_BYTES);
    bool good = scratch != NULL;
    for (uint64_t number = 1; good && number <= options->records; number++) {
        size_t bytes = make (number, options->bytes, mr_load_fixed_ts (number), scratch);
        good = fwrite (scratch, 1, bytes, stdout) == bytes;
    }
    free (scratch);
    return good && fflush (stdout) == 0 ? 0 : 1;
}

int
mr_load_write (const mr_load_options_t *options)
{
    return write_all (options, mr_load_record);
}

int
mr_load_expect (const mr_load_options_t *options)
{
    return write_all (options, mr_load_expected);
}

typedef struct checking {
    const mr_load_options_t *options;
    uint8_t *seen; /* a bit a record */
    char *scratch;
    tally_t tally;
} checking_t;

static void
note_wrong (checking_t *self, const char *line, size_t bytes)
{
    size_t kept = sizeof self->tally.first_wrong - 1;
    if (self->tally.wrong++ == 0) {
        kept = bytes < kept ? bytes : kept;
        for (size_t i = 0; i < kept; i++) {
            bool plain = line[i] >= ' ' && line[i] <= '~' && line[i] != '"' && line[i] != '\\';
            self->tally.first_wrong[i] = line[i];
            if (!plain) {
                self->tally.first_wrong[i] = '\'';
            }
        }
    }
}

static void
check_line (checking_t *self, const char *line, size_t bytes)
{
    uint64_t number;
    int64_t ts_ns;
    const mr_load_options_t *options = self->options;
    bool paced = options->rate > 0;
    bool read = mr_load_read (line, bytes, &number, paced ? &ts_ns : NULL);
    if (!read || number < 1 || number > options->records) {
        note_wrong (self, line, bytes);
        return;
    }
    ts_ns = paced ? ts_ns : mr_load_fixed_ts (number);
    size_t due = mr_load_expected (number, options->bytes, ts_ns, self->scratch);
    if (due != bytes || memcmp (line, self->scratch, bytes) != 0) {
        note_wrong (self, line, bytes);
        return;
    }
    uint8_t bit = (uint8_t)(1U << (number & 7));
    self->tally.twice += (self->seen[number >> 3] & bit) != 0;
    self->seen[number >> 3] |= bit;
    count (&self->tally, number, bytes);
}

static bool
check_file (checking_t *self, const char *path)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat (fd, &st) != 0) {
        perror (path);
        return false;
    }
    size_t bytes = (size_t)st.st_size;
    char *data = bytes > 0 ? mmap (NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close (fd);
    if (data == MAP_FAILED) {
        perror (path);
        return false;
    }
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr (data + at, '\n', bytes - at);
        size_t length = end != NULL ? (size_t)(end - (data + at)) + 1 : bytes - at;
        check_line (self, data + at, length);
        at += length;
    }
    if (bytes > 0) {
        munmap (data, bytes);
    }
    return true;
}

int
mr_load_check (const mr_load_options_t *options)
{
    checking_t self = {
        .options = options,
        .seen = calloc (1, options->records / 8 + 1),
        .scratch = malloc (options->bytes + MR_LOAD_EXTRA_BYTES),
    };
    bool good = self.seen != NULL && self.scratch != NULL;
    tally_t due = {0};
    if (good) {
        expect (options, &due, self.scratch);
    }
    for (int i = 0; good && i < options->file_count; i++) {
        good = check_file (&self, options->files[i]);
    }
    uint64_t once = self.tally.lines - self.tally.twice;
    bool exact = good && self.tally.wrong == 0 && self.tally.twice == 0 && once == due.lines;
    printf ("{\"exact\":%s,\"lines\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"twice\":%" PRIu64
            ",\"wrong\":%" PRIu64 ",\"first_wrong\":\"%s\",",
            exact ? "true" : "false", self.tally.lines + self.tally.wrong, due.lines - once,
            self.tally.twice, self.tally.wrong, self.tally.first_wrong);
    print_kinds (&self.tally);
    printf ("}\n");
    free (self.seen);
    free (self.scratch);
    return exact ? 0 : 1;
}
