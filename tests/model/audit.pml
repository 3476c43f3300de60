/* audit.pml: the audit's sums balance while everything moves, and show a fault.
 *
 * Batch s holds 2^(s-1) records, so that no two sets of batches have the same sum. Two exporters
 * append in any order; each frame stores its own count n, each segment's header the total of all
 * before it (one frame a segment here). Sinks read on, retention removes a spool's oldest segment
 * once every sink is past it and its seq is at or below the watermark. Meanwhile an auditor reads:
 *
 *   the header of each spool's oldest segment, then the watermark w, then the frames behind the
 *   headers; a frame whose segment went meanwhile sends it back to the start
 *
 * and compares received(top) with the headers and the frames of seq <= w plus what is in flight,
 * received(top) - received(w), both from the journal. FAULTS: how often a worker loses a record of
 * a batch, which the audit must show ("missed").
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 3
#endif
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef AUDITS
#define AUDITS 2
#endif
#define BIT(seq) (1 << (seq))
#define RECORDS(seq) (1 << ((seq)-1))
#define RECEIVED(seq) ((1 << (seq)) - 1) /* stored in the journal's frame `seq` */

typedef Spool {
    byte seq[BATCHES];    /* frames, in the order of appending; [0] is the first ever */
    byte n[BATCHES];      /* exported + filtered + dead */
    byte header[BATCHES]; /* total of all frames before this one */
    byte length, oldest;  /* frames 0 .. oldest-1 are removed */
};
Spool spool[2];
byte top, watermark;
byte done; /* set of seqs */
byte faulty = BATCHES + 1; /* lowest seq that lost a record (the model's own knowledge) */
byte faults = FAULTS;

hidden byte false_alarm, missed, balanced, in_flight;

inline append(slot, seq_, n_)
{
    spool[slot].seq[spool[slot].length] = seq_;
    spool[slot].n[spool[slot].length] = n_;
    if
    :: spool[slot].length > 0 ->
        spool[slot].header[spool[slot].length] =
            spool[slot].header[spool[slot].length - 1] + spool[slot].n[spool[slot].length - 1]
    :: else
    fi;
    spool[slot].length++
}

active proctype Ingest()
{
    do
    :: top < BATCHES -> top++
    :: d_step { watermark < top && (done & BIT(watermark + 1)) -> watermark++ }
    :: watermark == BATCHES -> break
    od
}

#define APPENDS(slot, s) \
    :: d_step { s <= top && !(done & BIT(s)) -> \
           append(slot, s, RECORDS(s)); done = done | BIT(s) } \
    :: d_step { s <= top && !(done & BIT(s)) && faults > 0 -> \
           faults--; \
           append(slot, s, RECORDS(s) - 1); done = done | BIT(s); \
           if \
           :: s < faulty -> faulty = s \
           :: else \
           fi }
#define REMOVES(slot) \
    :: d_step { spool[slot].oldest < spool[slot].length && \
                spool[slot].seq[spool[slot].oldest] <= watermark && \
                spool[slot].oldest < spool[slot].length - 1 -> spool[slot].oldest++ }

active proctype Exporters()
{
end_idle:
    do
    APPENDS(0, 1)
    APPENDS(1, 1)
    APPENDS(0, 2)
    APPENDS(1, 2)
    APPENDS(0, 3)
    APPENDS(1, 3)
    REMOVES(0)
    REMOVES(1)
    od
}

inline read_header(slot)
{
    first[slot] = spool[slot].oldest;
#ifdef NO_HEADER_TOTALS
    sum = sum + 0
#else
    sum = sum + (spool[slot].length > 0 -> spool[slot].header[spool[slot].oldest] : 0)
#endif
}

active proctype Auditor()
{
    byte audits = AUDITS, w, x, i, sum, first[2];

    do
    :: audits == 0 -> break
    :: audits > 0 ->
        atomic { audits--; sum = 0; w = 0; x = 0 }
#ifdef WATERMARK_FIRST
        w = watermark;
#endif
        d_step { read_header(0) }
        d_step { read_header(1) }
#ifndef WATERMARK_FIRST
        w = watermark;
#endif
        i = first[0];
        do
        :: atomic { x < 2 && i < spool[x].oldest -> /* removed meanwhile: start again, later */
                    x = 3 }
        :: d_step { x < 2 && i >= spool[x].oldest && i < spool[x].length ->
               if
               :: spool[x].seq[i] <= w -> sum = sum + spool[x].n[i]
               :: else
               fi;
               i++ }
        :: atomic { x < 2 && i >= spool[x].length -> x++; i = (x < 2 -> first[1] : 0) }
        :: x >= 2 -> break
        od;
        if
        :: x == 3
        :: d_step {
               x == 2 ->
#ifdef TAUTOLOGY
               in_flight = RECEIVED(top) - sum;
#else
               in_flight = RECEIVED(top) - RECEIVED(w);
#endif
               balanced = RECEIVED(top) == sum + in_flight;
               false_alarm = !balanced && faulty > w;
               missed = balanced && faulty <= w
           }
           assert(!false_alarm);
           assert(!missed)
        fi
    od
}
