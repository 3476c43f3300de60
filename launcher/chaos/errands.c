#include "launcher/chaos/errands.h"

#include "launcher/textfile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGV_MAX = MR_ERRAND_WORDS + 4, WORDS_BYTES = 900 };

mr_status_t
mr_errands_init (mr_errands_t *self, const char *config, const char *folder, mr_error_t *err)
{
    memset (self, 0, sizeof *self);
    for (int i = 0; i < MR_ERRANDS_MAX; i++) {
        self->places[i].child = (mr_child_t){.pidfd = -1, .ready_fd = -1};
    }
    snprintf (self->config, sizeof self->config, "%s", config);
    int bytes = snprintf (self->stderr_path, sizeof self->stderr_path, "%s/errands.stderr", folder);
    if (bytes < 0 || (size_t)bytes >= sizeof self->stderr_path) {
        errno = ENAMETOOLONG;
        return mr_error_errno (err, "%s", folder);
    }
    return mr_child_find ("millrace", self->program, err);
}

static mr_status_t
spawn (mr_errands_t *self, mr_errand_t *place, const mr_errand_words_t *words, mr_error_t *err)
{
    char c_option[] = "-c";
    char *argv[ARGV_MAX] = {self->program};
    mr_errand_words_t copy = *words;
    int count = 1;
    for (int i = 0; i < MR_ERRAND_WORDS && copy.words[i][0] != '\0'; i++) {
        argv[count++] = copy.words[i];
    }
    argv[count++] = c_option;
    argv[count] = self->config;
    self->said_at = mr_textfile_size (self->stderr_path);
    mr_child_spec_t spec = {.argv = argv, .stderr_path = self->stderr_path};
    return mr_child_spawn (&spec, &place->child, err);
}

mr_status_t
mr_errands_start (mr_errands_t *self, const mr_errand_words_t *words, const mr_errand_words_t *then,
                  mr_error_t *err)
{
    for (int i = 0; i < MR_ERRANDS_MAX; i++) {
        mr_errand_t *place = &self->places[i];
        if (place->child.pidfd < 0) {
            place->then = then != NULL ? *then : (mr_errand_words_t){0};
            return spawn (self, place, words, err);
        }
    }
    return MR_AGAIN;
}

/* One that has ended. */
static void
finish (mr_errands_t *self, mr_errand_t *place)
{
    int code;
    int signal;
    if (mr_child_reap (&place->child, &code, &signal) != MR_OK) {
        return;
    }
    mr_errand_words_t then = place->then;
    self->code = code;
    mr_child_release (&place->child);
    place->then = (mr_errand_words_t){0};
    if (then.words[0][0] != '\0') {
        (void)!spawn (self, place, &then, NULL);
    }
}

static mr_errand_t *
place_of (mr_errands_t *self, pid_t pid)
{
    for (int i = 0; i < MR_ERRANDS_MAX; i++) {
        if (self->places[i].child.pidfd >= 0 && self->places[i].child.pid == pid) {
            return &self->places[i];
        }
    }
    return NULL;
}

int
mr_errands_look (mr_errands_t *self)
{
    siginfo_t info = {0};
    while (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        mr_errand_t *place = place_of (self, info.si_pid);
        if (place != NULL) {
            finish (self, place);
        } else {
            (void)waitpid (info.si_pid, NULL, WNOHANG);
        }
        info.si_pid = 0;
    }
    int under_way = 0;
    for (int i = 0; i < MR_ERRANDS_MAX; i++) {
        under_way += self->places[i].child.pidfd >= 0;
    }
    return under_way;
}

void
mr_errands_last_words (const mr_errands_t *self, mr_error_t *err)
{
    char line[WORDS_BYTES];
    if (mr_textfile_last_words (self->stderr_path, self->said_at, line, sizeof line)) {
        mr_error_set (err, "%s", line);
    } else {
        mr_error_set (err, "it ended with %d and said nothing", self->code);
    }
}

void
mr_errands_release (mr_errands_t *self)
{
    for (int i = 0; i < MR_ERRANDS_MAX; i++) {
        mr_child_t *child = &self->places[i].child;
        if (child->pidfd >= 0) {
            (void)!mr_child_signal (child, "", "", SIGKILL, NULL);
            (void)waitpid (child->pid, NULL, 0);
            mr_child_release (child);
        }
    }
}

bool
mr_errands_childless (void)
{
    siginfo_t info = {0};
    return waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}
