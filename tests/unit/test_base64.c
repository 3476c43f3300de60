#include "common/wire/base64.h"
#include "tests/support/suite.h"

#include <string.h>

static void
assert_decodes (const char *text, const char *bytes, size_t count)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 1000);
    ck_assert_int_eq (mr_base64_decode (text, strlen (text), &out), MR_OK);
    ck_assert_uint_eq (out.size, count);
    ck_assert (count == 0 || memcmp (out.data, bytes, count) == 0);
    mr_buffer_release (&out);
}

START_TEST (test_the_vectors_of_rfc_4648_decode)
{
    assert_decodes ("", "", 0);
    assert_decodes ("Zg==", "f", 1);
    assert_decodes ("Zm8=", "fo", 2);
    assert_decodes ("Zm9v", "foo", 3);
    assert_decodes ("Zm9vYg==", "foob", 4);
    assert_decodes ("Zm9vYmE=", "fooba", 5);
    assert_decodes ("Zm9vYmFy", "foobar", 6);
    assert_decodes ("//79AA==", "\xff\xfe\xfd\0", 4);
}
END_TEST

START_TEST (test_what_is_not_base64_is_refused_and_nothing_is_appended)
{
    static const char *const bad[] = {
        "Z", "Zg=", "Zg", "Z===", "Zg==Zg==", "Zm9v!A==", "=Zm9", "Zm9\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mr_buffer_t out;
        mr_buffer_init (&out, 1000);
        ck_assert_msg (mr_base64_decode (bad[i], strlen (bad[i]), &out) == MR_INVALID, "%s",
                       bad[i]);
        ck_assert_uint_eq (out.size, 0);
        mr_buffer_release (&out);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_the_vectors_of_rfc_4648_decode,
        test_what_is_not_base64_is_refused_and_nothing_is_appended,
        NULL,
    };
    return mr_suite_run ("base64", tests);
}
