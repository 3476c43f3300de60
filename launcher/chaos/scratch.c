#include "launcher/chaos/scratch.h"

#include "common/base/dirs.h"
#include "launcher/chaos/smalldisk.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OPEN = 16 };

/* Windows and segments are small, so that the small file system is enough for them. Killing is what
 * we are here for: nobody is given up for dying often. */
static const char configuration[] = "; made by `millrace chaos`\n"
                                    "[pipeline]\n"
                                    "name = chaos\n"
                                    "log_dir = log\n"
                                    "start_timeout = 60s\n"
                                    "\n"
                                    "[ingest]\n"
                                    "workers = 2\n"
                                    "router = ipc://run/in{slot}\n"
                                    "window = 256\n"
                                    "batch_bytes = 56KiB\n"
                                    "segment_bytes = 4MiB\n"
                                    "\n"
                                    "[processor]\n"
                                    "workers = 2\n"
                                    "parse = json\n"
                                    "\n"
                                    "[metrics]\n"
                                    "workers = 2\n"
                                    "\n"
                                    "[exporter]\n"
                                    "workers = 2\n"
                                    "\n"
                                    "[metric records]\n"
                                    "type = counter\n"
                                    "by = p\n"
                                    "\n"
                                    "[sink out]\n"
                                    "type = file\n"
                                    "path = out.jsonl\n"
                                    "\n"
                                    "[sink rows]\n"
                                    "type = file\n"
                                    "path = rows.jsonl\n"
                                    "input = metrics\n"
                                    "interval = 1s\n"
                                    "\n"
                                    "[monitor]\n"
                                    "http = off\n"
                                    "\n"
                                    "[launcher]\n"
                                    "restart_limit = 1000\n"
                                    "restart_window = 1s\n"
                                    "backoff_max = 200ms\n";

static mr_status_t
write_config (const mr_scratch_t *self, mr_error_t *err)
{
    FILE *out = fopen (self->config, "we");
    bool written = out != NULL && fputs (configuration, out) >= 0;
    if ((out != NULL && fclose (out) != 0) || !written) {
        return mr_error_errno (err, "cannot write %s", self->config);
    }
    return MR_OK;
}

/* Below another directory, or under a longer name. MR_SYSTEM: too long. */
static mr_status_t
join (const char *folder, const char *rest, char *ret_path, mr_error_t *err)
{
    int bytes = snprintf (ret_path, PATH_MAX, "%s/%s", folder, rest);
    if (bytes < 0 || bytes >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return mr_error_errno (err, "%s/%s", folder, rest);
    }
    return MR_OK;
}

static mr_status_t
make_folder (mr_scratch_t *self, mr_error_t *err)
{
    char template[PATH_MAX];
    const char *base = getenv ("TMPDIR");
    base = base != NULL && base[0] == '/' ? base : "/tmp";
    mr_status_t status = join (base, "millrace-chaos-XXXXXX", template, err);
    if (status != MR_OK) {
        return status;
    }
    if (mkdtemp (template) == NULL || realpath (template, self->folder) == NULL) {
        return mr_error_errno (err, "cannot make a directory in %s", base);
    }
    return join (self->folder, "chaos.ini", self->config, err);
}

/* Not having one is no fault: it is told why. */
static void
mount_small (mr_scratch_t *self)
{
    char path[PATH_MAX];
    if (join (self->folder, "data/ingest.0.journal", path, &self->why_not) == MR_OK &&
        mr_dirs_make (path, 0750, &self->why_not) == MR_OK &&
        mr_smalldisk_mount (path, &self->why_not) == MR_OK) {
        memcpy (self->small, path, sizeof path);
    }
}

mr_status_t
mr_scratch_make (bool small, mr_scratch_t *ret_scratch, mr_error_t *err)
{
    mr_scratch_t *self = ret_scratch;
    memset (self, 0, sizeof *self);
    mr_status_t status = make_folder (self, err);
    if (status == MR_OK) {
        status = write_config (self, err);
    }
    if (status != MR_OK) {
        mr_scratch_remove (self);
        return status;
    }
    if (small) {
        mount_small (self);
    }
    return MR_OK;
}

bool
mr_scratch_fill (const mr_scratch_t *self)
{
    return self->small[0] != '\0' && mr_smalldisk_fill (self->small);
}

void
mr_scratch_free (const mr_scratch_t *self)
{
    if (self->small[0] != '\0') {
        mr_smalldisk_free (self->small);
    }
}

static void
slot_path (const char *folder, const char *name, int slot, char *ret_path)
{
    if (slot == 0) {
        snprintf (ret_path, PATH_MAX, "%s/%s.jsonl", folder, name);
    } else {
        snprintf (ret_path, PATH_MAX, "%s/%s.%d.jsonl", folder, name, slot);
    }
}

void
mr_scratch_sink (const char *folder, int slot, char *ret_path)
{
    slot_path (folder, "out", slot, ret_path);
}

void
mr_scratch_rows (const char *folder, int slot, char *ret_path)
{
    slot_path (folder, "rows", slot, ret_path);
}

void
mr_scratch_dead (const char *folder, int slot, char *ret_path)
{
    snprintf (ret_path, PATH_MAX, "%s/data/dead/exporter.%d.jsonl", folder, slot);
}

/* ---- the end ---- */

static int
remove_one (const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    (void)remove (path);
    return 0;
}

void
mr_scratch_remove (mr_scratch_t *self)
{
    if (self->small[0] != '\0') {
        mr_smalldisk_unmount (self->small);
        self->small[0] = '\0';
    }
    if (self->folder[0] != '\0') {
        (void)nftw (self->folder, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS);
        self->folder[0] = '\0';
    }
}

mr_status_t
mr_scratch_keep (mr_scratch_t *self, mr_error_t *err)
{
    if (self->small[0] == '\0') {
        return MR_OK;
    }
    mr_scratch_free (self);
    mr_status_t status = mr_smalldisk_settle (self->small, err);
    self->small[0] = '\0';
    return status;
}
