/* faults: lines about a configuration from several programs, as one list: each once, in the order
 * of the file. Embedded (all zero to begin with, release). */
#ifndef MR_LAUNCHER_FAULTS_H
#define MR_LAUNCHER_FAULTS_H

#include <stddef.h>
#include <stdio.h>

typedef struct mr_faults {
    size_t count;
    size_t capacity;
    char **lines; /* owned */
} mr_faults_t;

void mr_faults_release (mr_faults_t *self);

/* Add a line, which is copied, unless it is there already. Without memory it is printed at once. */
void mr_faults_add (mr_faults_t *self, const char *line);

/* Add all lines that come from a descriptor until its end. */
void mr_faults_read (mr_faults_t *self, int fd);

/* Print the lines "PATH:N: ..." by N, behind those that are of the file as a whole, and in front of
 * those that do not begin with the path. */
void mr_faults_print (const mr_faults_t *self, const char *path, FILE *out);

#endif
