/* Each message that a wrong configuration can earn, but for the types (test_option) and the lines
 * that are no ini file (test_ini). */
#include "common/runtime/config.h"
#include "common/runtime/filesystem.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fault {
    const char *text;
    const char *message; /* after "/etc/x.ini:" */
} fault_t;

static void
rejects (const char *path, const char *text, const char *message)
{
    char expected[2048];
    snprintf (expected, sizeof expected, "%s:%s", path, message);
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_config_load_text (text, strlen (text), path, &config, &err);
    ck_assert_msg (status == MR_CONFIG, "accepted: %s", text);
    ck_assert_ptr_null (config);
    ck_assert_str_eq (err.text, expected);
}

static void
accepts (const char *text)
{
    mr_config_t *config = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_config_load_text (text, strlen (text), "/etc/x.ini", &config, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    mr_config_destroy (&config);
}

static void
reject_all (const fault_t *faults, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rejects ("/etc/x.ini", faults[i].text, faults[i].message);
    }
}

#define REJECT_ALL(faults) reject_all (faults, sizeof (faults) / sizeof (faults)[0])

START_TEST (test_sections_that_are_wrong)
{
    static const fault_t faults[] = {
        {"[ingets]\n", "1: [ingets]: unknown section; nearest: [ingest]"},
        {"[snik a]\n", "1: [snik a]: unknown section; nearest: [sink]"},
        {"[resize]\n",
         "1: [resize]: unknown section, and no stage of that name in [pipeline] chain"},
        {"[sink]\ntype = stdout\n", "1: [sink]: needs a name: [sink NAME]"},
        {"[ingest a]\n", "1: [ingest a]: takes no name; write [ingest]"},
        {"[ingest]\nhwm = 1\n[ingest]\nwindow = 1\n",
         "3: [ingest]: this section is already on line 1; put its keys there"},
        {"[sink a]\ntype = stdout\n[sink a]\ntype = stdout\n",
         "3: [sink a]: this section is already on line 1; put its keys there"},
        {"[sink A]\ntype = stdout\n",
         "1: [sink A]: not a name for a sink; at most 50 of a-z 0-9 _ - are allowed"},
        {"[sink a123456789b123456789c123456789d123456789e123456789f]\ntype = stdout\n",
         "1: [sink a123456789b123456789c123456789d123456789e123456789f]: not a name for a sink; "
         "at most 50 of a-z 0-9 _ - are allowed"},
        {"[metric 2xx]\ntype = counter\n",
         "1: [metric 2xx]: not a name for a metric; write letters, digits and _, and no digit "
         "first"},
        {"[metric a-b]\ntype = counter\n",
         "1: [metric a-b]: not a name for a metric; write letters, digits and _, and no digit "
         "first"},
    };
    REJECT_ALL (faults);
}
END_TEST

START_TEST (test_keys_that_are_wrong)
{
    static const fault_t faults[] = {
        {"[ingest]\nwindwo = 3\n", "2: [ingest] windwo: unknown key; nearest: window"},
        {"[exporter]\npath = x\n", "2: [exporter] path: unknown key; it belongs in [sink NAME]"},
        {"[exporter]\nhttp = off\n", "2: [exporter] http: unknown key; it belongs in [monitor]"},
        {"[exporter]\nquux = x\n", "2: [exporter] quux: unknown key"},
        {"[ingest]\nhwm = 1\n\nhwm = 2\n",
         "4: [ingest] hwm: is already set on line 2 and may stand only once"},
        {"[ingest]\nhwm =\n", "2: [ingest] hwm: no value; write one or leave the key out"},
        {"[ingest]\nhwm = 2 # two\n",
         "2: [ingest] hwm: \"2 # two\" is not a whole number (a comment behind a value begins with "
         "\" ;\")"},
        {"[processor]\nparse = jsn\n",
         "2: [processor] parse: unknown word \"jsn\"; nearest: json; one of: "
         "json|combined|common|raw"},
        {"[pipeline]\nname = \"\"\n", "2: [pipeline] name: 0 bytes long; 1 .. 64 are allowed"},
        {"[metric a]\nby = b\n",
         "1: [metric a] type: is missing: Count records, or the distribution of a field; one of: "
         "counter|histogram"},
        {"[monitor]\nhttp = on\n",
         "2: [monitor] http: \"on\" has no port; write HOST:PORT, or off"},
        {"[ingest]\ntcp = 127.0.0.1:0\n", "2: [ingest] tcp: 127.0.0.1:0 is not in 1 .. 65535"},
        {"[launcher]\nrestart_window = 100ms\n",
         "2: [launcher] restart_window: 100ms is not in 1s .. 1d"},
        {"[pipeline]\nchain = ingest, foo, exporter\n[foo]\nx = 1\nx = 2\n",
         "5: [foo] x: is already set on line 4 and may stand only once"},
    };
    REJECT_ALL (faults);
}
END_TEST

START_TEST (test_environment_that_is_wrong)
{
    static const fault_t faults[] = {
        {"[pipeline]\nname = ${MR_TEST_UNSET}\n",
         "2: [pipeline] name: the environment has no variable MR_TEST_UNSET"},
        {"[pipeline]\nname = a${\n",
         "2: [pipeline] name: \"${\" is not ${NAME}; write $${ for a plain ${"},
        {"[pipeline]\nname = ${a b}\n",
         "2: [pipeline] name: \"${a b}\" is not ${NAME}; write $${ for a plain ${"},
        {"[pipeline]\nname = ${1}\n",
         "2: [pipeline] name: \"${1}\" is not ${NAME}; write $${ for a plain ${"},
        {"[pipeline]\nname = ${MR_TEST_LINES}\n",
         "2: [pipeline] name: the environment variable MR_TEST_LINES holds a control character"},
        {"[processor]\nkeep = ${MR_TEST_LONG}${MR_TEST_LONG}\n",
         "2: [processor] keep: a value of more than 8192 bytes after ${NAME} is filled in"},
        {"[processor]\nkeep = ${MR_TEST_EMPTY}\n",
         "2: [processor] keep: no value; write one or leave the key out"},
        {"[processor]\nkeep = ${MR_TEST_BYTES}\n",
         "2: [processor] keep: the environment variable MR_TEST_BYTES is not UTF-8"},
    };
    char text[5000];
    memset (text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    unsetenv ("MR_TEST_UNSET");
    setenv ("MR_TEST_LINES", "a\nb", 1);
    setenv ("MR_TEST_LONG", text, 1);
    setenv ("MR_TEST_EMPTY", "", 1);
    setenv ("MR_TEST_BYTES", "\xff", 1);
    REJECT_ALL (faults);
}
END_TEST

START_TEST (test_chains_that_are_wrong)
{
    static const fault_t faults[] = {
        {"[pipeline]\nchain = ingest\n", "2: [pipeline] chain: a chain has at least two stages"},
        {"[pipeline]\nchain = ingest, a, a, exporter\n", "2: [pipeline] chain: a stands twice"},
        {"[pipeline]\nchain = ingest, A, exporter\n",
         "2: [pipeline] chain: \"A\" is not a stage; write a-z first, then a-z 0-9 _ -, at most 32 "
         "characters"},
        {"[pipeline]\nchain = ingest, a234567890b234567890c234567890d23, exporter\n",
         "2: [pipeline] chain: \"a234567890b234567890c234567890d23\" is not a stage; write a-z "
         "first, then a-z 0-9 _ -, at most 32 characters"},
        {"[pipeline]\nchain = ingest, monitor, exporter\n",
         "2: [pipeline] chain: monitor cannot be the name of a stage"},
        {"[pipeline]\nchain = processor, ingest\n",
         "2: [pipeline] chain: ingest must be the first stage"},
        {"[pipeline]\nchain = ingest, exporter, metrics\n",
         "2: [pipeline] chain: exporter must be the last stage"},
        {"[pipeline]\nchain = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\n",
         "2: [pipeline] chain: more than 16 stages"},
        {"[pipeline]\nchain = ingest,,exporter\n",
         "2: [pipeline] chain: an empty word in the list \"ingest,,exporter\""},
    };
    REJECT_ALL (faults);
}
END_TEST

START_TEST (test_addresses_that_are_wrong)
{
    static const fault_t faults[] = {
        {"[ingest]\npull = ipc://a\nrouter = ipc://./a\n",
         "3: [ingest] router: the same address as line 2, [ingest] pull; each can be bound once"},
        {"[ingest]\nrouter = tcp://127.0.0.1:5550\ntcp = 127.0.0.1:5550\n",
         "3: [ingest] tcp: the same address as line 2, [ingest] router; each can be bound once"},
        {"[ingest]\nrouter = tcp://*:5550\npull = tcp://127.0.0.1:5550\n",
         "3: [ingest] pull: the same address as line 2, [ingest] router; each can be bound once"},
        {"[ingest]\ntcp = 127.0.0.1:8090\n",
         "2: [ingest] tcp: the same address as the default of [monitor] http; each can be bound "
         "once"},
        {"[monitor]\nhttp = 0.0.0.0:99\n[ingest]\ntcp = 127.0.0.1:99\n",
         "2: [monitor] http: the same address as line 4, [ingest] tcp; each can be bound once"},
        {"[ingest]\nworkers = 2\npull = ipc://run/in\n",
         "3: [ingest] pull: with workers above 1 each needs an address of its own; write {slot} "
         "into it"},
        {"[ingest]\nworkers = 2\ntcp = 127.0.0.1:70\n",
         "3: [ingest] tcp: with workers above 1 each needs an address of its own; write {slot} "
         "into it"},
        {"[ingest]\npull = ipc://run/processor.0.ipc\n",
         "2: [ingest] pull: /etc/run/processor.0.ipc is a socket of the pipeline itself; choose "
         "another name"},
        {"[ingest]\npull = ipc://run/bus.in\n",
         "2: [ingest] pull: /etc/run/bus.in is a socket of the pipeline itself; choose another "
         "name"},
    };
    REJECT_ALL (faults);
    accepts ("[ingest]\nworkers = 2\npull = ipc://run/in.{slot}\ntcp = 127.0.0.1:517{slot}\n"
             "router = tcp://127.0.0.1:555{slot}\n[monitor]\nhttp = off\n");
}
END_TEST

START_TEST (test_socket_paths_that_are_too_long)
{
    char path[93];
    char text[512];
    char message[1024];
    memset (path, 'a', sizeof path);
    path[0] = '/';
    path[90] = '\0';
    snprintf (text, sizeof text, "[pipeline]\nrun_dir = %s\n", path);
    accepts (text);
    path[90] = 'a';
    path[92] = '\0';
    snprintf (text, sizeof text, "[pipeline]\nrun_dir = %s\n", path);
    snprintf (message, sizeof message,
              "2: [pipeline] run_dir: too long: sockets in %s would need 109 bytes, and "
              "107 is the limit; take at least 2 off",
              path);
    rejects ("/etc/x.ini", text, message);
    snprintf (text, sizeof text, "[ingest]\npull = ipc://%s/aaaaaaaaaaaa.{slot}\n", path);
    snprintf (message, sizeof message,
              "2: [ingest] pull: the path is too long for a socket: %s/aaaaaaaaaaaa.62 has 108 "
              "bytes, and 107 is the limit",
              path);
    rejects ("/etc/x.ini", text, message);
    snprintf (text, sizeof text, "[ingest]\npull = ipc://%s/aaaaaaaaaaa.{slot}\n", path);
    accepts (text);
}
END_TEST

START_TEST (test_metrics_that_are_wrong)
{
    static const fault_t faults[] = {
        {"[metric a]\ntype = histogram\n",
         "1: [metric a] field: is missing: a histogram needs the field that it observes"},
        {"[metric a]\ntype = counter\nbuckets = 1\n",
         "3: [metric a] buckets: is for type = histogram; a counter counts records"},
        {"[metric a]\ntype = counter\nfield = x\n",
         "3: [metric a] field: is for type = histogram; a counter counts records"},
        {"[metric a]\ntype = histogram\nfield = x\nbuckets = 1, 5, 5\n",
         "4: [metric a] buckets: 5 is not above the bound before it; write them rising"},
        {"[metric a]\ntype = histogram\nfield = x\nbuckets = 1, ten\n",
         "4: [metric a] buckets: \"ten\" is not a number; write bounds as 0.5, 10, 2.5e3"},
        {"[metric a]\ntype = histogram\nfield = x\nbuckets = 1, inf\n",
         "4: [metric a] buckets: \"inf\" is not a number; write bounds as 0.5, 10, 2.5e3"},
        {"[metric a]\ntype = counter\nby = b, c, b\n", "3: [metric a] by: b stands twice"},
        {"[metric a]\ntype = counter\nby = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r\n",
         "3: [metric a] by: more than 16 fields"},
    };
    REJECT_ALL (faults);
    accepts ("[metric _a1]\ntype = histogram\nfield = x\nbuckets = -1, 0.5, 1e3\n");
}
END_TEST

START_TEST (test_sinks_that_are_wrong)
{
    static const fault_t faults[] = {
        {"[sink a]\ntype = file\n", "1: [sink a] path: is missing: a file sink needs a path"},
        {"[sink a]\ntype = stdout\npath = x\n",
         "3: [sink a] path: is for type = file; leave it out, or change the type"},
        {"[sink a]\ntype = file\npath = x\n[sink b]\ntype = file\npath = ./x\n",
         "6: [sink b] path: [sink a] on line 3 writes the same file"},
        {"[sink a]\ntype = file\npath = x.jsonl\n[sink b]\ntype = file\npath = x.2.jsonl\n",
         "6: [sink b] path: [sink a] on line 3 would write the same file with several exporters: "
         "number N becomes part of the name"},
        {"[sink a]\ntype = file\npath = out.1\n[sink b]\ntype = file\npath = out\n",
         "6: [sink b] path: [sink a] on line 3 would write the same file with several exporters: "
         "number N becomes part of the name"},
        {"[sink a]\ntype = file\npath = out\n[sink b]\ntype = file\npath = out/b.jsonl\n",
         "6: [sink b] path: one of it and [sink a] on line 3 is a file, the other would be in a "
         "directory of that name"},
    };
    REJECT_ALL (faults);
    accepts ("[sink a]\ntype = file\npath = x.jsonl\n[sink b]\ntype = file\npath = y.2.jsonl\n");
}
END_TEST

START_TEST (test_a_sink_takes_no_file_that_is_the_pipelines_own)
{
    static const struct {
        const char *path;
        const char *why;
    } own[] = {
        {"x.ini", "this is the configuration file; choose another path"},
        {"./a/../x.ini", "this is the configuration file; choose another path"},
        {"data", "/etc/data is a directory, data_dir of the pipeline"},
        {"run", "/etc/run is a directory, run_dir of the pipeline"},
        {"data/log", "/etc/data/log is a directory, log_dir of the pipeline"},
        {"data/ingest.0.journal/1",
         "the pipeline itself keeps \"ingest.0.journal\" in its data_dir"},
        {"data/exporter.12.spool/x", "the pipeline itself keeps \"exporter.12.spool\" in its"},
        {"data/exporter.0.cursors/x", "the pipeline itself keeps \"exporter.0.cursors\" in its"},
        {"data/exporter.0.totals",
         "the pipeline itself keeps \"exporter.0.totals\" in its data_dir"},
        {"data/ingest.0.window", "the pipeline itself keeps \"ingest.0.window\" in its data_dir"},
        {"data/dead/out.jsonl", "the pipeline itself keeps \"dead\" in its data_dir"},
        {"data/monitor.snapshot.json",
         "the pipeline itself keeps \"monitor.snapshot.json\" in its"},
        {"run/ingest.0.lock", "the pipeline itself keeps \"ingest.0.lock\" in its run_dir"},
        {"run/bus.in", "the pipeline itself keeps \"bus.in\" in its run_dir"},
        {"data/log/exporter.0.log", "the pipeline itself keeps \"exporter.0.log\" in its log_dir"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        char text[256];
        char message[256];
        mr_config_t *config = NULL;
        mr_error_t err = {.text = ""};
        snprintf (text, sizeof text, "[sink a]\ntype = file\npath = %s\n", own[i].path);
        snprintf (message, sizeof message, "/etc/x.ini:3: [sink a] path: %s", own[i].why);
        ck_assert_int_eq (mr_config_load_text (text, strlen (text), "/etc/x.ini", &config, &err),
                          MR_CONFIG);
        ck_assert_msg (strncmp (err.text, message, strlen (message)) == 0, "%s", err.text);
    }
    accepts ("[sink a]\ntype = file\npath = data/out.jsonl\n[sink b]\ntype = file\n"
             "path = data/log/out.jsonl\n[sink c]\ntype = file\npath = run/out.jsonl\n");
}
END_TEST

START_TEST (test_links_do_not_hide_that_a_file_is_the_same)
{
    char text[1024];
    char path[600];
    char link_path[600];
    char expected[1024];
    const char *dir = mr_test_dir ();
    snprintf (path, sizeof path, "%s/x.ini", dir);
    snprintf (link_path, sizeof link_path, "%s/link", dir);
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (symlink ("x.ini", link_path), 0);
    rejects (path, "[sink a]\ntype = file\npath = link\n",
             "3: [sink a] path: this is the configuration file; choose another path");
    snprintf (link_path, sizeof link_path, "%s/here", dir);
    ck_assert_int_eq (symlink (".", link_path), 0);
    snprintf (text, sizeof text,
              "[sink a]\ntype = file\npath = out\n[sink b]\ntype = file\npath = %s/here/out\n",
              dir);
    snprintf (expected, sizeof expected,
              "6: [sink b] path: [sink a] on line 3 writes the same file");
    rejects (path, text, expected);
}
END_TEST

START_TEST (test_sinks_and_fields_of_metrics_have_a_limit)
{
    char text[16384] = "";
    size_t bytes = 0;
    for (int i = 0; i < 64; i++) {
        bytes +=
            (size_t)snprintf (text + bytes, sizeof text - bytes, "[sink s%d]\ntype = stdout\n", i);
    }
    rejects ("/etc/x.ini", text, "127: [sink s63]: more than 63 sinks");
    bytes = 0;
    for (int i = 0; i < 65; i++) {
        bytes += (size_t)snprintf (text + bytes, sizeof text - bytes,
                                   "[metric m%d]\ntype = counter\nby = f%d\n", i, i);
    }
    rejects ("/etc/x.ini", text, "193: [metric m64]: with it the metrics read more than 64 fields");
}
END_TEST

START_TEST (test_network_file_systems_are_known)
{
    ck_assert_str_eq (mr_filesystem_kind (0x6969), "NFS");
    ck_assert_str_eq (mr_filesystem_kind ((long)(int)0xff534d42), "SMB");
    ck_assert_str_eq (mr_filesystem_kind (0x01021997), "9P");
    ck_assert_str_eq (mr_filesystem_kind (0x65735546), "FUSE");
    ck_assert_ptr_null (mr_filesystem_kind (0xef53));
    ck_assert_ptr_null (mr_filesystem_kind (0x01021994));
    ck_assert_ptr_null (mr_filesystem_network ("/proc/self/nowhere/at/all"));
    ck_assert_ptr_null (mr_filesystem_network ("relative/nowhere"));
}
END_TEST

START_TEST (test_the_type_of_a_mount_is_found_by_its_device)
{
    static const char text[] =
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "40 22 0:45 / /mnt/a\\040b rw shared:1 master:2 - fuse.sshfs h:/ rw\n"
        "41 22 0:46 / /mnt/c rw - fuseblk /dev/sdb1 rw";
    char type[32];
    mr_filesystem_mount_type (text, 0, 45, type, sizeof type);
    ck_assert_str_eq (type, "fuse.sshfs");
    mr_filesystem_mount_type (text, 0, 46, type, sizeof type);
    ck_assert_str_eq (type, "fuseblk");
    mr_filesystem_mount_type (text, 0, 47, type, sizeof type);
    ck_assert_str_eq (type, "");
    mr_filesystem_mount_type ("", 0, 47, type, sizeof type);
    ck_assert_str_eq (type, "");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_sections_that_are_wrong,
        test_keys_that_are_wrong,
        test_environment_that_is_wrong,
        test_chains_that_are_wrong,
        test_addresses_that_are_wrong,
        test_socket_paths_that_are_too_long,
        test_metrics_that_are_wrong,
        test_sinks_that_are_wrong,
        test_a_sink_takes_no_file_that_is_the_pipelines_own,
        test_links_do_not_hide_that_a_file_is_the_same,
        test_sinks_and_fields_of_metrics_have_a_limit,
        test_network_file_systems_are_known,
        test_the_type_of_a_mount_is_found_by_its_device,
        NULL,
    };
    return mr_suite_run ("config_rules", tests);
}
