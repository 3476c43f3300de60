/* group.pml: durability = fsync. An exporter holds up to CLAIMS claims whose frames share one sync.
 *
 * Two spools, each with a sink that commits its cursor with its data elsewhere; BATCHES batches
 * whose journal frames are durable (power.pml has that side) and may go once the watermark is past
 * them. An exporter claims, appends, claims the next; syncs once; then stores DONE for each, oldest
 * first, and claims again. Exporters, and ingest while it settles for one, die between any two
 * steps. A power loss takes all processes, the window, and any of the frames that were not synced
 * (not only the last ones: disks reorder).
 *
 * Every batch is delivered exactly once, whatever happens; the end is reached.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 3
#endif
#ifndef CLAIMS
#define CLAIMS 2 /* claims in flight of one exporter */
#endif
#ifndef TAIL
#define TAIL CLAIMS /* last frames of a spool that settling reads */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef POWER_LOSSES
#define POWER_LOSSES 1
#endif
#ifndef GIVE_BACKS
#define GIVE_BACKS 0 /* how often the disk has no room for a frame, while others wait */
#endif

#define SENT 1
#define CLAIMED 2
#define DONE 3
/* Phases of an exporter slot. */
#define DEAD 0
#define SETTLING 1   /* a new life, before it binds */
#define SETTLED_FOR 2 /* ingest has the lock of the dead one */
#define OPEN 3
#define SYNCED 4     /* the sync is through; DONE is being stored */

typedef Spool {
    byte frame[BATCHES];
    byte length, synced, cursor;
    byte phase;
    byte held;    /* claimed, not appended yet */
    byte waiting; /* the last so many frames are appended and not DONE */
};
Spool spool[2];
byte state[BATCHES + 1], owner[BATCHES + 1]; /* the window */
byte watermark, durable;  /* of the journal; the durable one follows */
byte trimmed;             /* up to here the journal is gone */
byte delivered[BATCHES + 1];
byte crashes = CRASHES, power_losses = POWER_LOSSES, give_backs = GIVE_BACKS;
byte i, e, kept;
bit found;

hidden byte appended_twice, delivered_twice, lost;

inline look_for(where_, what_, from_)
{
    found = 0;
    i = from_;
    do
    :: i < spool[where_].length -> found = found || spool[where_].frame[i] == what_; i++
    :: else -> break
    od;
    i = 0
}

#define IS_MINE(slot, seq) (state[seq] == CLAIMED && owner[seq] == (slot))

/* What lies in a dead one's spool becomes DONE, so it is made durable first. */
#ifdef SETTLED_UNSYNCED
#define SYNC_BEFORE_SETTLING(slot) skip
#else
#define SYNC_BEFORE_SETTLING(slot) spool[slot].synced = spool[slot].length
#endif

inline settle(slot, seq_)
{
#ifdef RELEASED_AT_DEATH
    found = 0;
#else
    kept = (spool[slot].length > TAIL -> spool[slot].length - TAIL : 0);
    look_for(slot, seq_, kept);
    kept = 0;
#endif
    state[seq_] = (found -> DONE : SENT);
    owner[seq_] = 0;
    found = 0
}

inline append_held(slot)
{
    look_for(0, spool[slot].held, 0);
    appended_twice = found;
    look_for(1, spool[slot].held, 0);
    appended_twice = appended_twice || found;
    assert(!appended_twice);
    found = 0;
    spool[slot].frame[spool[slot].length] = spool[slot].held;
    spool[slot].length++;
    spool[slot].waiting++;
    spool[slot].held = 0
}

inline give_back(slot)
{
    give_backs--;
    state[spool[slot].held] = SENT;
    owner[spool[slot].held] = 0;
    spool[slot].held = 0;
#ifdef GIVE_BACK_ALL
    i = spool[slot].length - spool[slot].waiting;
    do
    :: i < spool[slot].length ->
        state[spool[slot].frame[i]] = SENT;
        owner[spool[slot].frame[i]] = 0;
        i++
    :: else -> break
    od;
    i = 0;
    spool[slot].waiting = 0
#endif
}

#define OLDEST(slot) spool[slot].frame[spool[slot].length - spool[slot].waiting]

inline store_done(slot)
{
    state[OLDEST(slot)] = DONE;
    owner[OLDEST(slot)] = 0;
    spool[slot].waiting--;
    if
    :: spool[slot].waiting == 0 -> spool[slot].phase = OPEN
    :: else
    fi
}

inline deliver(slot)
{
    i = spool[slot].frame[spool[slot].cursor];
    delivered[i]++;
    spool[slot].cursor++;
    delivered_twice = delivered[i] > 1;
    assert(!delivered_twice);
    i = 0
}

/* When may an exporter claim one more, and when store DONE for the oldest that waits? */
#if defined(NEXT_GROUP_BEFORE_DONES)
#define MAY_CLAIM(slot) (spool[slot].phase >= OPEN && \
    spool[slot].length - spool[slot].synced < CLAIMS)
#define MAY_STORE_DONE(slot) (spool[slot].phase == SYNCED && \
    spool[slot].length - spool[slot].waiting < spool[slot].synced)
#elif defined(DONE_OF_LATER_ONES)
#define MAY_CLAIM(slot) (spool[slot].phase >= OPEN && spool[slot].waiting < CLAIMS)
#define MAY_STORE_DONE(slot) (spool[slot].phase == SYNCED)
#elif defined(DONE_BEFORE_SYNC)
#define MAY_CLAIM(slot) (spool[slot].phase == OPEN && spool[slot].waiting < CLAIMS)
#define MAY_STORE_DONE(slot) (spool[slot].phase >= OPEN)
#else
#define MAY_CLAIM(slot) (spool[slot].phase == OPEN && spool[slot].waiting < CLAIMS)
#define MAY_STORE_DONE(slot) (spool[slot].phase == SYNCED)
#endif
#ifdef SINK_READS_UNSYNCED
#define READABLE(slot) spool[slot].length
#else
#define READABLE(slot) spool[slot].synced
#endif

/* Whichever of the unsynced frames the disk has written stay; those behind move up. */
inline lose_unsynced(slot)
{
    kept = spool[slot].synced;
    i = spool[slot].synced;
    do
    :: i < spool[slot].length ->
        if
        :: spool[slot].frame[kept] = spool[slot].frame[i]; kept++
        :: skip
        fi;
        i++
    :: else -> break
    od;
    i = kept;
    do
    :: i < spool[slot].length -> spool[slot].frame[i] = 0; i++
    :: else -> break
    od;
    spool[slot].length = kept;
    spool[slot].synced = kept;
    spool[slot].phase = DEAD;
    spool[slot].held = 0;
    spool[slot].waiting = 0;
    i = 0;
    kept = 0
}

/* From the spools and the durable watermark. */
inline rebuild_window()
{
    watermark = durable;
    e = 1;
    do
    :: e <= BATCHES ->
        owner[e] = 0;
        look_for(0, e, 0);
        appended_twice = found;
        look_for(1, e, 0);
        found = found || appended_twice || e <= watermark;
        lost = !found && e <= trimmed;
        assert(!lost);
        state[e] = (found -> DONE : SENT);
        e++
    :: else -> break
    od;
    e = 0;
    found = 0;
    appended_twice = 0
}

inline check_delivery()
{
    i = 1;
    do
    :: i <= BATCHES -> lost = delivered[i] == 0; assert(!lost); i++
    :: else -> break
    od;
    i = 0
}

#ifdef DONES_IN_ANY_ORDER /* no rule needs the order: this is found to be ok */
#define DONE_OF(slot, seq) \
    :: d_step { spool[slot].phase == SYNCED && IS_MINE(slot, seq) -> \
                state[seq] = DONE; owner[seq] = 0; spool[slot].waiting--; \
                spool[slot].phase = (spool[slot].waiting -> SYNCED : OPEN) }
#undef MAY_STORE_DONE
#define MAY_STORE_DONE(slot) (0)
#else
#define DONE_OF(slot, seq)
#endif
#define STEPS_OF_WORD(slot, seq) \
    DONE_OF(slot, seq) \
    :: d_step { (spool[slot].phase == SETTLING || spool[slot].phase == SETTLED_FOR) && \
                IS_MINE(slot, seq) -> settle(slot, seq) } \
    :: d_step { MAY_CLAIM(slot) && spool[slot].held == 0 && state[seq] == SENT -> \
                state[seq] = CLAIMED; owner[seq] = slot; spool[slot].held = seq }
#if BATCHES == 2
#define STEPS_OF_WORDS(slot) STEPS_OF_WORD(slot, 1) STEPS_OF_WORD(slot, 2)
#define HAS_CLAIMS(slot) (IS_MINE(slot, 1) || IS_MINE(slot, 2))
#elif BATCHES == 3
#define STEPS_OF_WORDS(slot) \
    STEPS_OF_WORD(slot, 1) STEPS_OF_WORD(slot, 2) STEPS_OF_WORD(slot, 3)
#define HAS_CLAIMS(slot) (IS_MINE(slot, 1) || IS_MINE(slot, 2) || IS_MINE(slot, 3))
#else
#define STEPS_OF_WORDS(slot) \
    STEPS_OF_WORD(slot, 1) STEPS_OF_WORD(slot, 2) STEPS_OF_WORD(slot, 3) STEPS_OF_WORD(slot, 4)
#define HAS_CLAIMS(slot) \
    (IS_MINE(slot, 1) || IS_MINE(slot, 2) || IS_MINE(slot, 3) || IS_MINE(slot, 4))
#endif

#define STEPS_OF_EXPORTER(slot) \
    STEPS_OF_WORDS(slot) \
    :: d_step { spool[slot].phase == DEAD -> \
                spool[slot].phase = SETTLING; SYNC_BEFORE_SETTLING(slot) } \
    :: d_step { spool[slot].phase == DEAD && HAS_CLAIMS(slot) -> \
                spool[slot].phase = SETTLED_FOR; SYNC_BEFORE_SETTLING(slot) } \
    :: d_step { spool[slot].phase == SETTLING && !HAS_CLAIMS(slot) -> spool[slot].phase = OPEN } \
    :: d_step { spool[slot].phase == SETTLED_FOR && !HAS_CLAIMS(slot) -> \
                spool[slot].phase = DEAD } \
    :: d_step { spool[slot].phase >= OPEN && spool[slot].held -> append_held(slot) } \
    :: d_step { spool[slot].phase >= OPEN && spool[slot].held && give_backs > 0 -> \
                give_back(slot) } \
    :: d_step { spool[slot].phase >= OPEN && spool[slot].held == 0 && \
                spool[slot].synced < spool[slot].length -> \
                spool[slot].synced = spool[slot].length; \
                spool[slot].phase = (spool[slot].waiting -> SYNCED : OPEN) } \
    :: d_step { MAY_STORE_DONE(slot) && spool[slot].waiting -> store_done(slot) } \
    :: d_step { spool[slot].cursor < READABLE(slot) -> deliver(slot) } \
    :: d_step { spool[slot].phase != DEAD && crashes > 0 -> \
                crashes--; spool[slot].phase = DEAD; \
                spool[slot].held = 0; spool[slot].waiting = 0 }

active proctype System()
{
    d_step {
        i = 1;
        do
        :: i <= BATCHES -> state[i] = SENT; i++
        :: else -> break
        od;
        i = 0;
        spool[0].phase = OPEN;
        spool[1].phase = OPEN
    }
    do
    STEPS_OF_EXPORTER(0)
    STEPS_OF_EXPORTER(1)
    :: d_step { watermark < BATCHES && state[watermark + 1] == DONE ->
                watermark++;
                trimmed = (watermark > trimmed -> watermark : trimmed) }
    :: d_step { durable < watermark -> durable = watermark }
    :: atomic { power_losses > 0 ->
                power_losses--;
                lose_unsynced(0);
                lose_unsynced(1);
                d_step { rebuild_window() } }
    :: atomic { watermark == BATCHES && spool[0].cursor == spool[0].length &&
                spool[1].cursor == spool[1].length ->
                check_delivery();
                break }
    od
}
