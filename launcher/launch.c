#include "launcher/launch.h"

#include "common/base/clock.h"
#include "launcher/textfile.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { READY_MS = 15000, TEXT_BYTES = 900 };

enum { PATH_BYTES = PATH_MAX + 32 };

static void
stderr_path_of (const mr_launch_t *launch, char path[PATH_BYTES])
{
    snprintf (path, PATH_BYTES, "%s/launcher.stderr", launch->plan->log_dir);
}

static mr_status_t
spawn (mr_launch_t *launch, const char *stderr_path, mr_error_t *err)
{
    char program[PATH_MAX];
    if (mr_child_find ("millrace-launcher", program, err) != MR_OK) {
        return MR_SYSTEM;
    }
    char config[PATH_MAX];
    snprintf (config, sizeof config, "%s", launch->plan->config);
    char ready[8];
    snprintf (ready, sizeof ready, "%d", MR_CHILD_READY_FD);
    char c_option[] = "-c";
    char ready_option[] = "--ready-fd";
    char quiet[] = "--quiet";
    char foreground[] = "--foreground";
    char adopt_only[] = "--adopt-only";
    char *argv[10] = {program, c_option, config, ready_option, ready, quiet};
    int count = 6;
    if (launch->foreground) {
        argv[count++] = foreground;
    }
    if (launch->adopt_only) {
        argv[count++] = adopt_only;
    }
    mr_child_spec_t spec = {
        .argv = argv,
        .stderr_path = stderr_path,
        .inherit_stdout = launch->foreground,
    };
    return mr_child_spawn (&spec, &launch->child, err);
}

static mr_status_t
wait_ready (mr_child_t *child)
{
    int64_t end_ns = mr_clock_mono_ns () + READY_MS * MR_NS_PER_MS;
    mr_status_t status = MR_AGAIN;
    while (status == MR_AGAIN && mr_clock_mono_ns () < end_ns) {
        struct pollfd poller = {.fd = child->ready_fd, .events = POLLIN};
        if (poll (&poller, 1, 100) > 0) {
            status = mr_child_take_ready (child);
        }
    }
    return status;
}

mr_status_t
mr_launch (mr_launch_t *launch, mr_error_t *err)
{
    char stderr_path[PATH_BYTES];
    mr_status_t status = mr_plan_make_dirs (launch->plan, err);
    if (status != MR_OK) {
        return status;
    }
    stderr_path_of (launch, stderr_path);
    launch->said_at = mr_textfile_size (stderr_path);
    status = spawn (launch, stderr_path, err);
    if (status != MR_OK || (status = wait_ready (&launch->child)) == MR_OK) {
        return status;
    }
    if (status == MR_AGAIN) {
        mr_error_set (err, "the launcher, pid %d, is not ready after %d s", (int)launch->child.pid,
                      READY_MS / 1000);
        mr_child_release (&launch->child);
        return MR_SYSTEM;
    }
    mr_error_set (err, "%s", "no reason given");
    int code = mr_launch_ended (launch, READY_MS, err);
    mr_child_release (&launch->child);
    return code == MR_EXIT_CONFIG ? MR_CONFIG : code == MR_EXIT_TEMPORARY ? MR_AGAIN : MR_SYSTEM;
}

int
mr_launch_ended (mr_launch_t *launch, int wait_ms, mr_error_t *err)
{
    char path[PATH_BYTES];
    char line[TEXT_BYTES];
    int code = -1;
    int signal = 0;
    struct pollfd gone = {.fd = launch->child.pidfd, .events = POLLIN};
    (void)poll (&gone, 1, wait_ms);
    if (mr_child_reap (&launch->child, &code, &signal) != MR_OK) {
        return -1;
    }
    stderr_path_of (launch, path);
    if (mr_textfile_last_words (path, launch->said_at, line, sizeof line)) {
        mr_error_set (err, "%s", line);
    }
    return code;
}
