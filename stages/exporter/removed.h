/* removed: sinks that the configuration had once. */
#ifndef MR_STAGES_EXPORTER_REMOVED_H
#define MR_STAGES_EXPORTER_REMOVED_H

#include "common/runtime/config.h"

/* Put the cursors in this directory that belong to no [sink NAME] of the configuration aside, as
 * NAME.removed: nothing waits for them any more, neither retention nor the audit. A sink that comes
 * back later is a new one. Says so in the log.
 *   keep  the name of one that is no section */
void mr_removed_sinks (const char *cursors_dir, const mr_config_t *config, const char *keep);

#endif
