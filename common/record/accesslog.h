/* accesslog: one line of a web server's access log, or any line, made into a JSON object. Pure.
 *
 *   common    %h %l %u [%t] "%r" %s %b
 *   combined  the same and "%{Referer}i" "%{User-agent}i"
 *   raw       any bytes: {"message":"the line"}
 *
 * The object of the first two: client, ident, auth, ts, method, path, protocol, status, bytes, and
 * for combined referrer, agent, in this order. status and bytes are numbers, ts is RFC 3339 in UTC
 * (the same instant, whatever zone the line is in), `-` is null. A request that is not three words
 * stands in one field, request, in place of method, path and protocol.
 * Escapes are undone: \" \\ \b \n \r \t \v \f \xHH (Apache writes all of these, nginx \xHH); what
 * looks like an escape but is none stays as it is. Bytes that are not UTF-8 after that become
 * U+FFFD, one for each, so that the object is always valid JSON; control characters are escaped.
 * White space at the end of a line is not looked at; anything else that is too little or too much
 * is an error. */
#ifndef MR_COMMON_RECORD_ACCESSLOG_H
#define MR_COMMON_RECORD_ACCESSLOG_H

#include "common/record/json.h"

typedef enum {
    MR_LINE_COMMON,
    MR_LINE_COMBINED,
    MR_LINE_RAW,
} mr_line_format_t;

enum { MR_LINE_MAX_FIELDS = 11 };

/* Room that the object of a line of `bytes` needs, the work on it included. */
#define MR_LINE_ROOM(bytes) ((size_t)(bytes)*7 + 512)

/* Read one line.
 *   line        borrowed, without its newline; at most 64 MiB
 *   room        MR_LINE_ROOM (bytes); holds the object afterwards, and the fields point into it
 *   ret_record  fields must point to MR_LINE_MAX_FIELDS of them, which are filled
 * False: error is MR_JSON_SYNTAX, error_offset and error_text say where in the line and what. */
bool mr_line_read (mr_line_format_t format, const char *line, size_t bytes, char *room,
                   mr_json_record_t *ret_record);

#endif
