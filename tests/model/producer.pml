/* producer.pml: an acknowledged record is in the journal, and once.
 *
 * One producer with RECORDS numbered records sends requests of one or two records (PIPELINE under
 * way), and may die and start again with other request borders. Ingest may say busy, die between
 * any two steps (queued requests and answers are gone), rotate its journal, of itself or for a batch
 * that finds no room, and trim what it had. Every segment begins with a snapshot of the producer's
 * last number: of what is journaled, not of the batch for which it was begun.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef RECORDS
#define RECORDS 3
#endif
#ifndef PIPELINE
#define PIPELINE 2
#endif
#ifndef INGEST_CRASHES
#define INGEST_CRASHES 2
#endif
#ifndef PRODUCER_CRASHES
#define PRODUCER_CRASHES 1
#endif
#ifndef BUSY_ANSWERS
#define BUSY_ANSWERS 1
#endif
#ifdef OVERLAP_WHOLE
#define IS_NEW(n_) (1) /* stores the whole request */
#else
#define IS_NEW(n_) ((n_) > last) /* stores only what is above the last number */
#endif
#ifdef RISING
#define IS_GAP (0) /* any number above the last one is new */
#else
#ifdef UNKNOWN_TAKES_ANY
#define IS_GAP (last > 0 && highest - count > last)
#else
#define IS_GAP (highest - count > last)
#endif
#endif

#ifdef SNAPSHOT_OF_BATCH
#define SNAPSHOT highest /* with the numbers of the batch that is yet to be appended */
#else
#define SNAPSHOT last /* of what is in the journal */
#endif

mtype = { ok, busy, gap };
chan request = [PIPELINE] of { byte, byte, bit }; /* highest number, records in it, connection */
chan reply = [PIPELINE] of { mtype, byte };       /* answer, last number journaled */

byte stored[RECORDS + 1]; /* how often a record was journaled (the model's own knowledge) */
byte journal_last;        /* highest number in the current segment; 0 = none */
byte snapshot;            /* the number at the head of the oldest kept segment */
byte ingest_crashes = INGEST_CRASHES, producer_crashes = PRODUCER_CRASHES;
byte busy_answers = BUSY_ANSWERS;
bit connection; /* the producer's present one: answers to an earlier one are dropped */

hidden byte stored_twice, lost, forgotten;

/* A new segment begins with the snapshot; the old one is trimmed at once, the worst case. */
inline begin_segment()
{
#ifndef NO_SNAPSHOT
    snapshot = SNAPSHOT;
#endif
    journal_last = 0
}

#define INGEST_DIES :: atomic { ingest_crashes > 0 -> ingest_crashes--; goto dead }

/* Answers to a dead connection, and beyond what the peer reads, are dropped. */
inline answer(kind)
{
    if
    :: from == connection && nfull(reply) -> reply!kind, last
    :: else
    fi
}

inline journal_new_records()
{
    number = highest - count + 1;
    do
    :: number <= highest ->
        stored[number] = stored[number] + IS_NEW(number);
        stored_twice = stored[number] > 1;
        assert(!stored_twice);
        number++
    :: else -> break
    od;
    number = 0;
    journal_last = highest;
    last = highest
}

active proctype Ingest()
{
    byte last, highest, count, number;
    bit from;

end_idle:
    do
    :: atomic { request?highest, count, from } ->
        if
        :: atomic { highest <= last -> answer(ok) }
        :: atomic { highest > last && IS_GAP -> answer(gap) }
        :: atomic { highest > last && !IS_GAP && busy_answers > 0 -> busy_answers--; answer(busy) }
#ifdef ACKNOWLEDGED_EARLY
        :: atomic { highest > last && !IS_GAP ->
                number = last; last = highest; answer(ok); last = number; number = 0 }
            if
            :: d_step { journal_new_records() }
            INGEST_DIES
            fi
#else
        :: highest > last && !IS_GAP ->
            if
            :: d_step { journal_new_records() }
            :: d_step { journal_last > 0 -> begin_segment() } /* it has no room for this batch */
                if
                :: d_step { journal_new_records() }
                INGEST_DIES
                fi
            fi;
            if
            :: atomic { answer(ok) }
            INGEST_DIES
            fi
#endif
        fi;
        atomic { highest = 0; count = 0; from = 0 }
    :: d_step { journal_last > 0 -> highest = last; begin_segment(); highest = 0 }
    INGEST_DIES
    od;

dead:
    atomic {
        do
        :: request?highest, count, from
        :: empty(request) -> break
        od;
        do
        :: reply?_, _
        :: empty(reply) -> break
        od;
        highest = 0;
        count = 0;
        from = 0;
        last = snapshot;
        if
        :: journal_last > last -> last = journal_last
        :: else
        fi;
        goto end_idle
    }
}

#define IS_LOST(n_) ((n_) <= acknowledged && stored[n_] != 1)

active proctype Producer()
{
    byte next = 1, acknowledged, number;
    mtype kind;

    do
    :: atomic { next <= RECORDS && nfull(request) -> request!next, 1, connection; next++ }
    :: atomic { next < RECORDS && nfull(request) ->
                next = next + 2; request!next - 1, 2, connection }
    :: atomic {
           reply?kind, number ->
           forgotten = kind == gap && number < acknowledged;
           assert(!forgotten);
           if
           :: kind == ok && number > acknowledged -> acknowledged = number
           :: kind == gap -> next = number + 1
           :: kind == busy -> next = acknowledged + 1
           :: else
           fi;
           if
           :: next <= acknowledged -> next = acknowledged + 1
           :: else
           fi;
           lost = IS_LOST(1) || IS_LOST(2) || IS_LOST(RECORDS);
           assert(!lost);
           kind = 0;
           number = 0
       }
    :: atomic { /* nothing is under way and nothing was answered: again from the lowest */
           empty(reply) && empty(request) && next > RECORDS && acknowledged < RECORDS ->
           next = acknowledged + 1
       }
    :: atomic { /* killed, and started again on the same file */
           producer_crashes > 0 ->
           producer_crashes--;
           do
           :: reply?_, _
           :: empty(reply) -> break
           od;
           connection = 1 - connection;
           acknowledged = 0;
           next = 1
       }
    :: acknowledged == RECORDS -> break
    od;
    lost = IS_LOST(1) || IS_LOST(2) || IS_LOST(RECORDS);
    assert(!lost)
}
