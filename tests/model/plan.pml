/* plan.pml: a planned stop replays nothing and loses nothing, even when somebody dies during it.
 *
 *   source 0, 1 -> worker 0, 1 -> sink          (bounded pipes, one per connection)
 *
 * A source is whoever pushes to the stage (it stands for ingest too: a replay begins there). Worker
 * 0 is told to stop: it unlinks its socket file; the sources see that, send BYE, and keep the old
 * socket until the worker is gone; it reads until every connection that was ever accepted has said
 * BYE or ended, says BYE downstream, waits until all is written, marks its exit as clean and exits.
 * A source that sees it gone without that mark replays.
 *
 * "replayed": a batch was pushed twice though nobody died. "stuck": a batch is never DONE, or the
 * worker never stops. The sink stands for the claim: it takes a batch once.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 1 /* of each source */
#endif
#ifndef SOURCES
#define SOURCES 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef PIPE
#define PIPE 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#include "pipe.inc"
#define ALL ((1 << (BATCHES + 1)) - 2)
#define BYE 0

/* A source's connection to a worker. */
#define NONE 0
#define CONNECTING 1 /* found the socket file, is in the kernel's queue */
#define ACCEPTED 2   /* usable, but nothing was pushed yet */
#define UP 3
#define BROKEN 4  /* the worker is gone without a BYE, and that is not noticed yet */
#define LEAVING 5 /* BYE is sent, the socket is kept */
#define LEFT 6    /* gone after BYE, and its mark says a clean exit */
#define LOST 7    /* gone after BYE, without that mark */

byte link[4]; /* by source and worker */
#define LINK(source_, worker_) link[2 * (source_) + (worker_)]
byte done[2];              /* sets of seqs, by source */
byte peers[2];             /* sets of sources: accepted, and neither BYE nor end was read */
bit socket_file[2], running[2];
bit sink_broken[2];        /* the sink died and this worker has not noticed */
bit notice[2];             /* a loss notice waits for this source */
bit died;                  /* somebody did, and the death watch has not said so */
byte crashes = CRASHES;
bit stop_wanted = 1;

/* One more than PIPE, so that BYE and the end of a connection never wait here. */
chan to_worker[4] = [PIPE + 1] of { byte };
#define PIPE_OF(source_, worker_) to_worker[2 * (source_) + (worker_)]
chan to_sink[2] = [PIPE] of { byte, byte };

hidden byte replayed;
hidden byte origin;

#define DIES :: atomic { crashes > 0 -> crashes--; goto dead }

/* The worker's end of one connection goes: clean or not. */
inline worker_gone(pipe, link_, clean)
{
    drain(pipe);
    if
    :: link_ == CONNECTING || link_ == ACCEPTED -> link_ = NONE
    :: link_ == UP -> link_ = BROKEN
    :: link_ == LEAVING && clean -> link_ = LEFT
    :: link_ == LEAVING && !clean -> link_ = LOST
    :: else
    fi
}

/* ------------------------------------------------------------------------------------- worker */
#define TAKES(from) \
    :: atomic { seq == 0 && nempty(PIPE_OF(from, me)) && LINK(from, me) != BROKEN -> \
           PIPE_OF(from, me)?seq; \
           if \
           :: seq == BYE -> peers[me] = peers[me] & ~BIT(from); said_bye = 1 \
           :: else -> owner = from \
           fi }
#define PASSES_ON \
    :: atomic { seq != 0 && nfull(to_sink[me]) -> to_sink[me]!owner, seq; seq = 0; owner = 0 }

#if defined EXIT_WHEN_IDLE
#define MAY_EXIT (empty(PIPE_OF(0, me)) && empty(PIPE_OF(1, me)))
#elif defined EXIT_AT_FIRST_BYE
#define MAY_EXIT (peers[me] == 0 || said_bye)
#else
#define MAY_EXIT (peers[me] == 0)
#endif

inline sink_disconnects()
{
    do
    :: nempty(to_sink[me]) -> to_sink[me]?origin, copy
    :: empty(to_sink[me]) -> break
    od;
    origin = 0;
    copy = 0;
    sink_broken[me] = 0
}

proctype Worker(bit me)
{
    byte seq, owner;
    bit stopping, said_bye;

working:
end_idle:
    do
    TAKES(0)
    TAKES(1)
    PASSES_ON
    :: atomic { sink_broken[me] -> sink_disconnects() } -> goto telling
    :: atomic { me == 0 && stop_wanted ->
                stop_wanted = 0; stopping = 1; said_bye = 0; socket_file[me] = 0 }
    :: atomic { stopping && seq == 0 && MAY_EXIT -> stopping = 0; said_bye = 0; goto flushing }
    DIES
    od;
telling:
    if
    :: atomic { notice[0] = 1; notice[1] = 1 }
    DIES
    fi;
    goto working;

flushing: /* all is written to the kernel; does the sink that should read it still live? */
#ifndef NO_FLUSH_CHECK
    if
    :: atomic { sink_broken[me] -> sink_disconnects(); notice[0] = 1; notice[1] = 1 }
    :: else
    DIES
    fi;
#endif
    atomic {
#ifdef CLOSE_DOWNSTREAM_WITHOUT_BYE
        if
        :: nempty(to_sink[me]) -> to_sink[me]?origin, copy
        :: skip
        fi;
        origin = 0;
        copy = 0;
#endif
        if
        :: sink_broken[me] -> sink_disconnects()
        :: else
        fi;
        running[me] = 0;
        peers[me] = 0;
        worker_gone(PIPE_OF(0, me), LINK(0, me), true);
        worker_gone(PIPE_OF(1, me), LINK(1, me), true)
    }
    if
    :: atomic { socket_file[me] = 1; running[me] = 1 } -> goto working /* a planned restart */
    :: WORKERS > 1 -> goto stopped /* scaled down */
    fi;

dead:
    atomic { /* a socket file that is not unlinked yet stays */
        seq = 0;
        owner = 0;
        stopping = 0;
        said_bye = 0;
        peers[me] = 0;
        worker_gone(PIPE_OF(0, me), LINK(0, me), false);
        worker_gone(PIPE_OF(1, me), LINK(1, me), false);
        if
        :: nempty(to_sink[me]) -> to_sink[me]?origin, copy
        :: skip
        fi;
        if
        :: sink_broken[me] -> sink_disconnects()
        :: else
        fi;
        origin = 0;
        copy = 0;
        died = 1;
        running[me] = 0
    }
    atomic { socket_file[me] = 1; running[me] = 1 } /* the successor */
    goto working;
stopped:
    skip
}

/* ------------------------------------------------------------------------------------- source */
#define SENDS(to) \
    :: atomic { due != 0 && (LINK(me, to) == UP || LINK(me, to) == BROKEN) && \
                len(PIPE_OF(me, to)) < PIPE -> \
           seq = 1; \
           do \
           :: due & BIT(seq) -> break \
           :: else -> seq++ \
           od; \
           due = due & ~BIT(seq); \
           if \
           :: done[me] & BIT(seq) \
           :: else -> \
               replayed = (pushed & BIT(seq)) && crashes == CRASHES; \
               assert(!replayed); \
               pushed = pushed | BIT(seq); \
               PIPE_OF(me, to)!seq \
           fi; \
           seq = 0 }

/* A new connection, while the last one's end is unread, is left out: the two would share a pipe. */
#define CONNECTS(to) \
    :: atomic { LINK(me, to) == NONE && socket_file[to] && running[to] && \
                empty(PIPE_OF(me, to)) -> \
                LINK(me, to) = CONNECTING } \
    :: atomic { LINK(me, to) == CONNECTING && running[to] -> /* the worker's I/O thread */ \
                LINK(me, to) = ACCEPTED; peers[to] = peers[to] | BIT(me) }

#ifdef NO_RECHECK
#define STARTS_TO_USE(to) \
    :: atomic { LINK(me, to) == ACCEPTED -> LINK(me, to) = UP }
#else
#define STARTS_TO_USE(to) \
    :: atomic { LINK(me, to) == ACCEPTED -> \
           if \
           :: socket_file[to] -> LINK(me, to) = UP \
           :: else -> PIPE_OF(me, to)!BYE; LINK(me, to) = LEAVING \
           fi }
#endif

#ifdef CLOSE_UPSTREAM_WITHOUT_BYE
#define LAST_WORDS(to) lose_some(PIPE_OF(me, to))
#else
#define LAST_WORDS(to) skip
#endif
#define SAYS_BYE(to) \
    :: atomic { LINK(me, to) == UP && !socket_file[to] -> \
                LAST_WORDS(to); PIPE_OF(me, to)!BYE; LINK(me, to) = LEAVING } \
    :: atomic { LINK(me, to) == BROKEN && !socket_file[to] -> /* BYE into a dead pipe */ \
                drain(PIPE_OF(me, to)); LINK(me, to) = LOST }

#ifdef FORGET_AFTER_BYE
#define REPLAY_IF_LOST skip
#else
#define REPLAY_IF_LOST due = due | pushed
#endif
#define SEES_THE_END(to) \
    :: atomic { LINK(me, to) == BROKEN -> \
                drain(PIPE_OF(me, to)); LINK(me, to) = NONE; due = due | pushed } \
    :: atomic { LINK(me, to) == LEFT -> LINK(me, to) = NONE } \
    :: atomic { LINK(me, to) == LOST -> LINK(me, to) = NONE; REPLAY_IF_LOST }

/* Its connections end; what it had written may be read, or not, and then the end is read. */
#define SOURCE_GONE(to) \
    if \
    :: LINK(me, to) == ACCEPTED || LINK(me, to) == UP -> \
        lose_some(PIPE_OF(me, to)); PIPE_OF(me, to)!BYE \
    :: LINK(me, to) == BROKEN -> drain(PIPE_OF(me, to)) \
    :: else \
    fi; \
    LINK(me, to) = NONE

#define STEPS(to) \
    SENDS(to) CONNECTS(to) STARTS_TO_USE(to) SAYS_BYE(to) \
    SEES_THE_END(to)

proctype Source(bit me)
{
    byte due = ALL, pushed, seq;

working:
end_idle:
    do
    STEPS(0)
    STEPS(1)
    :: atomic { notice[me] -> notice[me] = 0; due = due | pushed }
    DIES
    od;
dead:
    atomic {
        due = ALL;
        pushed = 0;
        notice[me] = 0;
        SOURCE_GONE(0);
        SOURCE_GONE(1);
        goto working
    }
}

/* --------------------------------------------------------------------------------------- sink */
#define STORES(from) \
    :: atomic { nempty(to_sink[from]) && !sink_broken[from] -> \
                to_sink[from]?owner, seq; done[owner] = done[owner] | BIT(seq); \
                owner = 0; seq = 0 }
#define LOSES(from) \
    do \
    :: nempty(to_sink[from]) -> to_sink[from]?origin, copy \
    :: empty(to_sink[from]) -> break \
    od; \
    sink_broken[from] = running[from]

proctype Sink()
{
    byte owner, seq;

working:
end_idle:
    do
    STORES(0)
    STORES(1)
    DIES
    od;
dead:
    atomic {
        LOSES(0);
        LOSES(1);
        origin = 0;
        copy = 0;
        died = 1;
        goto working
    }
}

/* Launcher, successor or ingest's scan of the locks: after a death that left no clean mark. */
proctype DeathWatch()
{
end_idle:
    do
#ifdef NO_DEATH_WATCH
    :: atomic { died -> died = 0 }
#else
    :: atomic { died -> died = 0; notice[0] = 1; notice[1] = 1 }
#endif
    od
}

/* Ends only when everything is done, and only then may an end be quiet. */
proctype Goal()
{
    done[0] == ALL && done[1] == ALL && !stop_wanted
}

init
{
    atomic { /* all connected, but for source 1 to worker 0 */
        socket_file[0] = 1;
        running[0] = 1;
        peers[0] = BIT(0);
        LINK(0, 0) = UP;
#if WORKERS > 1
        socket_file[1] = 1;
        running[1] = 1;
        peers[1] = BIT(0) | (SOURCES > 1 -> BIT(1) : 0);
        LINK(0, 1) = UP;
        LINK(1, 1) = UP;
        run Worker(1);
#endif
#if SOURCES > 1
        run Source(1);
#else
        done[1] = ALL;
#endif
        run Source(0);
        run Worker(0);
        run Sink();
        run DeathWatch();
        run Goal()
    }
}
