/* poison.pml: no record can stop the flow, and no innocent record is blamed.
 *
 * One batch of two records; record POISON crashes whoever works on it. Before each record the
 * processor writes its crumb, in a page that outlives it; its signal handler marks a fatal signal
 * there. Somebody may also kill it at any time (KILLS). The successor reports the page to ingest
 * before it overwrites it and binds, and so does the launcher: the same report may come twice,
 * and is lost when ingest dies before it is journaled. Ingest reads reports before it pushes (else
 * there is a crash more for each copy that is on the way without the mark). A report is a strike
 * in the journal, counted once for each incarnation and only while the batch is not done; a fatal
 * signal is evidence, a foreign kill only from the third on the same record. Two pieces of evidence
 * mark the record: replays carry the mark, and the processor passes that record on as a dead
 * letter, untouched.
 *
 * "endless": more crashes than two and one for each report that ingest's own death lost.
 * "innocent_dead": a record that crashed nobody is a dead letter, with fewer than four kills on it.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef KILLS
#define KILLS 2
#endif
#ifndef INGEST_CRASHES
#define INGEST_CRASHES 1
#endif
#ifndef POISON
#define POISON 2
#endif
#define RECORDS 2
#define CRASH_LIMIT (2 + INGEST_CRASHES)
#define KILLS_OF_EVIDENCE 3 /* from here on a foreign kill counts */
#define BIT(record) (1 << (record))
#define NO_SIGNAL 0
#define FATAL 1

/* The page of the worker's lock file. */
byte crumb;       /* record being worked on, 0 = idle */
bit signal;
byte incarnation; /* 0 .. : whose page it is */

/* Strikes: journal frames. */
byte fatal_strikes[RECORDS + 1], kill_strikes[RECORDS + 1];
byte counted = 255; /* incarnation of the last strike */

chan to_processor = [1] of { byte };      /* a copy of the batch: its set of marks */
chan to_exporter = [1] of { byte };       /* a finished copy: its set of dead records */
chan reports = [2] of { byte, bit, byte }; /* crumb, signal, incarnation */
bit replay = 1;   /* ingest has a reason to push the batch */
bit done, bound;
byte kills = KILLS, ingest_crashes = INGEST_CRASHES;
byte crashes_of_poison, kills_on[RECORDS + 1]; /* the model's own knowledge */

hidden byte endless, innocent_dead, poison_exported;

#define EVIDENCE(record) \
    (fatal_strikes[record] + (kill_strikes[record] >= KILLS_OF_EVIDENCE \
        -> kill_strikes[record] - KILLS_OF_EVIDENCE + 1 : 0))
#define MARK(record) (EVIDENCE(record) >= 2 -> BIT(record) : 0)
#define IS_KILLED \
    :: atomic { kills > 0 -> kills--; kills_on[working_on] = kills_on[working_on] + 1; goto dead }

#define REPORTS_PAGE \
    :: atomic { crumb != 0 && nfull(reports) -> reports!crumb, signal, incarnation } \
    :: crumb == 0
#ifdef REPORT_AFTER_BIND
#define MAY_PUSH (nfull(to_processor))
#else
#define MAY_PUSH (nfull(to_processor) && bound && empty(reports))
#endif

proctype Processor()
{
    byte marks, record, working_on;

starting: /* the page is the predecessor's until it was reported */
#ifdef CLEARED_BEFORE_REPORT
    skip;
    d_step { marks = crumb; record = signal; crumb = 0; signal = NO_SIGNAL }
    if
    :: atomic { marks != 0 && nfull(reports) -> reports!marks, record, incarnation }
    :: marks == 0
    IS_KILLED
    fi;
#else
    if
    REPORTS_PAGE
    IS_KILLED
    fi;
#endif
    d_step { marks = 0; record = 0; crumb = 0; signal = NO_SIGNAL; incarnation++; bound = 1 }
waiting:
end_idle:
    do
    :: atomic { to_processor?marks -> record = 1; break }
    IS_KILLED
    od;
    do
    :: atomic { record <= RECORDS && (marks & BIT(record)) -> record++ }
    :: atomic { record <= RECORDS && !(marks & BIT(record)) -> crumb = record; working_on = record }
        if
        :: atomic { record == POISON -> signal = FATAL; crashes_of_poison++;
               endless = crashes_of_poison > CRASH_LIMIT;
               assert(!endless);
               goto dead }
        :: record != POISON -> record++
        IS_KILLED
        fi
    :: atomic { record > RECORDS && nfull(to_exporter) -> to_exporter!marks; break }
    IS_KILLED
    od;
#ifdef CRUMB_KEPT
    atomic { marks = 0; record = 0; working_on = 0; goto waiting }
#else
    if
    :: atomic { crumb = 0; marks = 0; record = 0; working_on = 0; goto waiting }
    IS_KILLED
    fi;
#endif
dead:
    atomic { /* its upstream sees the disconnect; the launcher may report the page as well */
        marks = 0;
        record = 0;
        working_on = 0;
        if
        :: nempty(to_processor) -> to_processor?_
        :: empty(to_processor)
        fi;
        replay = 1;
        bound = 0;
        if
        REPORTS_PAGE
        :: skip
        fi;
        goto starting
    }
}

proctype Ingest()
{
    byte record, whose;
    bit kind;

end_idle:
    do
    :: atomic { replay && !done && MAY_PUSH ->
                replay = 0; to_processor!(MARK(1) | MARK(2)) }
    :: reports?record, kind, whose ->
        if
        :: d_step {
               if
#ifndef COUNTED_TWICE
               :: whose == counted
#endif
               :: done
               :: else ->
                   if
#ifdef KILL_IS_EVIDENCE
                   :: true -> fatal_strikes[record] = fatal_strikes[record] + 1
#else
                   :: kind == FATAL -> fatal_strikes[record] = fatal_strikes[record] + 1
                   :: else -> kill_strikes[record] = kill_strikes[record] + 1
#endif
                   fi;
                   counted = whose
               fi;
               record = 0;
               kind = 0;
               whose = 0
           }
        :: atomic { ingest_crashes > 0 -> ingest_crashes--; goto dead }
        fi
    :: atomic { ingest_crashes > 0 -> ingest_crashes--; goto dead }
    od;
dead:
    atomic {
        record = 0;
        kind = 0;
        whose = 0;
        do
        :: nempty(reports) -> reports?_, _, _
        :: empty(reports) -> break
        od;
#ifdef STRIKES_IN_MEMORY
        fatal_strikes[1] = 0;
        fatal_strikes[2] = 0;
        kill_strikes[1] = 0;
        kill_strikes[2] = 0;
        counted = 255;
#endif
        replay = 1;
        goto end_idle
    }
}

#define IS_INNOCENT_DEAD(record) \
    (record != POISON && (dead_records & BIT(record)) && kills_on[record] < KILLS_OF_EVIDENCE + 1)

proctype Exporter()
{
    byte dead_records;

end_idle:
    do
    :: d_step {
           to_exporter?dead_records ->
           innocent_dead = IS_INNOCENT_DEAD(1) || IS_INNOCENT_DEAD(2);
           assert(!innocent_dead);
           poison_exported = POISON != 0 && !(dead_records & BIT(POISON));
           assert(!poison_exported);
           done = 1;
           dead_records = 0
       }
    od
}

proctype Goal()
{
    done
}

init
{
    atomic {
        run Ingest();
        run Processor();
        run Exporter();
        run Goal()
    }
}
