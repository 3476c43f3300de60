#include "common/base/endpoint.h"

#include "common/base/slots.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char slot_mark[] = "{slot}";

static int
port_parse (const char *text)
{
    int port = 0;
    size_t digits = 0;
    for (; digits < 6 && isdigit ((unsigned char)text[digits]); digits++) {
        port = port * 10 + (text[digits] - '0');
    }
    return digits == 0 || text[digits] != '\0' || port > 65535 ? -1 : port;
}

static bool
host_is_plain (const char *host, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)host[i];
        if (!isalnum (c) && strchr ("-._*", c) == NULL) {
            return false;
        }
    }
    return bytes > 0;
}

static bool
host_is_v6 (const char *host, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)host[i];
        if (!isxdigit (c) && c != ':' && c != '.' && c != '%') {
            return false;
        }
    }
    return bytes > 0;
}

mr_status_t
mr_hostport_parse (const char *text, mr_hostport_t *ret_value, mr_error_t *err)
{
    const char *colon = strrchr (text, ':');
    if (colon == NULL) {
        mr_error_set (err, "\"%s\" has no port; write HOST:PORT", text);
        return MR_CONFIG;
    }
    const char *host = text;
    size_t bytes = (size_t)(colon - text);
    bool valid;
    if (bytes >= 2 && host[0] == '[' && host[bytes - 1] == ']') {
        host++;
        bytes -= 2;
        valid = host_is_v6 (host, bytes);
    } else {
        valid = host_is_plain (host, bytes);
    }
    if (!valid || bytes >= sizeof ret_value->host) {
        mr_error_set (err, "\"%.*s\" is not a host; write HOST:PORT or [V6]:PORT",
                      (int)(colon - text), text);
        return MR_CONFIG;
    }
    int port = port_parse (colon + 1);
    if (port < 0) {
        mr_error_set (err, "\"%s\" is not a port (0 .. 65535)", colon + 1);
        return MR_CONFIG;
    }
    memcpy (ret_value->host, host, bytes);
    ret_value->host[bytes] = '\0';
    ret_value->port = port;
    return MR_OK;
}

bool
mr_endpoint_has_slot (const char *text)
{
    return strstr (text, slot_mark) != NULL;
}

mr_status_t
mr_endpoint_for_slot (const char *text, int slot, char *ret_text, size_t bytes, mr_error_t *err)
{
    char number[16];
    int digits = snprintf (number, sizeof number, "%d", slot);
    size_t used = 0;
    for (const char *at = text; *at != '\0';) {
        bool mark = strncmp (at, slot_mark, sizeof slot_mark - 1) == 0;
        const char *piece = mark ? number : at;
        size_t length = mark ? (size_t)digits : 1;
        if (length >= bytes - used) {
            ret_text[0] = '\0';
            mr_error_set (err, "\"%.60s...\" is too long for an endpoint (limit %zu bytes)", text,
                          bytes - 1);
            return MR_CONFIG;
        }
        memcpy (ret_text + used, piece, length);
        used += length;
        at += mark ? sizeof slot_mark - 1 : 1;
    }
    ret_text[used] = '\0';
    return MR_OK;
}

static mr_status_t
ipc_check (const char *path, mr_error_t *err)
{
    if (*path == '\0') {
        mr_error_set (err, "no path after ipc://");
        return MR_CONFIG;
    }
    if (*path == '@' || *path == '*') {
        mr_error_set (err, "\"ipc://%s\" is not a path in the file system; write ipc://PATH", path);
        return MR_CONFIG;
    }
    if (path[strlen (path) - 1] == '/') {
        mr_error_set (err, "\"ipc://%s\" ends in a slash; write the name of the socket file", path);
        return MR_CONFIG;
    }
    return MR_OK;
}

mr_status_t
mr_endpoint_check (const char *text, mr_error_t *err)
{
    char plain[MR_ENDPOINT_BYTES] = "";
    mr_status_t status = mr_endpoint_for_slot (text, MR_SLOTS_MAX - 1, plain, sizeof plain, err);
    if (status != MR_OK) {
        return status;
    }
    if (strncmp (plain, "ipc://", 6) == 0) {
        return ipc_check (plain + 6, err);
    }
    if (strncmp (plain, "tcp://", 6) == 0) {
        mr_hostport_t parts;
        return mr_hostport_parse (plain + 6, &parts, err);
    }
    mr_error_set (err, "\"%s\" is not an endpoint; write ipc://PATH or tcp://HOST:PORT", text);
    return MR_CONFIG;
}
