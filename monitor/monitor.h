/* monitor: the program that watches. Binds the event bus, keeps the registry, serves it over HTTP,
 * writes snapshots and a log line now and then. It may be stopped, killed or restarted at any time
 * without touching the flow. One thread runs everything here; libzmq has its own. */
#ifndef MR_MONITOR_MONITOR_H
#define MR_MONITOR_MONITOR_H

/* The whole program. Returns the exit code: 0 stopped by a signal, 64 usage, 75 another monitor
 * runs or the port is taken, 78 bad configuration, 1 anything else. */
int mr_monitor_main (int argc, char **argv);

#endif
