#include "launcher/child.h"

#include "common/base/file_ops.h"
#include "common/runtime/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
close_if (int *fd_p)
{
    if (*fd_p >= 0) {
        close (*fd_p);
        *fd_p = -1;
    }
}

/* Between fork and exec: async-signal-safe calls only, as libzmq's threads did not come along. */
static void
become (const mr_child_spec_t *spec, int stderr_fd, int ready_fd, int failed_fd)
{
    sigset_t none;
    sigemptyset (&none);
    signal (SIGPIPE, SIG_DFL);
    signal (SIGINT, SIG_DFL);
    signal (SIGTERM, SIG_DFL);
    signal (SIGHUP, SIG_DFL);
    sigprocmask (SIG_SETMASK, &none, NULL);
    setsid ();
    int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || dup2 (null_fd, STDIN_FILENO) < 0 ||
        (!spec->inherit_stdout && dup2 (null_fd, STDOUT_FILENO) < 0) ||
        dup2 (stderr_fd, STDERR_FILENO) < 0) {
        goto fail;
    }
    /* failed_fd may be the very descriptor that readiness gets: move it out of the way first. */
    int moved = fcntl (failed_fd, F_DUPFD_CLOEXEC, MR_CHILD_READY_FD + 1);
    if (moved < 0) {
        goto fail;
    }
    failed_fd = moved;
    if (ready_fd == MR_CHILD_READY_FD) {
        if (fcntl (ready_fd, F_SETFD, 0) < 0) {
            goto fail;
        }
    } else if (dup2 (ready_fd, MR_CHILD_READY_FD) < 0) {
        goto fail;
    }
    close_range (MR_CHILD_READY_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    execv (spec->argv[0], spec->argv);
fail:;
    int reason = errno;
    (void)!write (failed_fd, &reason, sizeof reason);
    _exit (127);
}

/* The file keeps what a worker says before its log is open and when it crashes. */
static int
open_stderr (const char *path)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    struct stat status;
    if (fd < 0 && mr_file_may_pass (errno)) {
        return open ("/dev/null", O_WRONLY | O_CLOEXEC); /* it shall run all the same */
    }
    if (fd >= 0 && fstat (fd, &status) == 0 && status.st_size > MR_CHILD_STDERR_MAX_BYTES) {
        (void)!ftruncate (fd, 0);
    }
    return fd;
}

/* After the fork: 0 when exec succeeded (its end of the pipe closed), else the reason. */
static int
exec_result (int fd)
{
    int reason = 0;
    ssize_t bytes;
    do {
        bytes = read (fd, &reason, sizeof reason);
    } while (bytes < 0 && errno == EINTR);
    return bytes == (ssize_t)sizeof reason ? reason : 0;
}

mr_status_t
mr_child_spawn (const mr_child_spec_t *spec, mr_child_t *ret_child, mr_error_t *err)
{
    mr_status_t status = MR_SYSTEM;
    mr_child_t child = {.pidfd = -1, .ready_fd = -1, .ours = true};
    int ready[2] = {-1, -1};
    int failed[2] = {-1, -1};
    int stderr_fd = open_stderr (spec->stderr_path);
    if (stderr_fd < 0) {
        return mr_error_errno (err, "cannot open %s", spec->stderr_path);
    }
    if (pipe2 (ready, O_CLOEXEC) != 0 || pipe2 (failed, O_CLOEXEC) != 0) {
        (void)mr_error_errno (err, "pipe");
        goto done;
    }
    child.pid = fork ();
    if (child.pid < 0) {
        (void)mr_error_errno (err, "cannot start %s: fork", spec->argv[0]);
        goto done;
    }
    if (child.pid == 0) {
        become (spec, stderr_fd, ready[1], failed[1]);
    }
    close_if (&failed[1]);
    int reason = exec_result (failed[0]);
    if (reason == 0) {
        child.pidfd = pidfd_open (child.pid, 0);
        reason = child.pidfd < 0 ? errno : 0;
    }
    if (reason != 0) {
        errno = reason;
        (void)mr_error_errno (err, "cannot start %s", spec->argv[0]);
        kill (child.pid, SIGKILL); /* unreaped, so the pid is still its own */
        waitpid (child.pid, NULL, 0);
        goto done;
    }
    child.ready_fd = ready[0];
    ready[0] = -1;
    (void)fcntl (child.ready_fd, F_SETFL, O_NONBLOCK);
    *ret_child = child;
    status = MR_OK;
done:
    close_if (&ready[0]);
    close_if (&ready[1]);
    close_if (&failed[0]);
    close_if (&failed[1]);
    close (stderr_fd);
    return status;
}

mr_status_t
mr_child_adopt (const char *run_dir, const char *name, mr_child_t *ret_child, mr_error_t *err)
{
    mr_worker_info_t before;
    mr_status_t status = mr_worker_read (run_dir, name, &before, err);
    if (status != MR_OK) {
        return status;
    }
    if (!before.alive) {
        return MR_CLOSED;
    }
    mr_child_t child = {.pid = before.pid, .ready_fd = -1, .incarnation = before.incarnation};
    child.pidfd = pidfd_open (before.pid, 0);
    if (child.pidfd < 0) {
        return errno == ESRCH ? MR_CLOSED
                              : mr_error_errno (err, "cannot watch pid %d", (int)before.pid);
    }
    mr_worker_info_t after;
    if (mr_worker_read (run_dir, name, &after, NULL) != MR_OK || !after.alive ||
        after.pid != before.pid || after.incarnation != before.incarnation) {
        mr_child_release (&child);
        return MR_CLOSED;
    }
    *ret_child = child;
    return MR_OK;
}

mr_status_t
mr_child_signal (const mr_child_t *self, const char *run_dir, const char *name, int signal,
                 mr_error_t *err)
{
    if (self->pidfd < 0) {
        return MR_CLOSED;
    }
    if (!self->ours) {
        mr_worker_info_t info;
        if (mr_worker_read (run_dir, name, &info, NULL) != MR_OK || !info.alive ||
            info.pid != self->pid || info.incarnation != self->incarnation) {
            return MR_CLOSED;
        }
    }
    if (pidfd_send_signal (self->pidfd, signal, NULL, 0) != 0) {
        return errno == ESRCH
                   ? MR_CLOSED
                   : mr_error_errno (err, "cannot signal %s, pid %d", name, (int)self->pid);
    }
    return MR_OK;
}

mr_status_t
mr_child_take_ready (mr_child_t *self)
{
    char bytes[MR_CHILD_WAITS_BYTES];
    ssize_t count = read (self->ready_fd, bytes, sizeof bytes);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return MR_AGAIN;
    }
    if (count > 0 && memchr (bytes, '\n', (size_t)count) == NULL) {
        snprintf (self->waits, sizeof self->waits, "%.*s", (int)count, bytes);
        return MR_AGAIN;
    }
    close_if (&self->ready_fd);
    return count > 0 ? MR_OK : MR_CLOSED;
}

mr_status_t
mr_child_reap (const mr_child_t *self, int *ret_code, int *ret_signal)
{
    if (!self->ours) {
        struct pollfd poller = {.fd = self->pidfd, .events = POLLIN};
        if (poll (&poller, 1, 0) <= 0) {
            return MR_AGAIN;
        }
        *ret_code = -1;
        *ret_signal = 0;
        return MR_OK;
    }
    siginfo_t info = {0};
    if (waitid (P_PIDFD, (id_t)self->pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
        return MR_AGAIN;
    }
    bool exited = info.si_code == CLD_EXITED;
    *ret_code = exited ? info.si_status : -1;
    *ret_signal = exited ? 0 : info.si_status;
    return MR_OK;
}

void
mr_child_release (mr_child_t *self)
{
    close_if (&self->pidfd);
    close_if (&self->ready_fd);
    *self = (mr_child_t){.pidfd = -1, .ready_fd = -1};
}

static bool
executable (const char *path)
{
    struct stat status;
    return stat (path, &status) == 0 && S_ISREG (status.st_mode) && access (path, X_OK) == 0;
}

mr_status_t
mr_child_find (const char *program, char *ret_path, mr_error_t *err)
{
    char path[PATH_MAX];
    char self[PATH_MAX];
    ssize_t bytes = readlink ("/proc/self/exe", self, sizeof self - 1);
    char *slash = bytes > 0 ? memrchr (self, '/', (size_t)bytes) : NULL;
    if (slash != NULL) {
        int length = snprintf (path, sizeof path, "%.*s/%s", (int)(slash - self), self, program);
        if (length > 0 && (size_t)length < sizeof path && executable (path)) {
            memcpy (ret_path, path, (size_t)length + 1);
            return MR_OK;
        }
    }
    const char *rest = getenv ("PATH");
    while (rest != NULL && *rest != '\0') {
        size_t span = strcspn (rest, ":");
        int length = snprintf (path, sizeof path, "%.*s/%s", (int)span, rest, program);
        if (span > 0 && length > 0 && (size_t)length < sizeof path && executable (path)) {
            memcpy (ret_path, path, (size_t)length + 1);
            return MR_OK;
        }
        rest += span + (rest[span] == ':');
    }
    mr_error_set (err, "%s is neither beside the running program nor in PATH", program);
    return MR_CLOSED;
}
