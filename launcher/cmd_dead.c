#include "common/delivery/filelock.h"
#include "common/wire/base64.h"
#include "common/wire/producer.h"
#include "launcher/cli.h"
#include "launcher/deadfile.h"
#include "launcher/router.h"

#include <czmq.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_MS = 1000, BUSY_MS = 100, DEFAULT_TIMEOUT_MS = 30000, RECORD_LIMIT = 64 << 20 };

/* One letter of one command. MR_OK, or err says what is wrong with it. */
typedef mr_status_t act_fn (mr_cli_t *cli, mr_deadfile_t *letters, size_t i, mr_error_t *err);

static const char *
text_of (const json_t *row, const char *key)
{
    const char *text = json_string_value (json_object_get (row, key));
    return text != NULL ? text : "";
}

static void
list (const mr_cli_t *cli, const mr_deadfile_t *letters)
{
    size_t i = 0;
    for (const json_t *row; (row = mr_deadfile_row (letters, i)) != NULL; i++) {
        if (cli->set[MR_CLI_JSON]) {
            json_dumpf (row, stdout, JSON_COMPACT);
            putchar ('\n');
        } else {
            printf ("%-32s  %.19sZ  %-16s  %s\n", mr_deadfile_id (letters, i), text_of (row, "ts"),
                    text_of (row, "error_type"), text_of (row, "message"));
        }
    }
    if (i == 0 && !cli->set[MR_CLI_JSON]) {
        puts ("no dead letters");
    }
}

static mr_status_t
show (mr_cli_t *cli, mr_deadfile_t *letters, size_t i, mr_error_t *err)
{
    (void)err;
    json_dumpf (mr_deadfile_row (letters, i), stdout,
                cli->set[MR_CLI_JSON] ? JSON_COMPACT : JSON_INDENT (2));
    putchar ('\n');
    return MR_OK;
}

static mr_status_t
forget (mr_cli_t *cli, mr_deadfile_t *letters, size_t i, mr_error_t *err)
{
    (void)cli;
    return mr_deadfile_handled (letters, mr_deadfile_id (letters, i), "removed", err);
}

static int
patience_ms (const mr_cli_t *cli)
{
    return cli->timeout_ms > 0 ? (int)cli->timeout_ms : DEFAULT_TIMEOUT_MS;
}

/* ---- replay ---- */

/* The original bytes. MR_INVALID: only their start was kept. */
static mr_status_t
original_of (const json_t *row, mr_buffer_t *out, mr_error_t *err)
{
    const json_t *record = json_object_get (row, "record");
    const json_t *coded = json_object_get (row, "record_base64");
    if (json_object_get (row, "original_bytes") != NULL) {
        mr_error_set (err, "only the start of the record was kept");
        return MR_INVALID;
    }
    if (record != NULL) {
        return mr_buffer_append (out, json_string_value (record), json_string_length (record));
    }
    mr_status_t status = mr_base64_decode (coded != NULL ? json_string_value (coded) : "",
                                           coded != NULL ? json_string_length (coded) : 1, out);
    if (status != MR_OK) {
        mr_error_set (err, "the letter holds no record");
    }
    return status;
}

static zsock_t *
connect_to (const char *endpoint)
{
    zsock_t *socket = zsock_new (ZMQ_DEALER);
    zsock_set_linger (socket, 0);
    zsock_set_rcvtimeo (socket, ANSWER_MS);
    zsock_set_sndtimeo (socket, ANSWER_MS);
    if (zsock_connect (socket, "%s", endpoint) != 0) {
        zsock_destroy (&socket);
    }
    return socket;
}

/* One request and its answer. MR_AGAIN: none came, or `busy`. */
static mr_status_t
ask (const char *endpoint, const char *id, const mr_buffer_t *record, mr_error_t *err)
{
    zsock_t *socket = connect_to (endpoint);
    if (socket == NULL) {
        mr_error_set (err, "cannot connect to %s", endpoint);
        return MR_SYSTEM;
    }
    zmsg_t *request = zmsg_new ();
    zmsg_addstr (request, id);
    zmsg_addmem (request, record->data, record->size);
    (void)zmsg_send (&request, socket);
    zmsg_destroy (&request);
    zmsg_t *reply = zmsg_recv (socket);
    mr_status_t status = MR_AGAIN;
    mr_answer_t answer = {0};
    if (reply != NULL && zmsg_size (reply) >= 2) {
        zframe_t *first = zmsg_first (reply);
        (void)first;
        zframe_t *word = zmsg_next (reply);
        zframe_t *rest = zmsg_next (reply);
        mr_frame_t frames[2] = {{zframe_data (word), zframe_size (word)}};
        if (rest != NULL) {
            frames[1] = (mr_frame_t){zframe_data (rest), zframe_size (rest)};
        }
        status = mr_answer_decode (frames, rest != NULL ? 2 : 1, &answer, err);
    }
    zmsg_destroy (&reply);
    zsock_destroy (&socket);
    if (status != MR_OK || answer.type == MR_ANSWER_OK) {
        return status;
    }
    if (answer.type == MR_ANSWER_BUSY) {
        zclock_sleep (BUSY_MS);
        return MR_AGAIN;
    }
    mr_error_set (err, "refused: %s", answer.type == MR_ANSWER_ERROR ? answer.why : "gap");
    return MR_INVALID;
}

/* Each letter is a producer of its own whose one record has number 1: however often it is sent, it
 * is taken once. The name is for one run: it is needed until the letter is noted as handled, by a
 * replay that died between the answer and that note and is said again. */
static mr_status_t
replay (mr_cli_t *cli, mr_deadfile_t *letters, size_t i, mr_error_t *err)
{
    mr_router_t router;
    if (mr_router_find (cli, &router) != 0) {
        mr_error_set (err, "there is no socket to send it to");
        return MR_CONFIG;
    }
    char name[MR_PRODUCER_ID_MAX_BYTES];
    char id[MR_PRODUCER_ID_MAX_BYTES + 1];
    snprintf (name, sizeof name, MR_PRODUCER_ONCE "dead-%s", mr_deadfile_id (letters, i));
    mr_status_t status = mr_producer_id_format (name, 1, id, err);
    mr_buffer_t record;
    mr_buffer_init (&record, RECORD_LIMIT);
    if (status == MR_OK) {
        status = original_of (mr_deadfile_row (letters, i), &record, err);
    }
    int64_t until_ms = zclock_mono () + patience_ms (cli);
    while (status == MR_OK) {
        status = ask (router.endpoint, id, &record, err);
        if (status != MR_AGAIN) {
            break;
        }
        if (zclock_mono () >= until_ms) {
            mr_error_set (err, "no answer from %s", router.endpoint);
            break;
        }
        status = MR_OK;
    }
    mr_buffer_release (&record);
    return status == MR_OK
               ? mr_deadfile_handled (letters, mr_deadfile_id (letters, i), "replayed", err)
               : status;
}

/* ---- the command ---- */

static int
act_on (mr_cli_t *cli, mr_deadfile_t *letters, size_t i, act_fn *act)
{
    mr_error_t err;
    mr_status_t status = act (cli, letters, i, &err);
    if (status == MR_OK) {
        return MR_EXIT_OK;
    }
    int code = status == MR_AGAIN    ? MR_EXIT_TIMEOUT
               : status == MR_CONFIG ? MR_EXIT_CONFIG
                                     : MR_EXIT_FAILED;
    return mr_cli_fail (cli, code, "%s: %s", mr_deadfile_id (letters, i), err.text);
}

/* What a verb does to a letter; NULL: it only looks. */
static const char *
fate_by (act_fn *act)
{
    return act == replay ? "replayed" : act == forget ? "removed" : NULL;
}

/* What was done already is well, however often it is said. */
static int
act_on_word (mr_cli_t *cli, mr_deadfile_t *letters, const char *id, act_fn *act, int *done)
{
    const char *fate = mr_deadfile_fate (letters, id);
    size_t i = mr_deadfile_find (letters, id);
    if (fate != NULL) {
        bool same = fate_by (act) != NULL && strcmp (fate, fate_by (act)) == 0;
        if (!same) {
            return mr_cli_fail (cli, MR_EXIT_FAILED, "%s: it was %s already", id, fate);
        }
        printf ("%s: it was %s already\n", id, fate);
        return MR_EXIT_OK;
    }
    if (i == (size_t)-1) {
        return mr_cli_fail (cli, MR_EXIT_FAILED, "%s: no such dead letter; see `dead ls`", id);
    }
    int code = act_on (cli, letters, i, act);
    *done += code == MR_EXIT_OK ? 1 : 0;
    return code;
}

static int
act_on_words (mr_cli_t *cli, mr_deadfile_t *letters, act_fn *act)
{
    int code = MR_EXIT_OK;
    int done = 0;
    bool all = cli->word_count == 2 && strcmp (cli->words[1], "all") == 0;
    for (size_t i = 0; all && mr_deadfile_row (letters, i) != NULL; i++) {
        int one = act_on (cli, letters, i, act);
        code = one != MR_EXIT_OK ? one : code;
        done += one == MR_EXIT_OK ? 1 : 0;
    }
    for (int w = 1; !all && w < cli->word_count; w++) {
        int one = act_on_word (cli, letters, cli->words[w], act, &done);
        code = one != MR_EXIT_OK ? one : code;
    }
    if (fate_by (act) != NULL) {
        printf ("%d %s\n", done, fate_by (act));
    }
    return code;
}

/* One at a time: who waited finds what the one before has dealt with.
 *   ret_fd  -1: there are no letters, and nothing to lock */
static int
lock_letters (const mr_cli_t *cli, const char *data_dir, int *ret_fd)
{
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/dead/handled", data_dir);
    const mr_filelock_options_t options = {.path = path, .wait_ms = patience_ms (cli)};
    mr_error_t err = {.number = 0};
    mr_status_t status = mr_filelock_take (&options, ret_fd, &err);
    if (status == MR_AGAIN) {
        return mr_cli_fail (cli, MR_EXIT_TEMPORARY,
                            "another `dead replay` or `dead rm` is at work; try again");
    }
    if (status != MR_OK && err.number != ENOENT) {
        return mr_cli_fail (cli, mr_cli_code (status), "%s", err.text);
    }
    return MR_EXIT_OK;
}

/* act NULL: lists. */
static int
act_on_letters (mr_cli_t *cli, const char *data_dir, act_fn *act)
{
    mr_deadfile_t *letters = NULL;
    mr_error_t err;
    mr_status_t status = mr_deadfile_open (data_dir, &letters, &err);
    if (status != MR_OK) {
        return mr_cli_fail (cli, mr_cli_code (status), "%s", err.text);
    }
    int code = MR_EXIT_OK;
    if (act == NULL) {
        list (cli, letters);
    } else {
        code = act_on_words (cli, letters, act);
    }
    mr_deadfile_close (&letters);
    return code;
}

int
mr_cmd_dead (mr_cli_t *cli)
{
    static const struct {
        const char *name;
        act_fn *act; /* NULL: lists */
    } verbs[] = {{"ls", NULL}, {"show", show}, {"replay", replay}, {"rm", forget}};
    size_t verb = 0;
    while (verb < 4 && strcmp (cli->words[0], verbs[verb].name) != 0) {
        verb++;
    }
    if (verb == 4 || (verbs[verb].act == NULL) != (cli->word_count == 1)) {
        return mr_cli_fail (cli, MR_EXIT_USAGE,
                            "write `dead ls`, or `dead show|replay|rm ID...`, or `all` for ID");
    }
    mr_config_t *config = NULL;
    mr_plan_t plan;
    int code = mr_cli_load (cli, &config, &plan);
    if (code != MR_EXIT_OK) {
        return code;
    }
    const char *data_dir = mr_config_text (mr_config_section (config, "pipeline"), "data_dir");
    int lock = -1;
    if (fate_by (verbs[verb].act) != NULL) {
        code = lock_letters (cli, data_dir, &lock);
    }
    if (code == MR_EXIT_OK) {
        code = act_on_letters (cli, data_dir, verbs[verb].act);
    }
    mr_filelock_release (lock);
    mr_config_destroy (&config);
    return code;
}
