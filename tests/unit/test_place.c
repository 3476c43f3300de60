#include "common/base/hash.h"
#include "launcher/filetail.h"
#include "launcher/place.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *dir;

static mr_place_facts_t
facts_of (const char *base, const char *path)
{
    mr_place_facts_t facts = {.device = 5, .inode = 7, .followed = true, .begun_ns = 1};
    snprintf (facts.base, sizeof facts.base, "%s", base);
    snprintf (facts.text, sizeof facts.text, "%s.1", base);
    snprintf (facts.path, sizeof facts.path, "%s", path);
    return facts;
}

static mr_place_t *
made (const mr_place_facts_t *facts)
{
    mr_place_t *place = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_place_make (dir, facts, &place, &err), MR_OK);
    return place;
}

static mr_place_t *
again (mr_place_t *place, const char *base)
{
    mr_place_close (&place);
    ck_assert_int_eq (mr_place_open (dir, base, &place), MR_OK);
    return place;
}

static void
note (mr_place_t *place, uint64_t number, uint64_t offset)
{
    ck_assert (mr_place_note (place, (mr_place_mark_t){number, offset, number * 31}));
}

START_TEST (test_what_was_noted_is_found_after_a_death)
{
    dir = mr_test_dir ();
    mr_place_facts_t facts = facts_of ("file-1", "/var/log/a");
    mr_place_t *place = made (&facts);
    for (uint64_t number = 1; number <= 1000; number++) {
        note (place, number * 10, number * 100);
    }
    place = again (place, "file-1");
    ck_assert_str_eq (mr_place_facts (place)->text, "file-1.1");
    ck_assert_str_eq (mr_place_facts (place)->path, "/var/log/a");
    ck_assert_uint_eq (mr_place_find (place, 9990).offset, 99900);
    ck_assert_uint_eq (mr_place_find (place, 9995).number, 9990);
    ck_assert_uint_eq (mr_place_find (place, 1000 * 10 - 10 * (MR_PLACE_MARKS - 1)).offset,
                       1000 * 100 - 100 * (MR_PLACE_MARKS - 1));
    ck_assert_uint_eq (mr_place_find (place, 5).offset, 0); /* its start */
    ck_assert_uint_eq (mr_place_reach (place), 100000);
    mr_place_close (&place);
    ck_assert_int_eq (mr_place_open (dir, "file-2", &place), MR_CLOSED);
}
END_TEST

START_TEST (test_numbers_that_are_given_out_anew_have_no_mark_until_then)
{
    dir = mr_test_dir ();
    mr_place_facts_t facts = facts_of ("file-1", "/a");
    mr_place_t *place = made (&facts);
    note (place, 10, 100);
    note (place, 20, 200);
    note (place, 30, 300);
    mr_place_forget_above (place, 10);
    place = again (place, "file-1");
    ck_assert_uint_eq (mr_place_find (place, 30).number, 10);
    note (place, 20, 210);
    note (place, 20, 220);
    place = again (place, "file-1");
    ck_assert_uint_eq (mr_place_find (place, 20).offset, 220);
    mr_place_close (&place);
}
END_TEST

START_TEST (test_a_place_with_any_byte_of_its_head_changed_is_none_and_a_broken_mark_is_unused)
{
    dir = mr_test_dir ();
    char image[MR_PLACE_BYTES];
    char path[PATH_MAX];
    mr_place_facts_t facts = facts_of ("file-1", "/a");
    mr_place_facts_t found;
    mr_place_mark_t marks[MR_PLACE_MARKS];
    mr_place_t *place = made (&facts);
    note (place, 10, 100);
    mr_place_close (&place);
    snprintf (path, sizeof path, "%s/%016" PRIx64 ".place", dir, mr_hash64 ("file-1", 6));
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq (read (fd, image, sizeof image), (ssize_t)sizeof image);
    close (fd);
    ck_assert_int_eq (mr_place_decode (image, sizeof image, &found, marks), MR_OK);
    ck_assert_uint_eq (marks[0].offset, 100);
    ck_assert_int_eq (mr_place_decode (image, sizeof image - 1, &found, marks), MR_INVALID);
    for (size_t i = 0; i < 232; i++) {
        image[i] ^= 1;
        ck_assert_int_eq (mr_place_decode (image, sizeof image, &found, marks), MR_INVALID);
        image[i] ^= 1;
    }
    for (size_t i = 512; i < 544; i++) {
        image[i] ^= 1;
        ck_assert_int_eq (mr_place_decode (image, sizeof image, &found, marks), MR_OK);
        ck_assert_uint_eq (marks[0].number, 0);
        image[i] ^= 1;
    }
}
END_TEST

static int
file_of (const char *text)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/file", dir);
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_eq (write (fd, text, strlen (text)), (ssize_t)strlen (text));
    return fd;
}

START_TEST (test_a_file_that_grew_fits_and_one_that_was_written_anew_or_is_shorter_does_not)
{
    dir = mr_test_dir ();
    mr_place_facts_t facts = facts_of ("file-1", "/a");
    mr_place_t *place = made (&facts);
    int fd = file_of ("first\nsecond\n");
    mr_place_mark_t mark = {.number = 2, .offset = 13};
    ck_assert (mr_filetail_hash (fd, mark.offset, &mark.tail));
    ck_assert (mr_place_note (place, mark));
    ck_assert (mr_place_fits (place, fd));
    close (fd);
    fd = file_of ("first\nsecond\nthird\n");
    ck_assert (mr_place_fits (place, fd));
    close (fd);
    fd = file_of ("first\nSecond\nthird\n");
    ck_assert (!mr_place_fits (place, fd));
    close (fd);
    fd = file_of ("first\nsecond");
    ck_assert (!mr_place_fits (place, fd));
    close (fd);
    mr_place_close (&place);
}
END_TEST

START_TEST (test_followed_places_of_a_path_come_in_the_order_of_their_begin)
{
    dir = mr_test_dir ();
    mr_place_t *list[4];
    mr_place_facts_t facts = facts_of ("file-2", "/a");
    facts.begun_ns = 2;
    mr_place_t *second = made (&facts);
    facts = facts_of ("file-1", "/a");
    mr_place_t *first = made (&facts);
    facts = facts_of ("file-3", "/b");
    mr_place_t *other = made (&facts);
    ck_assert_uint_eq (mr_place_list (dir, "/a", true, list, 4), 2);
    ck_assert_str_eq (mr_place_facts (list[0])->base, "file-1");
    ck_assert_str_eq (mr_place_facts (list[1])->base, "file-2");
    mr_place_close (&list[0]);
    mr_place_close (&list[1]);
    mr_place_follow (first, NULL);
    ck_assert_uint_eq (mr_place_list (dir, "/a", true, list, 4), 1);
    mr_place_close (&list[0]);
    ck_assert_uint_eq (mr_place_list (dir, "/a", false, list, 4), 1);
    mr_place_close (&list[0]);
    mr_place_follow (other, "/a");
    ck_assert_uint_eq (mr_place_list (dir, "/a", true, list, 4), 2);
    mr_place_close (&list[0]);
    mr_place_close (&list[1]);
    mr_place_close (&first);
    mr_place_close (&second);
    mr_place_close (&other);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_what_was_noted_is_found_after_a_death,
        test_numbers_that_are_given_out_anew_have_no_mark_until_then,
        test_a_place_with_any_byte_of_its_head_changed_is_none_and_a_broken_mark_is_unused,
        test_a_file_that_grew_fits_and_one_that_was_written_anew_or_is_shorter_does_not,
        test_followed_places_of_a_path_come_in_the_order_of_their_begin,
        NULL,
    };
    return mr_suite_run ("place", tests);
}
