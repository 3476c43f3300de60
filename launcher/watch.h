/* watch: the foreground part of `up`: a live line on a terminal, what the launcher reports above
 * it, and on Ctrl-C (or SIGTERM, SIGHUP) the drain and the audit. */
#ifndef MR_LAUNCHER_WATCH_H
#define MR_LAUNCHER_WATCH_H

#include "launcher/child.h"
#include "launcher/cli.h"

/* Note SIGINT, SIGTERM and SIGHUP instead of dying of them. After the first of them only a SIGINT
 * counts: a terminal that closes says SIGHUP more than once, a system that goes down SIGTERM. */
void mr_watch_signals (void);
bool mr_watch_interrupted (void);
int mr_watch_signal_count (void); /* so many count */

/* Until the launcher is gone or a signal has taken the chain down. Returns the exit code. */
int mr_watch (mr_cli_t *cli, const mr_config_t *config, const mr_plan_t *plan,
              mr_child_t *launcher);

#endif
