/* window.pml: the window's file is missing or foreign, and is made anew while exporters may live.
 *
 * Ingest finds at its start that the file does not match. It asks the exporters to leave, takes the
 * lock of every exporter slot, makes a new file from what the spools and the durable watermark say,
 * and lets the locks go. An exporter maps the file that is current once it has its lock. Who still
 * maps an unlinked file goes on claiming in it, and nobody sees that: hence the locks.
 *
 * Any exporter may take any copy at any time, and may die between any two steps.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef REBUILDS
#define REBUILDS 1
#endif
#define SENT 1
#define CLAIMED 2
#define DONE 3
#define BIT(seq) (1 << (seq))

typedef Window {
    byte state[BATCHES + 1];
    byte owner[BATCHES + 1];
};
Window window[REBUILDS + 1]; /* every file that ever was; an unlinked one lives on in who maps it */
byte current;
byte spooled[2]; /* sets of seqs */
bit locked[2], asked;
byte crashes = CRASHES;

hidden byte appended_twice, lost;

#define IN_A_SPOOL(seq) ((spooled[0] | spooled[1]) & BIT(seq))
#define DIES :: atomic { crashes > 0 -> crashes--; goto gone }
#define CLAIMS(seq) \
    :: d_step { window[mapped].state[seq] == SENT -> \
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

proctype Exporter(bit me)
{
    byte mapped, batch, seq;

starting:
#ifdef MAP_BEFORE_LOCK
    mapped = current;
#endif
end_waiting_for_lock:
    atomic { !locked[me] -> locked[me] = 1 }
#ifndef MAP_BEFORE_LOCK
    mapped = current;
#endif
    atomic { settle_mine() }
claiming:
end_idle:
    if
    CLAIMS(1)
    CLAIMS(2)
    :: asked -> goto gone
    DIES
    fi;
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
gone:
    atomic { batch = 0; mapped = 0; locked[me] = 0; goto starting }
}

inline make_new_window()
{
    seq = 1;
    do
    :: seq <= BATCHES ->
#ifdef SPOOLS_NOT_READ
        window[current + 1].state[seq] = SENT;
#else
        window[current + 1].state[seq] = (seq <= watermark || IN_A_SPOOL(seq) -> DONE : SENT);
#endif
        seq++
    :: else -> break
    od;
    seq = 0;
    current++
}

proctype Ingest()
{
    byte watermark, seq; /* the watermark is durable */

    do
    :: d_step {
           watermark < BATCHES && window[current].state[watermark + 1] == DONE ->
           watermark++;
           lost = !IN_A_SPOOL(watermark);
           assert(!lost)
       }
    :: current < REBUILDS ->
        asked = 1;
#ifndef REBUILD_WITHOUT_LOCKS
        atomic { !locked[0] -> locked[0] = 1 }
        atomic { !locked[1] -> locked[1] = 1 }
#endif
        atomic { make_new_window() }
#ifndef REBUILD_WITHOUT_LOCKS
        locked[0] = 0;
        locked[1] = 0;
#endif
        asked = 0
    :: watermark == BATCHES -> break
    od
}

init
{
    atomic {
        window[0].state[1] = SENT;
        window[0].state[2] = SENT;
        run Ingest();
        run Exporter(0);
        run Exporter(1)
    }
}
