/* textfile: small questions to log files. Thread safe. */
#ifndef MR_LAUNCHER_TEXTFILE_H
#define MR_LAUNCHER_TEXTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Size in bytes; 0 when there is no such file. */
int64_t mr_textfile_size (const char *path);

/* What a program said last, at or after `from` (a file shorter than that was replaced: the whole of
 * it counts): its last line that is an error in the format of base/log.h, without time, level and
 * name; else its last line that is not of that format, nor blank. Cut to fit.
 * Returns whether there is one; ret_line is untouched otherwise. */
bool mr_textfile_last_words (const char *path, int64_t from, char *ret_line, size_t capacity);

#endif
