/* supervisor: the launcher itself. Starts the chain, keeps it running, does what it is asked over
 * its control socket, drains the chain on SIGTERM and SIGINT. One thread; libzmq has its own.
 *
 * It may be killed at any moment: workers live on, and the next launcher adopts them by their lock
 * files. `scale` is remembered for it in RUN/launcher.scale. */
#ifndef MR_LAUNCHER_SUPERVISOR_H
#define MR_LAUNCHER_SUPERVISOR_H

/* The whole of `millrace-launcher`. Returns the exit code. */
int mr_launcher_main (int argc, char **argv);

#endif
