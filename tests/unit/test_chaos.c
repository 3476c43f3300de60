#include "launcher/chaos/dice.h"
#include "launcher/chaos/oracle.h"
#include "launcher/chaos/proof.h"
#include "launcher/chaos/quantiles.h"
#include "launcher/chaos/record.h"
#include "launcher/chaos/scratch.h"
#include "launcher/chaos/smalldisk.h"
#include "launcher/chaos/victims.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MADE = 2 * MR_CHAOS_BROKEN + 5 };

static mr_error_t err;
static char folder[PATH_MAX];

/* ---- records ---- */

START_TEST (test_a_record_is_read_back_as_it_was_made)
{
    char text[MR_CHAOS_RECORD_BYTES];
    mr_chaos_record_t made = {3, INT64_MAX, INT64_MAX};
    mr_chaos_record_t read = {0};
    size_t bytes = mr_chaos_record_make (&made, text);
    ck_assert_uint_lt (bytes, sizeof text);
    ck_assert (mr_chaos_record_read (text, bytes, &read));
    ck_assert_uint_eq (read.producer, 3);
    ck_assert_uint_eq (read.number, INT64_MAX);
    ck_assert_uint_eq (mr_chaos_record_made_ns (text, bytes), INT64_MAX);
}
END_TEST

START_TEST (test_a_record_with_any_other_byte_is_a_strangers)
{
    char text[MR_CHAOS_RECORD_BYTES];
    mr_chaos_record_t record = {0, 17, 4711};
    size_t bytes = mr_chaos_record_make (&record, text);
    for (size_t i = 0; i < bytes; i++) {
        mr_chaos_record_t read;
        text[i] ^= 1;
        /* Another moment cannot be told from the one it was made at. */
        if (mr_chaos_record_read (text, bytes, &read)) {
            ck_assert_uint_eq (read.number, 17);
            ck_assert_uint_ne (read.made_ns, 4711);
        }
        text[i] ^= 1;
        ck_assert (!mr_chaos_record_read (text, i, &read));
    }
    ck_assert (!mr_chaos_record_read ("", 0, &record));
}
END_TEST

/* ---- dice and quantiles ---- */

START_TEST (test_a_seed_gives_the_same_throws_and_each_weight_its_share)
{
    mr_dice_t a = {42};
    mr_dice_t b = {42};
    mr_dice_t c = {43};
    const unsigned weights[3] = {1, 0, 9};
    int chosen[3] = {0};
    bool differs = false;
    for (int i = 0; i < 10000; i++) {
        uint64_t throw = mr_dice_below (&a, 1000);
        ck_assert_uint_eq (throw, mr_dice_below (&b, 1000));
        differs = differs || throw != mr_dice_below (&c, 1000);
        int64_t between = mr_dice_between (&a, 20, 250);
        ck_assert (between >= 20 && between <= 250);
        ck_assert_int_eq (between, mr_dice_between (&b, 20, 250));
        chosen[mr_dice_choose (&c, weights, 3)]++;
    }
    ck_assert (differs);
    ck_assert_int_eq (chosen[1], 0);
    ck_assert (chosen[0] > 800 && chosen[0] < 1200);
}
END_TEST

START_TEST (test_quantiles_are_right_to_a_64th)
{
    mr_quantiles_t *durations = calloc (1, sizeof *durations);
    ck_assert_double_eq (mr_quantiles_ms (durations, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++) {
        mr_quantiles_add (durations, i * 1000);
    }
    static const double shares[] = {0.001, 0.5, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double right = shares[i] * 100;
        double found = mr_quantiles_ms (durations, shares[i]);
        ck_assert_msg (found >= right && found <= right * 65 / 64, "%f: %f", right, found);
    }
    mr_quantiles_add (durations, 0);
    mr_quantiles_add (durations, UINT64_MAX);
    ck_assert_double_gt (mr_quantiles_ms (durations, 1), 1e9);
    free (durations);
}
END_TEST

/* ---- the oracle, and what a doctored sink does to it ---- */

typedef enum doctoring {
    HONEST,
    LOSES_ONE,
    DOUBLES_ONE,
    LOSES_A_LETTER,
    DOUBLES_A_LETTER,
    CHANGES_ONE,
    TEARS_THE_LAST,
    INVENTS_ONE,
    TAKES_A_BROKEN_ONE,
    LETTER_OF_A_WHOLE_ONE,
} doctoring_t;

static void
put_letter (FILE *out, const char *text)
{
    fprintf (out, "{\"id\":\"1-2-3\",\"record\":\"");
    for (; *text != '\0'; text++) {
        fprintf (out, *text == '"' ? "\\%c" : "%c", *text);
    }
    fprintf (out, "\"}\n");
}

static void
put_record (FILE *sink, FILE *dead, uint64_t number, doctoring_t how)
{
    char text[MR_CHAOS_RECORD_BYTES + 1];
    mr_chaos_record_t record = {1, number, 1000 + number};
    text[mr_chaos_record_make (&record, text)] = '\0';
    bool broken = mr_chaos_record_broken (number);
    if ((how == LOSES_ONE && number == 17) ||
        (how == LOSES_A_LETTER && number == MR_CHAOS_BROKEN)) {
        return;
    }
    if (how == CHANGES_ONE && number == 18) {
        text[strlen (text) - 3] ^= 1;
    }
    if (how == TEARS_THE_LAST && number == MADE) {
        fprintf (sink, "%.40s", text);
    } else if (broken || (how == LETTER_OF_A_WHOLE_ONE && number == 19)) {
        put_letter (dead, text);
    } else {
        fprintf (sink, "%s\n", text);
    }
    if (how == DOUBLES_ONE && number == 20) {
        fprintf (sink, "%s\n", text);
    } else if (how == DOUBLES_A_LETTER && broken) {
        put_letter (dead, text);
    } else if (how == TAKES_A_BROKEN_ONE && number == MR_CHAOS_BROKEN) {
        fprintf (sink, "%s\n", text);
    }
}

/* What the oracle finds. Producer 0 made nothing. */
static mr_oracle_verdict_t
judge (doctoring_t how)
{
    char sink_path[PATH_MAX];
    char dead_path[PATH_MAX];
    snprintf (folder, sizeof folder, "%s", mr_test_dir ());
    mr_scratch_sink (folder, 0, sink_path);
    snprintf (dead_path, sizeof dead_path, "%.4000s/dead.jsonl", folder);
    FILE *sink = fopen (sink_path, "w");
    FILE *dead = fopen (dead_path, "w");
    for (uint64_t number = 1; number <= MADE + (how == INVENTS_ONE ? 1 : 0); number++) {
        put_record (sink, dead, number, how);
    }
    fclose (sink);
    fclose (dead);
    const uint64_t made[2] = {0, MADE};
    mr_oracle_t *oracle = mr_oracle_new (made, 2);
    ck_assert_int_eq (mr_oracle_read_sink (oracle, sink_path, &err), MR_OK);
    ck_assert_int_eq (mr_oracle_read_dead (oracle, dead_path, &err), MR_OK);
    mr_oracle_verdict_t verdict = mr_oracle_verdict (oracle);
    mr_oracle_destroy (&oracle);
    return verdict;
}

START_TEST (test_an_honest_sink_is_believed)
{
    mr_oracle_verdict_t found = judge (HONEST);
    ck_assert_uint_eq (found.made, MADE);
    ck_assert_uint_eq (found.exported, MADE - 2);
    ck_assert_uint_eq (found.exported_of[1], MADE - 2);
    ck_assert_uint_eq (found.dead, 2);
    ck_assert_uint_eq (found.lost + found.doubled + found.strangers + found.misplaced, 0);
    ck_assert_str_eq (found.first, "");
}
END_TEST

static const struct {
    doctoring_t how;
    uint64_t lost;
    uint64_t doubled;
    uint64_t strangers;
    uint64_t misplaced;
    const char *first;
} doctored[] = {
    {LOSES_ONE, 1, 0, 0, 0, "record 17 of producer 1 is nowhere"},
    {DOUBLES_ONE, 0, 1, 0, 0, "record 20 of producer 1 came twice"},
    {LOSES_A_LETTER, 1, 0, 0, 0, "record 997 of producer 1 is nowhere"},
    {DOUBLES_A_LETTER, 0, 2, 0, 0, "record 997 of producer 1 came twice"},
    {CHANGES_ONE, 1, 0, 1, 0, "nobody sent \"{\"p\":1,\"n\":18,"},
    {TEARS_THE_LAST, 1, 0, 1, 0, "nobody sent \"{\"p\":1,"},
    {INVENTS_ONE, 0, 0, 1, 0, "nobody sent"},
    {TAKES_A_BROKEN_ONE, 0, 1, 0, 1, "record 997 of producer 1 is broken, and in the sink"},
    {LETTER_OF_A_WHOLE_ONE, 0, 0, 0, 1, "record 19 of producer 1 is whole, and a dead letter"},
};

START_TEST (test_a_doctored_sink_is_found_out)
{
    for (size_t i = 0; i < sizeof doctored / sizeof *doctored; i++) {
        mr_oracle_verdict_t found = judge (doctored[i].how);
        ck_assert_uint_eq (found.lost, doctored[i].lost);
        ck_assert_uint_eq (found.doubled, doctored[i].doubled);
        ck_assert_uint_eq (found.strangers, doctored[i].strangers);
        ck_assert_uint_eq (found.misplaced, doctored[i].misplaced);
        ck_assert_msg (strncmp (found.first, doctored[i].first, strlen (doctored[i].first)) == 0,
                       "%s", found.first);
    }
}
END_TEST

START_TEST (test_nothing_sent_and_nothing_found_is_no_loss)
{
    const uint64_t made[1] = {0};
    mr_oracle_t *oracle = mr_oracle_new (made, 1);
    ck_assert_int_eq (mr_oracle_read_sink (oracle, "/nowhere/out.jsonl", &err), MR_SYSTEM);
    mr_oracle_verdict_t verdict = mr_oracle_verdict (oracle);
    ck_assert_uint_eq (verdict.lost, 0);
    mr_oracle_destroy (&oracle);
}
END_TEST

/* ---- the proof ---- */

START_TEST (test_metrics_that_disagree_and_an_audit_without_a_journal_are_no_proof)
{
    char path[PATH_MAX];
    mr_proof_t proof;
    (void)judge (HONEST);
    snprintf (path, sizeof path, "%.4000s/data", folder);
    ck_assert_int_eq (mkdir (path, 0700), 0);
    mr_scratch_rows (folder, 1, path);
    FILE *rows = fopen (path, "w");
    fprintf (
        rows,
        "{\"metric\":\"records\",\"labels\":{\"p\":\"1\"},\"value\":7,\"worker\":\"exporter.1\"}\n"
        "{\"metric\":\"records\",\"labels\":{\"p\":\"1\"},\"value\":8,\"worker\":\"exporter.1\"}"
        "\n");
    fclose (rows);
    const uint64_t made[2] = {0, MADE};
    ck_assert_int_eq (mr_proof_read (folder, made, 2, &proof, &err), MR_OK);
    ck_assert (!proof.metrics_agree);
    ck_assert (!proof.balanced);
    ck_assert (!mr_proof_holds (&proof));
    mr_proof_words (&proof, &err);
    ck_assert_str_eq (err.text,
                      "lost 2; record 997 of producer 1 is nowhere; metrics count 8 records of "
                      "producer 1, the sink has 1997; the audit does not balance");
    proof = (mr_proof_t){.metrics_agree = true, .balanced = true};
    ck_assert (mr_proof_holds (&proof));
    proof.records.lost = 1;
    ck_assert (!mr_proof_holds (&proof));
    proof.records = (mr_oracle_verdict_t){.doubled = 1};
    ck_assert (!mr_proof_holds (&proof));
}
END_TEST

/* ---- harm ---- */

START_TEST (test_only_stages_that_are_named_are_victims)
{
    ck_assert (mr_victims_among ("all", "monitor"));
    ck_assert (mr_victims_among ("processor", "processor"));
    ck_assert (mr_victims_among ("processor,metrics", "metrics"));
    ck_assert (!mr_victims_among ("processor,metrics", "metric"));
    ck_assert (!mr_victims_among ("processors", "processor"));
    ck_assert (!mr_victims_among ("", "processor"));
}
END_TEST

START_TEST (test_a_small_disk_that_cannot_be_mounted_says_why)
{
    ck_assert_int_eq (mr_smalldisk_mount ("/nowhere/at/all", &err), MR_SYSTEM);
    ck_assert_msg (strncmp (err.text, "a small file system may not be mounted: ", 40) == 0, "%s",
                   err.text);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_record_is_read_back_as_it_was_made,
        test_a_record_with_any_other_byte_is_a_strangers,
        test_a_seed_gives_the_same_throws_and_each_weight_its_share,
        test_quantiles_are_right_to_a_64th,
        test_an_honest_sink_is_believed,
        test_a_doctored_sink_is_found_out,
        test_nothing_sent_and_nothing_found_is_no_loss,
        test_metrics_that_disagree_and_an_audit_without_a_journal_are_no_proof,
        test_only_stages_that_are_named_are_victims,
        test_a_small_disk_that_cannot_be_mounted_says_why,
        NULL,
    };
    return mr_suite_run ("chaos", tests);
}
