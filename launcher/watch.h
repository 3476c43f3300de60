/* watch: the foreground part of `up`: a live line on a terminal, what the launcher reports above
 * it, and on Ctrl-C (or SIGTERM) the drain and the audit. */
#ifndef MR_LAUNCHER_WATCH_H
#define MR_LAUNCHER_WATCH_H

#include "launcher/child.h"
#include "launcher/cli.h"

/* Note SIGINT, SIGTERM and SIGHUP instead of dying of them. */
void mr_watch_signals (void);
bool mr_watch_interrupted (void);
int mr_watch_signal_count (void); /* so many came */

/* Until the launcher is gone or a signal has taken the chain down. Returns the exit code. */
int mr_watch (mr_cli_t *cli, const mr_config_t *config, const mr_plan_t *plan,
              mr_child_t *launcher);

#endif
