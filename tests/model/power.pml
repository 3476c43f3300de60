/* power.pml: power loss. The window is gone, and any unsynced tail of the journal and of the spool.
 *
 * One journal, one spool, one sink that commits its cursor with its data elsewhere. CONTENTS
 * numbered contents come in; a seq names a content only through the journal, so a seq that is used
 * twice shows. Seqs are reserved in durable blocks of BLOCK.
 * With FSYNC: an acknowledged content is delivered exactly once, and the journal knows every frame
 * that the spool holds (else the audit's sums could not balance). Without: whatever came after the
 * last power loss is delivered exactly once.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef CONTENTS
#define CONTENTS 3
#endif
#ifndef POWER_LOSSES
#define POWER_LOSSES 2
#endif
#ifndef BLOCK
#define BLOCK 2
#endif
#define SEQS 6 /* each power loss may waste the rest of a block */

#ifdef FSYNC
#define MAY_ACKNOWLEDGE(seq) ((seq) <= journal_synced)
#ifdef EARLY_PUSH
#define MAY_PUSH(seq) (1)
#else
#define MAY_PUSH(seq) ((seq) <= journal_synced)
#endif
#ifdef EARLY_DONE
#define MAY_STORE_DONE(n) (1)
#else
#define MAY_STORE_DONE(n) ((n) < spool_synced)
#endif
#ifdef SINK_READS_UNSYNCED
#define MAY_DELIVER(n) (1)
#else
#define MAY_DELIVER(n) ((n) < spool_synced)
#endif
#else
#define MAY_ACKNOWLEDGE(seq) (1)
#define MAY_PUSH(seq) (1)
#define MAY_STORE_DONE(n) (1)
#define MAY_DELIVER(n) (1)
#endif
#ifdef TRIM_WITHOUT_WATERMARK
#define MAY_TRIM(n) (1)
#else
#define MAY_TRIM(n) (frame_seq[n] <= watermark)
#endif

byte content_of[SEQS + 1];         /* the journal: 0 = no frame */
byte journal_top, journal_synced;  /* last frame; last frame that survives power loss */
byte ceiling;                      /* durable: no seq above it was ever used */
byte watermark;                    /* durable */
byte frame_seq[SEQS], frame_content[SEQS]; /* the spool */
byte spool_length, spool_synced, spool_trimmed, cursor;
bit claimed[SEQS + 1], done[SEQS + 1]; /* the window */
byte received;                     /* contents that have come */
byte last_loss;                    /* contents that had come at the last power loss */
byte power_losses = POWER_LOSSES;
bit acknowledged[CONTENTS + 1];
byte delivered[CONTENTS + 1];
byte i, settled;

hidden byte delivered_twice, lost, unknown_to_journal;

inline take_content()
{
    received++;
    journal_top++;
    if
    :: journal_top > ceiling -> ceiling = ceiling + BLOCK /* synced before the seq is used */
    :: else
    fi;
    content_of[journal_top] = received
}

inline claim_and_append(seq)
{
    claimed[seq] = 1;
    frame_seq[spool_length] = seq;
    frame_content[spool_length] = content_of[seq];
    spool_length++
}

inline deliver()
{
    delivered[frame_content[cursor]]++;
    cursor++;
#ifdef FSYNC
    delivered_twice = delivered[frame_content[cursor - 1]] > 1;
    assert(!delivered_twice)
#endif
}

/* What start finds: done = in the spool, or at or below the durable watermark. */
inline rebuild_window()
{
    i = 1;
    do
    :: i <= SEQS -> claimed[i] = i <= watermark; done[i] = claimed[i]; i++
    :: else -> break
    od;
    i = spool_trimmed;
    do
    :: i < spool_length ->
        claimed[frame_seq[i]] = 1;
        done[frame_seq[i]] = 1;
#ifdef FSYNC
        unknown_to_journal = frame_seq[i] > watermark && content_of[frame_seq[i]] == 0;
        assert(!unknown_to_journal);
#endif
        i++
    :: else -> break
    od;
    i = 0
}

inline restart()
{
    journal_synced = journal_top;
    spool_synced = spool_length;
#ifndef NO_CLAMP
    if
    :: cursor > spool_length -> cursor = spool_length
    :: else
    fi;
#endif
    if
    :: spool_trimmed > spool_length -> spool_trimmed = spool_length
    :: else
    fi;
    d_step {
        rebuild_window();
#ifndef SEQ_REUSED
        journal_top = ceiling; /* go on above everything that may have been used */
#endif
        journal_synced = journal_top
    }
}

inline check_delivery()
{
    i = 1;
    do
    :: i <= CONTENTS ->
#ifdef FSYNC
        lost = acknowledged[i] && delivered[i] == 0;
        assert(!lost);
#endif
        lost = i > last_loss && delivered[i] == 0;
        assert(!lost);
        delivered_twice = i > last_loss && delivered[i] > 1;
        assert(!delivered_twice);
        i++
    :: else -> break
    od;
    i = 0
}

#define STEPS_OF_SEQ(seq) \
    :: d_step { content_of[seq] && MAY_ACKNOWLEDGE(seq) && !acknowledged[content_of[seq]] -> \
           acknowledged[content_of[seq]] = 1 } \
    :: d_step { content_of[seq] && MAY_PUSH(seq) && !claimed[seq] && spool_length < SEQS -> \
           claim_and_append(seq) }
#define STEPS_OF_FRAME(n) \
    :: d_step { n < spool_length && MAY_STORE_DONE(n) && !done[frame_seq[n]] -> \
           done[frame_seq[n]] = 1 }

active proctype System()
{
    do
    :: d_step { received < CONTENTS && journal_top < SEQS -> take_content() }
    :: d_step { journal_synced < journal_top -> journal_synced = journal_top }
    :: d_step { spool_synced < spool_length -> spool_synced = spool_length }
    STEPS_OF_SEQ(1) STEPS_OF_SEQ(2) STEPS_OF_SEQ(3)
    STEPS_OF_SEQ(4) STEPS_OF_SEQ(5) STEPS_OF_SEQ(6)
    STEPS_OF_FRAME(0) STEPS_OF_FRAME(1) STEPS_OF_FRAME(2)
    STEPS_OF_FRAME(3) STEPS_OF_FRAME(4) STEPS_OF_FRAME(5)
    :: d_step { /* the watermark advances; the journal is trimmed unless kept for replay */
           watermark < journal_top && (done[watermark + 1] || content_of[watermark + 1] == 0) ->
           watermark++;
#ifndef JOURNAL_KEPT
           content_of[watermark] = 0
#endif
       }
    :: d_step { cursor < spool_length && MAY_DELIVER(cursor) -> deliver() }
    :: d_step {
           spool_trimmed < cursor && spool_trimmed < spool_synced && MAY_TRIM(spool_trimmed) ->
           spool_trimmed++
       }
    :: atomic {
           power_losses > 0 && received > 0 ->
           power_losses--;
           last_loss = received;
           do
           :: journal_top > journal_synced -> content_of[journal_top] = 0; journal_top--
           :: break
           od;
           do
           :: spool_length > spool_synced ->
               spool_length--;
               frame_seq[spool_length] = 0;
               frame_content[spool_length] = 0
           :: break
           od;
           restart()
       }
    :: atomic {
           received == CONTENTS && cursor >= spool_length && spool_synced == spool_length &&
           journal_synced == journal_top ->
           d_step {
               settled = 1;
               i = 1;
               do
               :: i <= SEQS -> settled = settled && (content_of[i] == 0 || done[i]); i++
               :: else -> break
               od;
               i = 0
           }
           if
           :: settled -> check_delivery(); break
           :: else -> settled = 0
           fi
       }
    od
}
