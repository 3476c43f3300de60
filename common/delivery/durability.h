/* durability: what an acknowledged record survives, as `[ingest] durability` says; the values are
 * the places of the option's choices. */
#ifndef MR_COMMON_DELIVERY_DURABILITY_H
#define MR_COMMON_DELIVERY_DURABILITY_H

typedef enum mr_durability {
    MR_DURABILITY_MEMORY, /* the death of every process but ingest: the records of a batch in flight
                             are in ingest's memory alone, everything else is as with `disk` */
    MR_DURABILITY_DISK,   /* the death of every process: it is in the page cache */
    MR_DURABILITY_FSYNC,  /* power loss: it is on the disk */
} mr_durability_t;

#endif
