/* crashpoint: named places where a test makes a process die as if by kill -9.
 *
 * MR_CRASH_POINT ("seglog.append.written") does nothing unless the build has MR_CRASH_POINTS and
 * the point is armed; then the process raises SIGKILL there: no handler, no flush, no destructor.
 * Arming is text of the form NAME or NAME:NTH (the NTH time this process passes, from 1), from
 *   - the environment, MILLRACE_CRASH=NAME[:NTH]: every life of the process dies so;
 *   - a file named by MILLRACE_CRASH_FILE, looked at on every pass, so that a running process can
 *     be armed; it is removed before dying, so that one life dies and its successor lives. Several
 *     processes may look at one file: "NAME[:NTH] PID" means that one of them alone;
 *   - mr_crash_arm, for unit tests.
 * A name is `module.step.what`. Every point linked into a program is in its registry, so that a
 * test can try each. Thread safe, apart from mr_crash_arm. */
#ifndef MR_COMMON_BASE_CRASHPOINT_H
#define MR_COMMON_BASE_CRASHPOINT_H

#include <stdbool.h>
#include <stddef.h>

/* Arm by text as above; NULL disarms. Names nothing if no such point exists. */
void mr_crash_arm (const char *text);

/* Count this pass; whether the caller must die now. */
bool mr_crash_hit (const char *name);
void mr_crash_now (void) __attribute__ ((noreturn));

/* The names linked into this program, sorted, each once.
 *   names  room for `capacity` pointers to static text
 * Returns how many there are (which may exceed capacity); 0 in a build without crash points. */
size_t mr_crash_names (const char **names, size_t capacity);

/* Print them, one a line: `--crash-points` of a program, in builds that have them. */
void mr_crash_print (void);

#ifdef MR_CRASH_POINTS
/* Like the point itself, but lets the caller do its worst first (write half a frame) and then call
 * mr_crash_now. */
#define MR_CRASH_HIT(name)                                               \
    ({                                                                   \
        static const char *const mr_crash_name                           \
            __attribute__ ((section ("mr_crash_table"), used)) = (name); \
        mr_crash_hit (mr_crash_name);                                    \
    })
#define MR_CRASH_POINT(name)       \
    do {                           \
        if (MR_CRASH_HIT (name)) { \
            mr_crash_now ();       \
        }                          \
    } while (0)
#else
#define MR_CRASH_HIT(name) (false)
#define MR_CRASH_POINT(name) ((void)0)
#endif

#endif
