#include "common/base/seglog_reader.h"

mr_status_t
mr_seglog_each (const mr_seglog_reader_options_t *options, mr_seglog_frame_fn *fn, void *arg,
                mr_error_t *err)
{
    mr_seglog_reader_t *reader = NULL;
    mr_status_t status = mr_seglog_reader_new (options, &reader, err);
    if (status != MR_OK) {
        return status == MR_AGAIN ? MR_OK : status;
    }
    mr_seglog_frame_t frame;
    unsigned count;
    mr_status_t told = MR_OK;
    while (told == MR_OK &&
           (status = mr_seglog_reader_next (reader, &frame, 1, &count, err)) == MR_OK) {
        told = fn (arg, &frame);
    }
    mr_seglog_reader_destroy (&reader);
    if (told != MR_OK) {
        return told;
    }
    return status == MR_AGAIN ? MR_OK : status;
}
