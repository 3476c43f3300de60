/* recovery.pml: every journaled batch is DONE in the end, whoever dies.
 *
 *   ingest -> processor 0, 1 -> metrics -> exporter 0, 1        (bounded pipes, one per connection)
 *
 * A copy is lost for a reason only: with the memory of its holder, in the pipes of a dead sender
 * (any part of them), and in the pipe to a dead receiver, which takes more copies until its sender
 * notices. CRASHES deaths, of anyone, between any two steps. A dead worker starts again at once,
 * which is the same as later; one exporter may stay away for good (unless ALWAYS_A_SUCCESSOR).
 *
 * The search is for ends: nothing can happen any more and a batch is not DONE = "stuck". There is
 * no time-out in the model. "Each second" = whenever the scan would find something.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 1
#endif
#ifndef WINDOW
#define WINDOW BATCHES
#endif
#ifndef PIPE
#define PIPE 1 /* copies that a pipe holds */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef BAD_FRAMES
#define BAD_FRAMES 0 /* frames that a worker finds unreadable and drops */
#endif
#ifndef GIVE_BACKS
#define GIVE_BACKS 0 /* claims given back because the disk is full */
#endif

/* Who tells ingest of a loss, and when it looks by itself. */
#ifndef NO_NEIGHBOUR_NOTICE
#define NEIGHBOUR_NOTICE
#endif
#ifndef NO_SCAN
#define SCAN
#endif
#ifdef SCAN
#define SENDS_DONE skip /* a hint: it brings nothing that the scan does not find */
#else
bit done_message;
#define SENDS_DONE done_message = 1
#endif
#ifdef LAUNCHER_NOTICE
bit death; /* one that the launcher has seen */
#define IS_SEEN_DEAD death = 1
#else
#define IS_SEEN_DEAD skip
#endif

#define SENT 1
#define CLAIMED 2
#define DONE 3
#include "pipe.inc"

/* A connection, as its sender sees it. */
#define NONE 0
#define UP 1
#define BROKEN 2 /* the receiver died, the sender has not noticed */

byte state[BATCHES + 1], owner[BATCHES + 1], generation[BATCHES + 1]; /* the window */
byte spooled[2];                                                      /* sets of seqs */
byte top;                                                             /* the journal */
bit locked[2], bound[2], gone[2];                                     /* exporters */

chan to_processor[2] = [PIPE] of { byte };
chan to_metrics[2] = [PIPE] of { byte };
chan to_exporter[2] = [PIPE] of { byte };
byte processor_link[2] = UP, metrics_link[2] = UP, exporter_link[2];

bit notice;       /* a loss notice waits for ingest */
byte crashes = CRASHES, bad_frames = BAD_FRAMES, give_backs = GIVE_BACKS;

hidden byte appended_twice;

#define DIES :: atomic { crashes > 0 -> crashes--; goto dead }

inline receiver_dies(pipe, link)
{
    drain(pipe);
    if
    :: link == UP -> link = BROKEN
    :: else
    fi
}

inline sender_dies(pipe, link, link_afterwards)
{
    if
    :: link == BROKEN -> drain(pipe); link = link_afterwards
    :: link == UP -> lose_some(pipe)
    :: link == NONE -> skip
    fi
}

/* What a worker does on a disconnect without BYE: the broken socket goes first (`link` is the new
 * connection, if there is a new socket to connect to), then the notice. The broken order leaves the
 * old socket to be discarded later, by itself. */
#ifdef NOTICE_BEFORE_CLOSE
#define NOTICES(pipe, link, noticed, link_afterwards) \
    :: atomic { link == BROKEN && !noticed -> noticed = 1 } -> goto telling \
    :: atomic { link == BROKEN && noticed -> drain(pipe); link = link_afterwards; noticed = 0 }
#else
#define NOTICES(pipe, link, noticed, link_afterwards) \
    :: atomic { link == BROKEN -> drain(pipe); link = link_afterwards } -> goto telling
#endif

inline tell()
{
#ifdef NEIGHBOUR_NOTICE
    notice = 1
#else
    skip
#endif
}

#define EXPORTER_LINK_AFTERWARDS(slot) (bound[slot] -> UP : NONE)

/* ---------------------------------------------------------------------------------- processor */
proctype Processor(bit me)
{
    byte batch;
    bit noticed;

working:
end_idle:
    do
    :: atomic { batch == 0 && processor_link[me] != BROKEN && nempty(to_processor[me]) ->
                to_processor[me]?batch }
    :: atomic { batch != 0 && nfull(to_metrics[me]) -> to_metrics[me]!batch; batch = 0 }
    NOTICES(to_metrics[me], metrics_link[me], noticed, UP)
    DIES
    od;
telling:
    if
    :: tell()
    DIES
    fi;
    goto working;
dead:
    atomic {
        batch = 0;
        noticed = 0;
        receiver_dies(to_processor[me], processor_link[me]);
        sender_dies(to_metrics[me], metrics_link[me], UP);
        IS_SEEN_DEAD;
        goto working
    }
}

/* ------------------------------------------------------------------------------------ metrics */
#define RECEIVES(from) \
    :: atomic { batch == 0 && metrics_link[from] != BROKEN && nempty(to_metrics[from]) -> \
                to_metrics[from]?batch }
#define PASSES_ON(to) \
    :: atomic { batch != 0 && exporter_link[to] != NONE && nfull(to_exporter[to]) -> \
                to_exporter[to]!batch; batch = 0 } \
    :: atomic { exporter_link[to] == NONE && bound[to] -> exporter_link[to] = UP }

proctype Metrics()
{
    byte batch;
    bit noticed[2];

working:
end_idle:
    do
    RECEIVES(0)
    RECEIVES(1)
    PASSES_ON(0)
    PASSES_ON(1)
    NOTICES(to_exporter[0], exporter_link[0], noticed[0], EXPORTER_LINK_AFTERWARDS(0))
    NOTICES(to_exporter[1], exporter_link[1], noticed[1], EXPORTER_LINK_AFTERWARDS(1))
#if BAD_FRAMES > 0
    :: atomic { batch != 0 && bad_frames > 0 -> bad_frames--; batch = 0 }
#ifndef SILENT_DROP
       goto telling
#endif
#endif
    DIES
    od;
telling:
    if
    :: tell()
    DIES
    fi;
    goto working;
dead:
    atomic {
        batch = 0;
        noticed[0] = 0;
        noticed[1] = 0;
        receiver_dies(to_metrics[0], metrics_link[0]);
        receiver_dies(to_metrics[1], metrics_link[1]);
        sender_dies(to_exporter[0], exporter_link[0], EXPORTER_LINK_AFTERWARDS(0));
        sender_dies(to_exporter[1], exporter_link[1], EXPORTER_LINK_AFTERWARDS(1));
        IS_SEEN_DEAD;
        goto working
    }
}

/* ----------------------------------------------------------------------------------- exporter */
/* Under the slot's lock: in the spool -> DONE, else SENT again, of the next generation. */
inline settle(seq_, slot_)
{
    if
    :: state[seq_] == CLAIMED && owner[seq_] == slot_ ->
        if
        :: spooled[slot_] & BIT(seq_) -> state[seq_] = DONE
        :: else -> state[seq_] = SENT; generation[seq_]++
        fi;
        owner[seq_] = 0
    :: else
    fi
}

proctype Exporter(bit me)
{
    byte batch, seq;

starting:
end_waiting_for_lock:
    atomic { !locked[me] -> locked[me] = 1; seq = 1 }
#ifdef SUCCESSOR_NOTICE_FIRST
    if
    :: notice = 1
    DIES
    fi;
#endif
    do
    :: d_step { seq <= BATCHES -> settle(seq, me); seq++ }
    DIES
    :: atomic { seq > BATCHES -> seq = 0; break }
    od;
#ifdef SUCCESSOR_NOTICE
    if
    :: notice = 1
    DIES
    fi;
#endif
    bound[me] = 1;

receiving:
end_idle:
    if
    :: atomic { exporter_link[me] == UP && nempty(to_exporter[me]) -> to_exporter[me]?batch }
    DIES
    fi;
    if
    :: d_step { state[batch] == SENT -> state[batch] = CLAIMED; owner[batch] = me }
    :: atomic { state[batch] != SENT -> batch = 0; goto receiving } /* a duplicate, refused */
    fi;
    if
    :: d_step {
           appended_twice = ((spooled[0] | spooled[1]) & BIT(batch)) != 0;
           assert(!appended_twice);
           spooled[me] = spooled[me] | BIT(batch)
       }
#if GIVE_BACKS > 0
    :: d_step {
           give_backs > 0 ->
           give_backs--;
           state[batch] = SENT;
           owner[batch] = 0;
#ifndef GIVE_BACK_SAME_GENERATION
           generation[batch]++;
#endif
           batch = 0
       }
       if
#ifdef GIVE_BACK_SILENT
       :: skip
#else
       :: notice = 1
#endif
       DIES
       fi;
       goto receiving
#endif
    DIES
    fi;
    if
    :: state[batch] = DONE
    DIES
    fi;
    if
    :: atomic { SENDS_DONE; batch = 0 }
    DIES
    fi;
    goto receiving;

dead:
    atomic { /* the sockets may be closed before the lock is free */
        batch = 0;
        seq = 0;
        bound[me] = 0;
        receiver_dies(to_exporter[me], exporter_link[me])
    }
    atomic { locked[me] = 0; IS_SEEN_DEAD }
    if
    :: goto starting
#ifndef ALWAYS_A_SUCCESSOR
    :: atomic { !gone[1 - me] -> gone[me] = 1 } /* no successor, ever */
#endif
    fi
}

#include "recovery_ingest.inc"

#ifdef LAUNCHER_NOTICE
proctype Launcher()
{
end_idle:
    do
    :: atomic { death -> death = 0 } -> notice = 1
    od
}
#endif

init
{
    atomic {
        run Ingest();
        run Processor(0);
        run Processor(1);
        run Metrics();
        run Exporter(0);
        run Exporter(1);
#ifdef LAUNCHER_NOTICE
        run Launcher()
#endif
    }
}
