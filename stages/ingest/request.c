#include "stages/ingest/request.h"

/* Line ends belong to transports, not to records. */
static mr_frame_t
without_line_end (mr_frame_t record)
{
    const char *text = record.data;
    if (record.bytes > 0 && text[record.bytes - 1] == '\n') {
        record.bytes--;
    }
    if (record.bytes > 0 && text[record.bytes - 1] == '\r') {
        record.bytes--;
    }
    return record;
}

bool
mr_request_next (const mr_request_t *self, size_t *position, mr_frame_t *ret_record)
{
    for (size_t i = self->first + *position; i < self->count; i++) {
        if (!mr_producer_blank (self->frames[i].data, self->frames[i].bytes)) {
            *position = i + 1 - self->first;
            *ret_record = without_line_end (self->frames[i]);
            return true;
        }
    }
    return false;
}

/* false: who asks cannot be told anything. */
static bool
read_address (mr_request_t *self)
{
    if (self->count == 0 || self->frames[0].bytes > MR_REQUEST_ROUTING_MAX_BYTES) {
        return false;
    }
    self->routing = self->frames[0];
    self->delimiter = self->count >= 2 && self->frames[1].bytes == 0;
    size_t at = self->delimiter ? 2 : 1;
    if (at < self->count) {
        self->id = self->frames[at];
        if (self->id.bytes > MR_PRODUCER_ID_MAX_BYTES) {
            self->id.bytes = MR_PRODUCER_ID_MAX_BYTES;
        }
    }
    self->first = at + 1;
    return true;
}

static mr_status_t
survey (mr_request_t *self, size_t max_record, mr_error_t *err)
{
    for (size_t i = self->first; i < self->count; i++) {
        mr_frame_t record = self->frames[i];
        if (mr_producer_blank (record.data, record.bytes)) {
            continue;
        }
        self->records++;
        self->bytes += record.bytes;
        if (record.bytes > max_record) {
            mr_error_set (err, "record %u of the request has %zu bytes, more than max_record = %zu",
                          self->records, record.bytes, max_record);
            return MR_INVALID;
        }
    }
    if (self->bytes > MR_REQUEST_MAX_BYTES) {
        mr_error_set (err, "the request has %zu bytes of records; at most %d fit", self->bytes,
                      (int)MR_REQUEST_MAX_BYTES);
        return MR_INVALID;
    }
    return MR_OK;
}

mr_status_t
mr_request_read (const mr_frame_t *frames, size_t count, size_t max_record,
                 mr_request_t *ret_request, mr_error_t *err)
{
    mr_request_t request = {.frames = frames, .count = count};
    if (!read_address (&request)) {
        return MR_CLOSED;
    }
    *ret_request = request;
    if (request.first > count) {
        mr_error_set (err, "a request is an id frame and one frame for each record");
        return MR_INVALID;
    }
    if (count - request.first > MR_BATCH_MAX_RECORDS) {
        mr_error_set (err, "a request holds at most %d records", MR_BATCH_MAX_RECORDS);
        return MR_INVALID;
    }
    mr_status_t status = mr_producer_id_parse (frames[request.first - 1], &request.producer, err);
    if (status == MR_OK) {
        status = survey (&request, max_record, err);
    }
    if (status == MR_OK) {
        *ret_request = request;
    }
    return status;
}
