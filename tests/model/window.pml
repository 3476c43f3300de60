/* window.pml: the window's file is missing, and is made anew while exporters may live.
 *
 * Somebody removes it, at any time. Who maps an unlinked file goes on claiming in it, and nobody
 * sees that; hence a lock that is shared by all who have the window mapped (`ingest.N.mapped`).
 * Ingest finds at a start that its file is missing: it takes that lock alone, reads the spools,
 * makes a new file from what they and the durable watermark say, and lets the lock go. An exporter
 * takes the lock before it maps, and lets go of both when it sees, with no claim in hand, that its
 * file is not there any more.
 *
 * Any exporter may take any copy at any time, and may die between any two steps; ingest is started
 * anew when its file has gone, and may die, too.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef REMOVALS
#define REMOVALS 1
#endif
#define SENT 1
#define CLAIMED 2
#define DONE 3
#define BIT(seq) (1 << (seq))
#define NONE (REMOVALS + 1) /* no file has the name now; or: nothing is mapped */

typedef Window {
    byte state[BATCHES + 1];
    byte owner[BATCHES + 1];
};
Window window[REMOVALS + 2]; /* every file that ever was; an unlinked one lives on in who maps it */
byte current, made;          /* the one that has the name; how many were made after the first */
byte spooled[2];             /* sets of seqs */
bit locked[2];               /* an exporter slot's own lock */
bit sharing[2], alone;       /* ingest.N.mapped */
byte crashes = CRASHES, removals = REMOVALS;

hidden byte appended_twice, lost;

#define IN_A_SPOOL(seq) ((spooled[0] | spooled[1]) & BIT(seq))
#define DIES :: atomic { crashes > 0 -> crashes--; goto dead }
#define CLAIMS(seq) \
    :: d_step { mapped != NONE && window[mapped].state[seq] == SENT -> \
           window[mapped].state[seq] = CLAIMED; window[mapped].owner[seq] = me; batch = seq }

inline settle_mine()
{
    seq = 1;
    do
    :: seq <= BATCHES ->
        if
        :: window[mapped].state[seq] == CLAIMED && window[mapped].owner[seq] == me ->
            window[mapped].state[seq] = (spooled[me] & BIT(seq) -> DONE : SENT);
            window[mapped].owner[seq] = 0
        :: else
        fi;
        seq++
    :: else -> break
    od;
    seq = 0
}

#define SHARE !alone -> sharing[me] = 1

proctype Exporter(bit me)
{
    byte mapped = NONE, batch, seq;

starting:
end_waiting_for_slot:
    atomic { !locked[me] -> locked[me] = 1 }
mapping:
end_waiting_for_window:
#ifdef MAP_BEFORE_LOCK
    atomic { current != NONE -> mapped = current }
    atomic { SHARE }
#else
    atomic { current != NONE -> SHARE }
    if
    :: atomic { current != NONE -> mapped = current }
    :: atomic { current == NONE -> sharing[me] = 0; goto mapping } /* just removed */
    DIES
    fi;
#endif
    atomic { settle_mine() }
claiming:
end_idle:
    if
    CLAIMS(1)
    CLAIMS(2)
#ifndef NEVER_LETS_GO
    :: atomic { mapped != current -> mapped = NONE; sharing[me] = 0; goto mapping }
#endif
    DIES
    fi;
#ifdef LETS_GO_WITH_A_CLAIM
    if
    :: atomic { mapped != current -> sharing[me] = 0 }
    :: skip
    fi;
#endif
    if
    :: d_step {
           appended_twice = IN_A_SPOOL(batch) != 0;
           assert(!appended_twice);
           spooled[me] = spooled[me] | BIT(batch)
       }
    DIES
    fi;
    if
    :: d_step { window[mapped].state[batch] = DONE; window[mapped].owner[batch] = 0; batch = 0 }
    DIES
    fi;
    goto claiming;
dead:
    atomic {
        batch = 0;
        mapped = NONE;
        sharing[me] = 0; /* the kernel frees both locks */
        locked[me] = 0;
        goto starting
    }
}

inline make_new_window()
{
    made++;
    seq = 1;
    do
    :: seq <= BATCHES ->
        window[made].state[seq] = (seq <= watermark || (found & BIT(seq)) -> DONE : SENT);
        seq++
    :: else -> break
    od;
    seq = 0;
    found = 0;
    current = made;
    mapped = made
}

#ifdef REBUILD_WITHOUT_LOCK
#define LOCK_OUT skip
#else
#define LOCK_OUT !sharing[0] && !sharing[1] -> alone = 1
#endif
#ifdef SPOOLS_NOT_READ
#define READ_SPOOLS skip
#else
#define READ_SPOOLS found = spooled[0] | spooled[1]
#endif
#define INGEST_DIES :: atomic { crashes > 0 -> crashes--; goto dead }

proctype Ingest()
{
    byte watermark, mapped, seq, found; /* the watermark is durable */

starting:
    if
    :: atomic { current != NONE -> mapped = current }
    :: current == NONE ->
#ifdef SPOOLS_READ_BEFORE_LOCK
        READ_SPOOLS;
        atomic { LOCK_OUT }
#else
        atomic { LOCK_OUT }
        if
        :: READ_SPOOLS
        INGEST_DIES
        fi;
#endif
        if
        :: atomic { make_new_window() }
        INGEST_DIES
        fi;
        alone = 0
    fi;
    do
    :: d_step {
           watermark < BATCHES && window[mapped].state[watermark + 1] == DONE ->
           watermark++;
           lost = !IN_A_SPOOL(watermark);
           assert(!lost)
       }
    :: mapped != current -> goto dead /* started anew */
    INGEST_DIES
    :: watermark == BATCHES -> break
    od;
end_all_done:
    false;
dead:
    atomic { mapped = 0; found = 0; seq = 0; alone = 0; goto starting }
}

proctype Somebody()
{
end_idle:
    do
    :: atomic { removals > 0 && current != NONE -> removals--; current = NONE }
    od
}

init
{
    atomic {
        window[0].state[1] = SENT;
        window[0].state[2] = SENT;
        run Ingest();
        run Exporter(0);
        run Exporter(1);
        run Somebody()
    }
}
