/* The keys of the built-in sections. Each row is also a line of the reference. */
#include "common/base/endpoint.h"
#include "common/base/slots.h"
#include "common/runtime/config_internal.h"

#define KIB (INT64_C (1) << 10)
#define MIB (INT64_C (1) << 20)
#define SECOND INT64_C (1000)
#define HOUR (3600 * SECOND)

// clang-format off
#define WORKERS {                                                                       \
    .key = "workers", .type = MR_OPTION_INT, .min = 1, .max = MR_SLOTS_MAX,             \
    .fallback = "1", .unit = "processes",                                               \
    .help = "How many processes of this stage start; `millrace scale` changes it live", \
}

static const mr_option_t pipeline[] = {
    {.key = "name", .type = MR_OPTION_STRING, .min = 1, .max = 64, .fallback = "millrace",
     .help = "What status, the monitor's page and the logs call this pipeline"},
    {.key = "run_dir", .type = MR_OPTION_PATH, .fallback = "run",
     .help = "Sockets and locks; made with mode 0700; local file system"},
    {.key = "data_dir", .type = MR_OPTION_PATH, .fallback = "data",
     .help = "Everything that outlives a restart; local file system"},
    {.key = "log_dir", .type = MR_OPTION_PATH, .fallback = "data/log",
     .help = "One log file a process"},
    {.key = "chain", .type = MR_OPTION_LIST, .fallback = "ingest, processor, metrics, exporter",
     .help = "The stages in the order of the flow; a stage NAME is the program `millrace-NAME`"},
    {.key = "start_timeout", .type = MR_OPTION_DURATION, .min = 100, .max = HOUR,
     .fallback = "10s", .help = "How long a worker may take until it is ready"},
    {.key = "stop_timeout", .type = MR_OPTION_DURATION, .min = 100, .max = HOUR,
     .fallback = "30s", .help = "How long a worker may drain before it is killed"},
    {.key = "log_level", .type = MR_OPTION_CHOICE, .choices = "debug|info|warn|error",
     .fallback = "info", .help = "The lowest level that is logged"},
    {.key = NULL},
};

static const mr_option_t ingest[] = {
    WORKERS,
    {.key = "pull", .type = MR_OPTION_ENDPOINT, .flags = MR_OPTION_REPEATS,
     .help = "Bind a PULL socket for producers that need no answer"},
    {.key = "router", .type = MR_OPTION_ENDPOINT, .flags = MR_OPTION_REPEATS,
     .help = "Bind a ROUTER socket for acknowledged producers (DEALER or REQ)"},
    {.key = "tcp", .type = MR_OPTION_HOSTPORT, .min = 1, .max = 65535,
     .flags = MR_OPTION_REPEATS, .help = "Listen for lines over plain TCP"},
    {.key = "framing", .type = MR_OPTION_CHOICE, .choices = "record|lines",
     .fallback = "record", .help = "Whether a frame on a pull socket is one record or lines"},
    {.key = "mode", .type = MR_OPTION_MODE, .fallback = "0600",
     .help = "File mode of the ipc sockets that are bound for producers"},
    {.key = "durability", .type = MR_OPTION_CHOICE, .choices = "memory|disk|fsync",
     .fallback = "disk",
     .help = "Acknowledged records survive kill -9 of every process but ingest, of everything, or "
             "also power loss"},
    {.key = "segment_bytes", .type = MR_OPTION_SIZE, .min = MIB, .max = 1024 * MIB,
     .fallback = "16MiB", .help = "The journal begins a new file at this size"},
    {.key = "retain_bytes", .type = MR_OPTION_SIZE, .min = 0, .max = 1024 * 1024 * MIB,
     .fallback = "0",
     .help = "Files of settled batches stay while the journal holds at most so much; 0: no limit "
             "by size"},
    {.key = "retain_for", .type = MR_OPTION_DURATION, .min = 0, .max = 366 * 24 * HOUR,
     .fallback = "0",
     .help = "They stay until they are so old; 0: no limit by age; both 0: they go at once"},
    {.key = "window", .type = MR_OPTION_INT, .min = 1, .max = 65536, .fallback = "256",
     .unit = "batches", .help = "Batches in flight; when it is full, producers wait"},
    {.key = "batch_records", .type = MR_OPTION_INT, .min = 1, .max = 65536, .fallback = "4096",
     .unit = "records", .help = "A batch is closed at this many records"},
    {.key = "batch_bytes", .type = MR_OPTION_SIZE, .min = KIB, .max = 16 * MIB,
     .fallback = "1MiB", .help = "A batch is closed at this many bytes"},
    {.key = "linger_ms", .type = MR_OPTION_INT, .min = 0, .max = 60000, .fallback = "5",
     .unit = "ms", .help = "How long an open batch waits for more while others are in flight"},
    {.key = "spacing_ms", .type = MR_OPTION_INT, .min = 0, .max = 60000, .fallback = "1",
     .unit = "ms",
     .help = "A batch that is not full goes at the earliest so long after the one before it, "
             "unless a producer waits for its answer; never later than linger_ms"},
    {.key = "max_record", .type = MR_OPTION_SIZE, .min = 64, .max = 32 * MIB,
     .fallback = "1MiB", .help = "A longer record is refused, or becomes a dead letter"},
    {.key = "max_producers", .type = MR_OPTION_INT, .min = 1, .max = 200000,
     .fallback = "100000", .unit = "producers",
     .help = "Names of numbered producers whose last number is kept; a further one is refused, "
             "but for those of one run (once:NAME), of which the oldest is forgotten"},
    {.key = "hwm", .type = MR_OPTION_INT, .min = 0, .max = 1000000, .fallback = "0",
     .unit = "messages", .help = "Queued for each producer; 0: 1000 records, 64 chunks"},
    {.key = NULL},
};

static const mr_option_t processor[] = {
    WORKERS,
    {.key = "parse", .type = MR_OPTION_CHOICE, .choices = "json|combined|common|raw",
     .fallback = "json", .help = "What a record is: JSON, a web server's log line, or any text"},
    {.key = "keep", .type = MR_OPTION_EXPR, .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED,
     .help = "Step: go on only with records for which the expression is true"},
    {.key = "drop", .type = MR_OPTION_EXPR, .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED,
     .help = "Step: filter out records for which the expression is true"},
    {.key = "set", .type = MR_OPTION_EXPR, .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED,
     .help = "Step: `PATH = VALUE` sets a field to a JSON value"},
    {.key = "rename", .type = MR_OPTION_EXPR, .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED,
     .help = "Step: `PATH -> PATH` renames a field"},
    {.key = "remove", .type = MR_OPTION_EXPR, .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED,
     .help = "Step: `PATH, ...` takes fields out"},
#ifdef MR_CRASH_POINTS
    {.key = "debug_crash", .type = MR_OPTION_EXPR,
     .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED | MR_OPTION_DEBUG,
     .help = "Step: abort the worker on a record for which the expression is true"},
    {.key = "debug_hang", .type = MR_OPTION_EXPR,
     .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED | MR_OPTION_DEBUG,
     .help = "Step: never return from a record for which the expression is true"},
#endif
    {.key = NULL},
};

static const mr_option_t workers_only[] = {
    WORKERS,
    {.key = NULL},
};

static const mr_option_t exporter[] = {
    WORKERS,
    {.key = "spool_limit", .type = MR_OPTION_SIZE, .min = MIB, .max = 1024 * 1024 * MIB,
     .fallback = "1GiB",
     .help = "What may wait in the spool for a sink; then its `on_full` says what happens"},
    {.key = "spool_segment", .type = MR_OPTION_SIZE, .min = 64 * KIB, .max = 256 * MIB,
     .fallback = "16MiB", .help = "Size of one file of the spool"},
    {.key = "retain_bytes", .type = MR_OPTION_SIZE, .min = 0, .max = 1024 * 1024 * MIB,
     .fallback = "0",
     .help = "Files that all sinks have had stay while the spool holds at most so much; 0: no "
             "limit by size"},
    {.key = "retain_for", .type = MR_OPTION_DURATION, .min = 0, .max = 366 * 24 * HOUR,
     .fallback = "0",
     .help = "They stay until they are so old; 0: no limit by age; both 0: they go at once"},
    {.key = NULL},
};

static const mr_option_t metric[] = {
    {.key = "type", .type = MR_OPTION_CHOICE, .choices = "counter|histogram",
     .flags = MR_OPTION_REQUIRED, .help = "Count records, or the distribution of a field"},
    {.key = "help", .type = MR_OPTION_STRING, .min = 0, .max = 1024,
     .help = "What the metric means, shown by Prometheus"},
    {.key = "by", .type = MR_OPTION_LIST,
     .help = "Fields that become labels: one series for each combination of their values"},
    {.key = "field", .type = MR_OPTION_STRING, .min = 1, .max = 255,
     .help = "Histogram: the field whose number is observed"},
    {.key = "buckets", .type = MR_OPTION_LIST,
     .fallback = "1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000",
     .help = "Histogram: upper bounds, rising; the last bucket has no bound"},
    {.key = "max_series", .type = MR_OPTION_INT, .min = 1, .max = 1000000,
     .fallback = "10000", .unit = "series", .help = "Further series are added up in `other`"},
    {.key = NULL},
};

static const mr_option_t sink[] = {
    {.key = "type", .type = MR_OPTION_CHOICE, .choices = "file|stdout",
     .flags = MR_OPTION_REQUIRED,
     .help = "Append lines to a file, or print them while in the foreground"},
    {.key = "path", .type = MR_OPTION_PATH,
     .help = "File: where to; exporter N above 0 writes `.N` before the extension"},
    {.key = "input", .type = MR_OPTION_CHOICE, .choices = "records|metrics|dead",
     .fallback = "records", .help = "What this sink is given"},
    {.key = "match", .type = MR_OPTION_EXPR,
     .help = "Take only rows for which the expression is true"},
    {.key = "envelope", .type = MR_OPTION_BOOL, .fallback = "no",
     .help = "Add `_id` and `_ingested` to each record"},
    {.key = "on_full", .type = MR_OPTION_CHOICE, .choices = "block|drop_oldest",
     .fallback = "block",
     .help = "At the spool limit: producers wait for this sink, or it loses the oldest rows"},
    {.key = "interval", .type = MR_OPTION_DURATION, .min = 100, .max = 24 * HOUR,
     .fallback = "10s", .help = "Metrics: how often the rows are written"},
    {.key = NULL},
};

static const mr_option_t monitor[] = {
    {.key = "http", .type = MR_OPTION_HOSTPORT, .min = 0, .max = 65535, .choices = "off",
     .fallback = "127.0.0.1:8090", .help = "Where the page, the API and /metrics are served"},
    {.key = "snapshot", .type = MR_OPTION_DURATION, .min = 100, .max = HOUR, .fallback = "5s",
     .help = "How often the totals are saved, so that a restart keeps them"},
    {.key = "log_interval", .type = MR_OPTION_DURATION, .min = 100, .max = 24 * HOUR,
     .fallback = "60s", .help = "How often a line of figures, `metrics: ...`, goes to the log"},
    {.key = NULL},
};

static const mr_option_t launcher[] = {
    {.key = "restart_limit", .type = MR_OPTION_INT, .min = 1, .max = 1000, .fallback = "5",
     .unit = "deaths", .help = "Give a worker up that dies this often before it has done any work"},
    {.key = "restart_window", .type = MR_OPTION_DURATION, .min = 1 * SECOND, .max = 24 * HOUR,
     .fallback = "30s", .help = "The time in which those deaths are counted"},
    {.key = "backoff_max", .type = MR_OPTION_DURATION, .min = 100, .max = HOUR,
     .fallback = "10s", .help = "The longest pause before a restart"},
    {.key = "hang_timeout", .type = MR_OPTION_DURATION, .min = 1 * SECOND, .max = 24 * HOUR,
     .fallback = "30s",
     .help = "A worker that makes no progress on a batch for so long is killed"},
    {.key = NULL},
};

static const mr_section_schema_t schema[] = {
    {"pipeline", false, pipeline, "Names, directories and the order of the stages"},
    {"ingest", false, ingest, "Where records come in"},
    {"processor", false, processor, "Parsing, and steps that run in the order of the file"},
    {"metrics", false, workers_only, "The stage that computes the [metric NAME] sections"},
    {"exporter", false, exporter, "The stage that writes the [sink NAME] sections"},
    {"metric", true, metric, "A metric over the records that are left after the steps"},
    {"sink", true, sink, "Where records, metrics or dead letters go"},
    {"monitor", false, monitor, "The watcher: page, API, Prometheus"},
    {"launcher", false, launcher, "How dead workers are restarted"},
    {.name = NULL},
};
// clang-format on

const mr_section_schema_t *
mr_schema (void)
{
    return schema;
}

const mr_option_t *
mr_schema_shared (void)
{
    return workers_only;
}
