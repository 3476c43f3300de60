#include "common/wire/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int
value_of (char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr (alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

mr_status_t
mr_base64_decode (const char *text, size_t bytes, mr_buffer_t *out)
{
    size_t padding = bytes > 0 && text[bytes - 1] == '=' ? 1 : 0;
    padding += bytes > 1 && padding == 1 && text[bytes - 2] == '=' ? 1 : 0;
    if (bytes % 4 != 0) {
        return MR_INVALID;
    }
    mr_status_t status = mr_buffer_reserve (out, bytes / 4 * 3);
    if (status != MR_OK) {
        return status;
    }
    size_t before = out->size;
    for (size_t i = 0; i < bytes; i += 4) {
        uint32_t word = 0;
        size_t kept = i + 4 == bytes ? 3 - padding : 3;
        for (size_t j = 0; j < 4; j++) {
            bool pad = i + 4 == bytes && j >= 4 - padding;
            int value = pad ? 0 : value_of (text[i + j]);
            if (value < 0) {
                out->size = before;
                return MR_INVALID;
            }
            word = word << 6 | (uint32_t)value;
        }
        for (size_t j = 0; j < kept; j++) {
            out->data[out->size++] = (char)(word >> (16 - 8 * j));
        }
    }
    return MR_OK;
}
