/* summary: the pipeline in one line, and its audit at the end of `up`. */
#ifndef MR_LAUNCHER_SUMMARY_H
#define MR_LAUNCHER_SUMMARY_H

#include "launcher/cli.h"

#include <stddef.h>

/* "12,345 records/s, 512 in flight, held back by exporter | ingest 1, processor 1 of 2". */
void mr_summary_line (const mr_config_t *config, const mr_plan_t *plan, char *ret_line,
                      size_t capacity);

#endif
