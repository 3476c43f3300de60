/* bootid: which start of this machine this is. Files that name another one may hold pages from
 * before a power loss. Thread safe. */
#ifndef MR_COMMON_BASE_BOOTID_H
#define MR_COMMON_BASE_BOOTID_H

enum { MR_BOOT_ID_BYTES = 40 };

/* The kernel's boot id as text, filled up with zeros. All zeros where /proc is not to be had. */
void mr_boot_id (char ret_id[MR_BOOT_ID_BYTES]);

#endif
