/* status: a table for people, one JSON object for programs. */
#include "launcher/cli.h"
#include "launcher/gather.h"
#include "launcher/humane.h"
#include "launcher/table.h"
#include "launcher/unseen.h"

#include <stdio.h>
#include <string.h>

enum { WORKER, PID, STATE, UPTIME, RESTARTS, RATE, ERRORS, BLOCKED, COLUMNS };

static const char *const titles[COLUMNS] = {
    [WORKER] = "WORKER",      [PID] = ">PID",        [STATE] = "STATE",    [UPTIME] = ">UPTIME",
    [RESTARTS] = ">RESTARTS", [RATE] = ">RECORDS/S", [ERRORS] = ">ERRORS", [BLOCKED] = ">BLOCKED",
};

static void
set_number (char cell[MR_TABLE_CELL_BYTES], const json_t *value, const char *suffix)
{
    if (json_is_number (value)) {
        mr_humane_count (json_number_value (value), cell, MR_TABLE_CELL_BYTES);
        size_t used = strlen (cell);
        snprintf (cell + used, MR_TABLE_CELL_BYTES - used, "%s", suffix);
    } else {
        snprintf (cell, MR_TABLE_CELL_BYTES, "-");
    }
}

static mr_colour_t
colour_of (const char *state)
{
    if (strcmp (state, "running") == 0) {
        return MR_COLOUR_NONE;
    }
    if (strcmp (state, "dead") == 0 || strcmp (state, "given-up") == 0) {
        return MR_COLOUR_BAD;
    }
    return MR_COLOUR_WARN;
}

static void
add_row (mr_table_t *table, const json_t *worker)
{
    mr_table_row_t *row = mr_table_add (table);
    if (row == NULL) {
        return;
    }
    const json_t *pid = json_object_get (worker, "pid");
    const json_t *uptime = json_object_get (worker, "uptime_s");
    const char *state = json_string_value (json_object_get (worker, "state"));
    snprintf (row->cells[WORKER], MR_TABLE_CELL_BYTES, "%s",
              json_string_value (json_object_get (worker, "name")));
    if (json_is_integer (pid)) {
        snprintf (row->cells[PID], MR_TABLE_CELL_BYTES, "%lld",
                  (long long)json_integer_value (pid));
    } else {
        snprintf (row->cells[PID], MR_TABLE_CELL_BYTES, "-");
    }
    snprintf (row->cells[STATE], MR_TABLE_CELL_BYTES, "%s", state != NULL ? state : "-");
    if (json_is_number (uptime)) {
        mr_humane_duration (json_number_value (uptime), row->cells[UPTIME], MR_TABLE_CELL_BYTES);
    } else {
        snprintf (row->cells[UPTIME], MR_TABLE_CELL_BYTES, "-");
    }
    set_number (row->cells[RESTARTS], json_object_get (worker, "restarts"), "");
    set_number (row->cells[RATE], json_object_get (worker, "records_per_second"), "");
    set_number (row->cells[ERRORS], json_object_get (worker, "errors"), "");
    set_number (row->cells[BLOCKED], json_object_get (worker, "blocked_percent"), " %");
    row->colour = colour_of (state != NULL ? state : "");
}

static void
print_reasons (const json_t *workers)
{
    size_t index;
    const json_t *worker;
    json_array_foreach (workers, index, worker)
    {
        const char *state = json_string_value (json_object_get (worker, "state"));
        const char *reason = json_string_value (json_object_get (worker, "reason"));
        if (state != NULL && reason != NULL && reason[0] != '\0' &&
            (strcmp (state, "given-up") == 0 || strcmp (state, "backing-off") == 0 ||
             strcmp (state, "starting") == 0)) {
            printf ("%s: %s\n", json_string_value (json_object_get (worker, "name")), reason);
        }
    }
}

/* What a worker says of itself: why it takes nothing in, which sink fails. */
static void
print_troubles (const json_t *workers)
{
    static const char *const keys[] = {"waiting", "failing"};
    size_t index;
    const json_t *worker;
    json_array_foreach (workers, index, worker)
    {
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            const char *text = json_string_value (json_object_get (worker, keys[i]));
            if (text != NULL && text[0] != '\0') {
                printf ("%s: %s\n", json_string_value (json_object_get (worker, "name")), text);
            }
        }
    }
}

/* The pid of who has this name; 0: nobody. */
static json_int_t
living (const json_t *whole, const char *name)
{
    size_t index;
    const json_t *row;
    json_array_foreach (json_object_get (whole, "workers"), index, row)
    {
        const char *other = json_string_value (json_object_get (row, "name"));
        if (other != NULL && strcmp (other, name) == 0) {
            return json_integer_value (json_object_get (row, "pid"));
        }
    }
    return 0;
}

static void
print_notes (const json_t *whole, const mr_plan_t *plan)
{
    mr_error_t err;
    const char *config = json_string_value (json_object_get (whole, "config"));
    if (config != NULL && mr_plan_same_file (plan, config, plan->config, &err) != MR_OK) {
        printf ("%s\n", err.text);
    }
    const char *held_by = json_string_value (json_object_get (whole, "held_by"));
    const json_t *in_flight = json_object_get (whole, "in_flight");
    if (json_is_number (in_flight)) {
        char text[64];
        mr_humane_count (json_number_value (in_flight), text, sizeof text);
        printf ("in flight: %s records\n", text);
    }
    if (held_by != NULL) {
        printf ("held back by: %s\n", held_by);
    }
    if (!json_is_true (json_object_get (whole, "launcher"))) {
        json_int_t pid = living (whole, "launcher");
        if (pid > 0) {
            printf ("the launcher, pid %lld, does not answer: nobody restarts what dies; if it "
                    "hangs, `kill -9 %lld` leaves the workers running, and `millrace up` adopts "
                    "them\n",
                    (long long)pid, (long long)pid);
        } else {
            printf ("no launcher: nobody restarts what dies; `millrace up` starts one\n");
        }
    }
    if (!json_is_true (json_object_get (whole, "monitor"))) {
        bool lives = living (whole, "monitor") > 0;
        printf ("%s: rates are not known\n", lives ? "the monitor does not answer" : "no monitor");
    }
}

static mr_status_t
print_table (const json_t *workers)
{
    mr_table_t table;
    mr_buffer_t text;
    size_t index;
    const json_t *worker;
    mr_table_init (&table, titles, COLUMNS);
    mr_buffer_init (&text, 1 << 20);
    json_array_foreach (workers, index, worker)
    {
        add_row (&table, worker);
    }
    mr_status_t status = mr_table_format (&table, mr_terminal_colours (stdout), &text);
    if (status == MR_OK) {
        fwrite (text.data, 1, text.size, stdout);
    }
    mr_buffer_release (&text);
    mr_table_release (&table);
    return status;
}

int
mr_cmd_status (mr_cli_t *cli)
{
    mr_plan_t plan;
    mr_config_t *config = NULL;
    int code = mr_cli_load (cli, &config, &plan);
    if (code != 0) {
        return code;
    }
    if (!mr_cli_may_look (cli, plan.run_dir)) {
        mr_config_destroy (&config);
        return MR_EXIT_FAILED;
    }
    json_t *whole = mr_gather (config, &plan);
    const json_t *workers = json_object_get (whole, "workers");
    if (cli->set[MR_CLI_JSON]) {
        json_dumpf (whole, stdout, JSON_COMPACT | JSON_REAL_PRECISION (6));
        putchar ('\n');
    } else if (json_array_size (workers) == 0) {
        char unseen[MR_UNSEEN_BYTES];
        if (mr_unseen (&plan, unseen)) {
            printf ("%s\n", unseen);
        } else {
            printf ("nothing runs in %s\n", plan.run_dir);
        }
    } else {
        code = mr_cli_code (print_table (workers));
        print_reasons (workers);
        print_troubles (workers);
        print_notes (whole, &plan);
    }
    json_decref (whole);
    mr_config_destroy (&config);
    return code;
}
