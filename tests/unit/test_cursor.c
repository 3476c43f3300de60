#include "common/delivery/cursor.h"

#include "common/base/crashpoint.h"
#include "common/base/hash.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOT_BYTES = 512, SLOT_USED = 416 };

static char path[PATH_MAX];

static mr_cursor_t *
open_cursor (void)
{
    mr_cursor_t *cursor = NULL;
    mr_error_t err = {.text = ""};
    ck_assert_msg (mr_cursor_open (path, &cursor, &err) == MR_OK, "%s", err.text);
    return cursor;
}

static mr_cursor_t *
new_cursor (void)
{
    snprintf (path, sizeof path, "%s/out.cursor", mr_test_dir ());
    return open_cursor ();
}

static void
commit (mr_cursor_t *cursor, uint64_t position)
{
    mr_cursor_state_t state = {.spool = 7, .position = position, .delivered = 2 * position};
    mr_cursor_commit (cursor, &state);
}

static void
move (mr_cursor_t *cursor, uint64_t position)
{
    mr_cursor_state_t state = {.spool = 7, .position = position, .delivered = 2 * position};
    mr_cursor_move (cursor, &state);
}

/* What a later life, and anybody else, finds. */
static void
assert_position (uint64_t position)
{
    mr_cursor_t *cursor = open_cursor ();
    mr_cursor_state_t read = {.spool = 0};
    mr_error_t err;
    ck_assert_uint_eq (mr_cursor_state (cursor)->position, position);
    ck_assert_uint_eq (mr_cursor_state (cursor)->delivered, 2 * position);
    ck_assert_int_eq (mr_cursor_read (path, &read, &err), MR_OK);
    ck_assert_mem_eq (&read, mr_cursor_state (cursor), sizeof read);
    mr_cursor_close (&cursor);
}

START_TEST (test_a_new_cursor_is_of_no_spool)
{
    mr_cursor_t *cursor = new_cursor ();
    mr_cursor_state_t read;
    mr_error_t err;
    ck_assert_uint_eq (mr_cursor_state (cursor)->spool, 0);
    ck_assert_int_eq (mr_cursor_read (path, &read, &err), MR_CLOSED);
    ck_assert_int_eq (mr_cursor_read ("/nowhere/x.cursor", &read, &err), MR_CLOSED);
    mr_cursor_close (&cursor);
    mr_cursor_close (&cursor);
}
END_TEST

START_TEST (test_the_last_commit_is_found_again)
{
    mr_cursor_t *cursor = new_cursor ();
    for (uint64_t i = 1; i < 10; i++) {
        commit (cursor, i);
        assert_position (i);
    }
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
}
END_TEST

static void
damage (int slot, off_t at)
{
    int fd = open (path, O_RDWR);
    char byte;
    ck_assert_int_eq (pread (fd, &byte, 1, slot * SLOT_BYTES + at), 1);
    byte ^= 1;
    ck_assert_int_eq (pwrite (fd, &byte, 1, slot * SLOT_BYTES + at), 1);
    close (fd);
}

START_TEST (test_of_a_torn_slot_the_other_counts)
{
    mr_cursor_t *cursor = new_cursor ();
    commit (cursor, 1); /* slot 1 */
    commit (cursor, 2); /* slot 0 */
    mr_cursor_close (&cursor);
    for (off_t at = 0; at < SLOT_USED; at++) {
        damage (0, at);
        assert_position (1);
        damage (0, at);
        assert_position (2);
    }
}
END_TEST

START_TEST (test_what_was_let_go_is_counted_by_journal)
{
    mr_cursor_t *cursor = new_cursor ();
    mr_cursor_state_t state = {.spool = 7, .position = 1, .delivered = 2};
    for (uint64_t journal = 1; journal <= MR_CURSOR_DROPS + 3; journal++) {
        mr_cursor_drop (&state, journal, journal);
        mr_cursor_drop (&state, journal, 1000);
    }
    mr_cursor_drop (&state, 0, 5);
    mr_cursor_commit (cursor, &state);
    mr_cursor_close (&cursor);
    assert_position (1);
    mr_error_t err;
    mr_cursor_state_t read;
    ck_assert_int_eq (mr_cursor_read (path, &read, &err), MR_OK);
    for (uint64_t journal = 1; journal < MR_CURSOR_DROPS; journal++) {
        ck_assert_uint_eq (mr_cursor_dropped (&read, journal), journal + 1000);
    }
    ck_assert_uint_eq (mr_cursor_dropped (&read, MR_CURSOR_DROPS), 0); /* it found no room */
    ck_assert_uint_eq (read.drops[MR_CURSOR_DROPS - 1].journal, 0);
    uint64_t sum = 0;
    for (int i = 0; i < MR_CURSOR_DROPS; i++) {
        sum += read.drops[i].records;
    }
    ck_assert_uint_eq (sum, read.dropped);
}
END_TEST

/* As the first version wrote it: number 3, of spool 7 at position 9. */
START_TEST (test_a_cursor_of_version_1_is_read_and_goes_on_as_one_of_today)
{
    snprintf (path, sizeof path, "%s/old.cursor", mr_test_dir ());
    uint64_t file[2][SLOT_BYTES / 8] = {{0}};
    file[1][0] = UINT64_C (0x31524f5352554352);
    file[1][1] = 1;
    file[1][2] = 3;
    file[1][3] = 7;
    file[1][4] = 9;
    file[1][6] = 18;
    file[1][152 / 8] = mr_hash64 (file[1], 152);
    file[0][0] = file[1][0]; /* the slot before, torn */
    int fd = open (path, O_RDWR | O_CREAT, 0640);
    ck_assert_int_eq (write (fd, file, sizeof file), sizeof file);
    close (fd);
    assert_position (9);
    mr_cursor_t *cursor = open_cursor ();
    commit (cursor, 10);
    assert_position (10);
    mr_cursor_close (&cursor);
    damage (0, 40); /* that commit */
    assert_position (9);
}
END_TEST

START_TEST (test_a_cursor_with_no_whole_slot_is_refused_and_left_as_it_is)
{
    mr_cursor_t *cursor = new_cursor ();
    commit (cursor, 1);
    commit (cursor, 2);
    mr_cursor_close (&cursor);
    damage (0, 40);
    damage (1, 40);
    mr_error_t err;
    mr_cursor_state_t state;
    ck_assert_int_eq (mr_cursor_open (path, &cursor, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, path));
    ck_assert_int_eq (mr_cursor_read (path, &state, &err), MR_INVALID);
    damage (0, 40);
    assert_position (2);
}
END_TEST

START_TEST (test_a_commit_of_another_start_of_the_machine_is_known)
{
    mr_cursor_t *cursor = new_cursor ();
    ck_assert (!mr_cursor_same_boot (cursor)); /* nothing was committed */
    commit (cursor, 1);
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
    cursor = open_cursor ();
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
}
END_TEST

START_TEST (test_a_cursor_that_is_moved_before_its_sink_is_open_is_of_the_start_that_it_was_of)
{
    mr_cursor_t *cursor = new_cursor ();
    move (cursor, 1);
    assert_position (1);
    ck_assert (!mr_cursor_same_boot (cursor)); /* nothing was committed yet */
    commit (cursor, 2);
    move (cursor, 1);
    assert_position (1);
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
}
END_TEST

START_TEST (test_a_crash_while_committing_leaves_this_commit_or_the_one_before)
{
    static const char *const points[] = {"cursor.commit.begin:3", "cursor.commit.torn:3",
                                         "cursor.commit.done:3"};
    static const uint64_t found[] = {2, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        mr_cursor_t *cursor = new_cursor ();
        pid_t child = fork ();
        if (child == 0) {
            mr_crash_arm (points[i]);
            for (uint64_t position = 1; position < 9; position++) {
                commit (cursor, position);
            }
            _exit (0);
        }
        int status;
        ck_assert_int_eq (waitpid (child, &status, 0), child);
        ck_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
        mr_cursor_close (&cursor);
        assert_position (found[i]);
    }
}
END_TEST

/* Notes what it is told of; refuses at the `left`th. */
typedef struct seen {
    mr_heard_t heard;
    int left;
} seen_t;

static mr_status_t
note_place (void *arg, const mr_cursor_place_t *place)
{
    seen_t *seen = arg;
    ck_assert_int_eq (access (place->path, F_OK), 0);
    mr_heard (&seen->heard, "%d:%s ", place->slot, place->name);
    return --seen->left == 0 ? MR_AGAIN : MR_OK;
}

static void
touch (const char *data_dir, int slot, const char *name)
{
    char dir[PATH_MAX];
    mr_cursor_dir (data_dir, slot, dir);
    ck_assert (mkdir (dir, 0700) == 0 || errno == EEXIST);
    snprintf (path, sizeof path, "%.*s/%s", PATH_MAX - 64, dir, name);
    int fd = open (path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge (fd, 0);
    close (fd);
}

START_TEST (test_the_cursors_of_a_directory_come_by_slot_and_name_until_one_is_refused)
{
    mr_error_t err;
    const char *data_dir = mr_test_dir ();
    seen_t all = {.left = -1};
    ck_assert_int_eq (mr_cursor_each (data_dir, note_place, &all, &err), MR_OK);
    ck_assert_str_eq (all.heard.text, "");
    touch (data_dir, 62, "last.cursor");
    touch (data_dir, 2, "out.cursor");
    touch (data_dir, 2, "dead.store.cursor");
    touch (data_dir, 2, "out.cursor.new");
    touch (data_dir, 2, "cursor");
    touch (data_dir, 2, ".cursor");
    touch (data_dir, 63, "nobodys.cursor");
    ck_assert_int_eq (mr_cursor_each (data_dir, note_place, &all, &err), MR_OK);
    ck_assert_str_eq (all.heard.text, "2:dead.store 2:out 62:last ");
    seen_t one = {.left = -1};
    ck_assert_int_eq (mr_cursor_each_of (data_dir, 2, note_place, &one, &err), MR_OK);
    ck_assert_str_eq (one.heard.text, "2:dead.store 2:out ");
    ck_assert_int_eq (mr_cursor_each_of (data_dir, 3, note_place, &one, &err), MR_OK);
    ck_assert_str_eq (one.heard.text, "2:dead.store 2:out ");
    seen_t some = {.left = 2};
    ck_assert_int_eq (mr_cursor_each (data_dir, note_place, &some, &err), MR_AGAIN);
    ck_assert_str_eq (some.heard.text, "2:dead.store 2:out ");
}
END_TEST

START_TEST (test_cursors_that_cannot_be_listed_are_no_cursors_less)
{
    mr_error_t err;
    char dir[PATH_MAX];
    const char *data_dir = mr_test_dir ();
    mr_cursor_dir (data_dir, 2, dir);
    int fd = open (dir, O_CREAT | O_WRONLY, 0600); /* no directory */
    ck_assert_int_ge (fd, 0);
    close (fd);
    seen_t seen = {.left = -1};
    ck_assert_int_eq (mr_cursor_each (data_dir, note_place, &seen, &err), MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, "cannot list the cursors in"));
    ck_assert_ptr_nonnull (strstr (err.text, dir));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_new_cursor_is_of_no_spool,
        test_the_last_commit_is_found_again,
        test_of_a_torn_slot_the_other_counts,
        test_what_was_let_go_is_counted_by_journal,
        test_a_cursor_of_version_1_is_read_and_goes_on_as_one_of_today,
        test_a_cursor_with_no_whole_slot_is_refused_and_left_as_it_is,
        test_a_commit_of_another_start_of_the_machine_is_known,
        test_a_cursor_that_is_moved_before_its_sink_is_open_is_of_the_start_that_it_was_of,
        test_a_crash_while_committing_leaves_this_commit_or_the_one_before,
        test_the_cursors_of_a_directory_come_by_slot_and_name_until_one_is_refused,
        test_cursors_that_cannot_be_listed_are_no_cursors_less,
        NULL,
    };
    return mr_suite_run ("cursor", tests);
}
