#include "launcher/logdirs.h"

#include "common/base/slots.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"

#include <unistd.h>

void
mr_logdirs_each (const char *data_dir, mr_logdirs_fn *fn, void *arg)
{
    void (*const paths[]) (const char *, int, char *) = {mr_journal_path, mr_spool_path};
    for (int kind = 0; kind < 2; kind++) {
        for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
            char dir[PATH_MAX];
            paths[kind](data_dir, slot, dir);
            if (access (dir, F_OK) == 0 && !fn (arg, dir)) {
                return;
            }
        }
    }
}
