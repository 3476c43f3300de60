/* chaos: the proof on the user's own machine. */
#include "common/base/option.h"
#include "launcher/chaos/chaos.h"
#include "launcher/chaos/record.h"
#include "launcher/cli.h"
#include "launcher/humane.h"
#include "launcher/terminal.h"
#include "launcher/watch.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { DEFAULT_RATE = 50000, SETTLE_MS = 120000, DRAW_MS = 200, HOUR_MS = 3600 * 1000 };

static const mr_option_t for_option = {
    .key = "--for", .type = MR_OPTION_DURATION, .min = 1000, .max = 24 * HOUR_MS};
static const mr_option_t every_option = {
    .key = "--every", .type = MR_OPTION_DURATION, .min = 1, .max = HOUR_MS};
static const mr_option_t seed_option = {
    .key = "--seed", .type = MR_OPTION_INT, .min = 0, .max = INT64_MAX};

/* ---- while it runs ---- */

typedef struct show {
    bool terminal;
    int64_t drawn_ms;
} show_t;

static int
on_tick (void *arg, const mr_chaos_progress_t *progress)
{
    show_t *show = arg;
    int64_t since_ms = progress->elapsed_ms - show->drawn_ms;
    if (show->terminal && (since_ms < 0 || since_ms >= DRAW_MS)) {
        char sent[32];
        char acknowledged[32];
        char elapsed[32];
        show->drawn_ms = progress->elapsed_ms;
        mr_humane_count ((double)progress->sent, sent, sizeof sent);
        mr_humane_count ((double)progress->acknowledged, acknowledged, sizeof acknowledged);
        mr_humane_duration ((double)progress->elapsed_ms / 1000, elapsed, sizeof elapsed);
        fprintf (stderr, "\r%s %s: sent %s, acknowledged %s, killed %" PRIu64 "\033[K",
                 progress->doing, elapsed, sent, acknowledged, progress->harm->killed);
    }
    return mr_watch_signal_count ();
}

/* ---- what came of it ---- */

static const char *
humane (uint64_t count, char text[32])
{
    mr_humane_count ((double)count, text, 32);
    return text;
}

static void
print_harm (const mr_chaos_options_t *options, const mr_chaos_result_t *result)
{
    const mr_harm_counts_t *harm = &result->harm;
    printf ("seed %" PRIu64 ", %.0f s: killed %" PRIu64, options->seed,
            (double)result->harm_ms / 1000, harm->killed);
    for (int i = 0; i < MR_HARM_VICTIMS && harm->victims[i].stage[0] != '\0'; i++) {
        printf ("%s%s %" PRIu64, i == 0 ? " (" : ", ", harm->victims[i].stage,
                harm->victims[i].killed);
    }
    printf ("%s", harm->killed > 0 ? ")" : "");
    if (strcmp (options->kill, "all") == 0) {
        printf ("; all at once %" PRIu64 ", stopped %" PRIu64 ", restarted %" PRIu64
                ", scaled %" PRIu64 "\n",
                harm->at_once, harm->stopped, harm->restarts, harm->scalings);
        if (result->no_disk_full.text[0] != '\0') {
            printf ("disk full: not run (%s)", result->no_disk_full.text);
        } else {
            printf ("disk full: %" PRIu64 " times", harm->disk_full);
        }
    }
    putchar ('\n');
}

static void
print_proof (const mr_chaos_result_t *result)
{
    char exported[32];
    char dead[32];
    char lost[32];
    char doubled[32];
    const mr_proof_t *proof = &result->proof;
    printf ("exported %s, dead %s (every %dth record is no JSON)\n",
            humane (proof->records.exported, exported), humane (proof->records.dead, dead),
            MR_CHAOS_BROKEN);
    printf ("lost %s, doubled %s, by the producers' own ledgers and the bytes of the sink\n",
            humane (proof->records.lost, lost), humane (proof->records.doubled, doubled));
    printf ("metrics %s, the audit %s; batches replayed %s, stale copies refused %s\n",
            proof->metrics_agree ? "agree" : "DISAGREE",
            proof->balanced ? "balances" : "does NOT balance", humane (proof->replayed, exported),
            humane (proof->refused, dead));
    printf ("from the producer to the sink's bytes: p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms, "
            "longest %.1f ms\n",
            result->p50_ms, result->p99_ms, result->p999_ms, result->max_ms);
}

static void
print_text (const mr_chaos_options_t *options, const mr_chaos_result_t *result)
{
    char sent[32];
    char acknowledged[32];
    mr_error_t words;
    print_harm (options, result);
    printf ("sent %s, acknowledged %s\n", humane (result->sent, sent),
            humane (result->acknowledged, acknowledged));
    if (result->judged) {
        print_proof (result);
    }
    if (mr_chaos_proven (result)) {
        puts ("proven: every acknowledged record came out exactly once");
        return;
    }
    mr_proof_words (&result->proof, &words);
    printf ("NOT proven: %s%s%s\n", result->fault.text, result->judged ? words.text : "",
            result->sent == 0 ? "nothing was sent" : "");
    if (result->folder[0] != '\0') {
        printf ("everything is kept in %s\n", result->folder);
    }
}

static json_t *
harm_of (const mr_chaos_result_t *result)
{
    const mr_harm_counts_t *harm = &result->harm;
    json_t *killed = json_object ();
    for (int i = 0; i < MR_HARM_VICTIMS && harm->victims[i].stage[0] != '\0'; i++) {
        json_object_set_new (killed, harm->victims[i].stage,
                             json_integer ((json_int_t)harm->victims[i].killed));
    }
    json_t *object = json_pack ("{s:I,s:o,s:I,s:I,s:I,s:I}", "killed", (json_int_t)harm->killed,
                                "killed_by_stage", killed, "all_at_once", (json_int_t)harm->at_once,
                                "stopped", (json_int_t)harm->stopped, "restarted",
                                (json_int_t)harm->restarts, "scaled", (json_int_t)harm->scalings);
    bool never = result->no_disk_full.text[0] != '\0';
    json_object_set_new (object, "disk_full",
                         never ? json_null () : json_integer ((json_int_t)harm->disk_full));
    return object;
}

static void
add_proof (json_t *object, const mr_chaos_result_t *result)
{
    const mr_proof_t *proof = &result->proof;
    json_t *found = json_pack (
        "{s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:b,s:I,s:I}", "exported",
        (json_int_t)proof->records.exported, "dead", (json_int_t)proof->records.dead, "lost",
        (json_int_t)proof->records.lost, "doubled", (json_int_t)proof->records.doubled, "strangers",
        (json_int_t)proof->records.strangers, "misplaced", (json_int_t)proof->records.misplaced,
        "metrics_agree", (int)proof->metrics_agree, "audit_balanced", (int)proof->balanced,
        "replayed", (json_int_t)proof->replayed, "duplicates_refused", (json_int_t)proof->refused);
    json_object_update (object, found);
    json_decref (found);
    json_object_set_new (object, "latency_ms",
                         json_pack ("{s:f,s:f,s:f,s:f}", "p50", result->p50_ms, "p99",
                                    result->p99_ms, "p99.9", result->p999_ms, "max",
                                    result->max_ms));
}

static void
print_json (const mr_chaos_options_t *options, const mr_chaos_result_t *result)
{
    mr_error_t words = result->fault;
    json_t *object =
        json_pack ("{s:b,s:I,s:f,s:I,s:I,s:o}", "proven", (int)mr_chaos_proven (result), "seed",
                   (json_int_t)options->seed, "seconds", (double)result->harm_ms / 1000, "sent",
                   (json_int_t)result->sent, "acknowledged", (json_int_t)result->acknowledged,
                   "harm", harm_of (result));
    if (result->judged) {
        add_proof (object, result);
        mr_proof_words (&result->proof, &words);
    }
    json_object_set_new (object, "fault",
                         words.text[0] != '\0' ? json_string (words.text) : json_null ());
    json_object_set_new (object, "directory",
                         result->folder[0] != '\0' ? json_string (result->folder) : json_null ());
    json_dumpf (object, stdout, JSON_COMPACT | JSON_REAL_PRECISION (6));
    putchar ('\n');
    json_decref (object);
}

/* ---- options ---- */

static bool
read_option (const mr_cli_t *cli, mr_cli_option_t which, const mr_option_t *option,
             int64_t *ret_number)
{
    mr_error_t err;
    mr_option_value_t value;
    if (!cli->set[which]) {
        return true;
    }
    if (mr_option_parse (option, cli->values[which], &value, &err) != MR_OK) {
        (void)mr_cli_fail (cli, 0, "%s: %s", option->key, err.text);
        return false;
    }
    *ret_number = value.number;
    return true;
}

/* Short enough to be typed again. */
static int64_t
new_seed (void)
{
    uint32_t random = 0;
    (void)!getrandom (&random, sizeof random, 0);
    return random % 1000000;
}

int
mr_cmd_chaos (mr_cli_t *cli)
{
    int64_t seed = new_seed ();
    show_t show = {.terminal = mr_terminal_is (stderr)};
    mr_chaos_options_t options = {
        .for_ms = 60000,
        .rate = cli->set[MR_CLI_RATE] ? cli->rate : DEFAULT_RATE,
        .kill = cli->set[MR_CLI_KILL] ? cli->values[MR_CLI_KILL] : "all",
        .settle_ms = cli->timeout_ms > 0 ? cli->timeout_ms : SETTLE_MS,
        .tick = on_tick,
        .arg = &show,
    };
    if (cli->set[MR_CLI_CONFIG]) {
        return mr_cli_fail (cli, MR_EXIT_USAGE, "it makes a chain of its own; leave -c out");
    }
    if (!read_option (cli, MR_CLI_FOR, &for_option, &options.for_ms) ||
        !read_option (cli, MR_CLI_EVERY, &every_option, &options.every_ms) ||
        !read_option (cli, MR_CLI_SEED, &seed_option, &seed)) {
        return MR_EXIT_USAGE;
    }
    options.seed = (uint64_t)seed;
    mr_watch_signals ();
    mr_error_t err;
    mr_chaos_result_t *result = calloc (1, sizeof *result);
    mr_status_t status =
        result != NULL ? mr_chaos_run (&options, result, &err) : mr_error_errno (&err, "chaos");
    int code = MR_EXIT_FAILED;
    if (show.terminal) {
        fprintf (stderr, "\r\033[K");
    }
    if (status != MR_OK) {
        code = mr_cli_fail (cli, mr_cli_code (status), "%s", err.text);
    } else if (result->interrupted) {
        code = mr_cli_fail (cli, MR_EXIT_FAILED, "broken off; nothing is left");
    } else {
        (cli->set[MR_CLI_JSON] ? print_json : print_text) (&options, result);
        code = mr_chaos_proven (result) ? MR_EXIT_OK : MR_EXIT_FAILED;
    }
    free (result);
    return code;
}
