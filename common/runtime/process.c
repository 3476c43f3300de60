#include "common/runtime/process.h"

#include "common/base/file_ops.h"
#include "common/base/log.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536 };

void
mr_process_descriptors (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        (void)setrlimit (RLIMIT_NOFILE, &limit);
    }
}

mr_status_t
mr_process_signals (int *ret_fd, mr_error_t *err)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    sigaddset (&set, SIGUSR1);
    sigprocmask (SIG_BLOCK, &set, NULL);
    signal (SIGPIPE, SIG_IGN);
    signal (SIGXFSZ, SIG_IGN); /* a file at its limit is a full disk, not a reason to die */
    int fd = signalfd (-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return mr_error_errno (err, "signalfd");
    }
    *ret_fd = fd;
    return MR_OK;
}

mr_status_t
mr_process_log (const mr_config_t *config, const char *who, bool quiet, mr_error_t *err)
{
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    mr_log_level_t level = MR_LOG_INFO;
    (void)!mr_log_level_parse (mr_config_text (pipeline, "log_level"), &level);
    mr_log_init (who, level);
    mr_log_stderr (!quiet);
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s.log", mr_config_text (pipeline, "log_dir"), who);
    return mr_log_open (path, err);
}

int
mr_process_failed (mr_status_t status, const mr_error_t *err, int ready_fd)
{
    if (mr_file_may_pass (err->number)) {
        if (ready_fd >= 0) {
            (void)!write (ready_fd, err->text, strlen (err->text));
        }
        return MR_EXIT_TEMPORARY;
    }
    return status == MR_CONFIG  ? MR_EXIT_CONFIG
           : status == MR_AGAIN ? MR_EXIT_TEMPORARY
                                : MR_EXIT_FAILED;
}
