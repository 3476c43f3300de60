#include "common/runtime/fatal.h"

#include "common/wire/crumb.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

enum { STACK_BYTES = 64 << 10 };

static mr_worker_page_t *fatal_page;
static uint8_t fatal_stack[STACK_BYTES]; /* a stack of its own: the other may be what overflowed */

/* Only what is allowed in a handler. SA_RESETHAND: returning meets the signal again, and dies. */
static void
on_fatal (int number)
{
    static const char text[] = "fatal signal; the record at work is noted\n";
    atomic_store (&fatal_page->evidence, MR_EVIDENCE_CRASH);
    (void)!write (STDERR_FILENO, text, sizeof text - 1);
    raise (number);
}

mr_status_t
mr_fatal_watch (mr_worker_page_t *page)
{
    static const int numbers[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    fatal_page = page;
    stack_t stack = {.ss_sp = fatal_stack, .ss_size = sizeof fatal_stack};
    if (sigaltstack (&stack, NULL) != 0) {
        return MR_SYSTEM;
    }
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
    sigemptyset (&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (sigaction (numbers[i], &action, NULL) != 0) {
            return MR_SYSTEM;
        }
    }
    return MR_OK;
}
