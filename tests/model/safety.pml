/* safety.pml: every batch is appended to exactly one spool, exactly once.
 *
 * The network is the strongest that can be: a copy that was ever pushed may reach any exporter at
 * any time, any number of times, or never (`pushed` only grows). That covers loss, replay, stale
 * copies held by a stopped worker and copies that come after their window slot was reused.
 * Exporters, ingest and a third party that settles may die between any two steps. The journal is
 * trimmed to the watermark at once, and the spool to its last TAIL frames at once.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef BATCHES
#define BATCHES 3 /* in each journal, seq 1 .. BATCHES */
#endif
#ifndef WINDOW
#define WINDOW 2 /* slots of the ring */
#endif
#ifndef JOURNALS
#define JOURNALS 1
#endif
#ifndef CLAIMS
#define CLAIMS 1 /* an exporter holds at most this many */
#endif
#ifndef TAIL
#define TAIL CLAIMS /* last whole frames of a spool that settling reads */
#endif
#ifndef EXPORTER_CRASHES
#define EXPORTER_CRASHES 1
#endif
#ifndef INGEST_CRASHES
#define INGEST_CRASHES 1
#endif
#ifndef SETTLER_CRASHES
#define SETTLER_CRASHES 0
#endif
#ifndef SETTLINGS
#define SETTLINGS 1 /* how often a third party settles */
#endif
#ifndef GIVE_BACKS
#define GIVE_BACKS 0 /* how often the disk is full with a batch half appended */
#endif
#ifndef SEQ_MOD
#define SEQ_MOD 16 /* a word keeps the seq modulo this; 16 is whole here */
#endif
#ifdef SLOT_REUSED_EARLY
#define IN_FLIGHT_MAX (WINDOW + 1)
#else
#define IN_FLIGHT_MAX WINDOW
#endif

/* A word of the window. 0: never used (or, with FREE_FIRST, freed). */
#define SENT 1
#define CLAIMED 2
#define DONE 3
#define WORD(seq, state, slot) ((((seq) % SEQ_MOD) << 3) | ((state) << 1) | (slot))
#define SEQ_OF(word) ((word) >> 3)
#define STATE_OF(word) (((word) >> 1) & 3)
#define SLOT_OF(word) ((word)&1)
#define CARRIES(word, seq) (STATE_OF(word) != 0 && SEQ_OF(word) == (seq) % SEQ_MOD)

#define BIT(seq) (1 << (seq))
#define IDENTITY(journal, seq) ((journal)*BATCHES + (seq))
#define JOURNAL_OF(identity) (((identity)-1) / BATCHES)
#define NUMBER_OF(identity) (((identity)-1) % BATCHES + 1)

#define NOBODY 0
#define EXPORTER 1
#define SETTLER 2

typedef Journal {
    byte top;          /* frames appended */
    byte word[WINDOW]; /* survives every process */
    byte pushed;       /* set of seqs: a copy may be on the way */
    byte spooled;      /* set of seqs: in some spool (the model's own knowledge) */
    byte trimmed;      /* up to here the journal is gone */
};
typedef Spool {
    byte frame[TAIL + 1]; /* identities; [0] is the last whole frame */
    bit torn;             /* a part of a frame stands behind it */
};
Journal journal[JOURNALS];
Spool spool[2];
byte lock[2];
byte exporter_crashes = EXPORTER_CRASHES, ingest_crashes = INGEST_CRASHES;
byte settler_crashes = SETTLER_CRASHES, give_backs = GIVE_BACKS;

hidden byte appended_twice, lost, behind_torn_frame, settled_after_trim;

#define EXPORTER_DIES :: atomic { exporter_crashes > 0 -> exporter_crashes--; goto dead }
#define SETTLER_DIES :: atomic { settler_crashes > 0 -> settler_crashes--; goto dead }
#define INGEST_DIES :: atomic { ingest_crashes > 0 -> ingest_crashes--; goto dead }

/* One word, one step: sound under the slot's lock, as only its holder changes CLAIMED(slot). */
inline settle_word(j_, i_, slot_)
{
    if
    :: STATE_OF(journal[j_].word[i_]) == CLAIMED && SLOT_OF(journal[j_].word[i_]) == slot_ ->
        k = 0;
        found = 0;
        do
        :: k < TAIL ->
            if
            :: spool[slot_].frame[k] && JOURNAL_OF(spool[slot_].frame[k]) == j_ &&
               NUMBER_OF(spool[slot_].frame[k]) % SEQ_MOD == SEQ_OF(journal[j_].word[i_]) ->
                found = 1
            :: else
            fi;
            k++
        :: else -> break
        od;
        if
        :: found -> journal[j_].word[i_] = WORD(SEQ_OF(journal[j_].word[i_]), DONE, 0)
        :: else ->
            settled_after_trim = SEQ_MOD > BATCHES &&
                SEQ_OF(journal[j_].word[i_]) <= journal[j_].trimmed;
            assert(!settled_after_trim);
            journal[j_].word[i_] = WORD(SEQ_OF(journal[j_].word[i_]), SENT, 0)
        fi;
        k = 0;
        found = 0
    :: else
    fi
}

/* Settles every word of every window that carries this slot; j and i are the caller's. */
#define SETTLE_ALL(slot, DIES) \
    do \
    :: d_step { j < JOURNALS -> settle_word(j, i, slot); i++; \
                if :: i == WINDOW -> i = 0; j++ :: else fi } \
    DIES \
    :: atomic { j == JOURNALS -> j = 0; break } \
    od

#define CLAIM(j_, seq_) \
    :: atomic { (journal[j_].pushed & BIT(seq_)) && \
                journal[j_].word[(seq_) % WINDOW] == WORD(seq_, SENT, 0) -> \
           journal[j_].word[(seq_) % WINDOW] = WORD(seq_, CLAIMED, me); \
           held[n] = IDENTITY(j_, seq_); n++ }
#if BATCHES > 2
#define CLAIM_3(j_) CLAIM(j_, 3)
#else
#define CLAIM_3(j_)
#endif
#if BATCHES > 3
#define CLAIM_4(j_) CLAIM(j_, 4)
#else
#define CLAIM_4(j_)
#endif
#if BATCHES > 4
#define CLAIM_5(j_) CLAIM(j_, 5)
#else
#define CLAIM_5(j_)
#endif
#define CLAIM_ANY(j_) CLAIM(j_, 1) CLAIM(j_, 2) CLAIM_3(j_) CLAIM_4(j_) CLAIM_5(j_)

inline store_done(identity_)
{
    journal[JOURNAL_OF(identity_)].word[NUMBER_OF(identity_) % WINDOW] =
        WORD(NUMBER_OF(identity_), DONE, 0)
}

inline append_frame(identity_)
{
    j = JOURNAL_OF(identity_);
    appended_twice = (journal[j].spooled & BIT(NUMBER_OF(identity_))) != 0;
    assert(!appended_twice);
    journal[j].spooled = journal[j].spooled | BIT(NUMBER_OF(identity_));
    j = 0;
    k = TAIL;
    do
    :: k > 0 -> spool[me].frame[k] = spool[me].frame[k - 1]; k--
    :: else -> break
    od;
    spool[me].frame[0] = identity_;
    spool[me].frame[TAIL] = 0; /* the sink was faster and retention took it */
    spool[me].torn = 0
}

proctype Exporter(bit me)
{
    byte j, i, k, n;
    byte held[CLAIMS];
    bit found;

starting:
end_waiting_for_lock:
    atomic {
        lock[me] == NOBODY -> lock[me] = EXPORTER;
#ifdef NO_CUT
        behind_torn_frame = spool[me].torn;
        assert(!behind_torn_frame)
#else
        spool[me].torn = 0
#endif
    }
#ifndef NO_SETTLE
    SETTLE_ALL(me, EXPORTER_DIES);
#endif

claiming:
end_idle:
    if
    CLAIM_ANY(0)
#if JOURNALS > 1
    CLAIM_ANY(1)
#endif
    EXPORTER_DIES
#if CLAIMS > 1
    :: n > 0 -> goto appending
#endif
    fi;
    if
    :: n < CLAIMS -> goto claiming
    :: else
    fi;

appending:
    do
#ifdef DONE_FIRST
    :: d_step { i < n && !spool[me].torn -> store_done(held[i]); spool[me].torn = 1 }
#else
    :: atomic { i < n && !spool[me].torn -> spool[me].torn = 1 }
#endif
    :: d_step { i < n && spool[me].torn -> append_frame(held[i]); i++ }
#if GIVE_BACKS > 0
    :: d_step { /* no space: cut the partial frame, then give the claim back */
           CLAIMS == 1 && n == 1 && i == 0 && spool[me].torn && give_backs > 0 ->
           give_backs--;
#ifndef GIVE_BACK_UNCUT
           spool[me].torn = 0;
#endif
           journal[JOURNAL_OF(held[0])].word[NUMBER_OF(held[0]) % WINDOW] =
               WORD(NUMBER_OF(held[0]), SENT, 0);
           held[0] = 0;
           n = 0;
           behind_torn_frame = spool[me].torn;
           assert(!behind_torn_frame)
       }
#endif
    EXPORTER_DIES
    :: atomic { i == n -> i = 0; break }
    od;
    do
    :: d_step { i < n -> store_done(held[i]); held[i] = 0; i++ }
    EXPORTER_DIES
    :: atomic { i == n -> i = 0; n = 0; break }
    od;
    goto claiming;

dead:
    atomic {
        j = 0;
        i = 0;
        n = 0;
        held[0] = 0;
#if CLAIMS > 1
        held[1] = 0;
#endif
        lock[me] = NOBODY;
        goto starting
    }
}

/* Ingest's scan, another ingest, the launcher: whoever settles for a slot without a successor. */
proctype Settler()
{
    byte j, i, k, left = SETTLINGS;
    bit found, slot;

starting:
end_idle:
    if
    :: left == 0 -> goto finished
#ifdef NO_LOCK
    :: left > 0 -> slot = 0; left-- /* holds the worker for dead */
    :: left > 0 -> slot = 1; left--
#else
    :: atomic { left > 0 && lock[0] == NOBODY -> slot = 0; lock[0] = SETTLER; left-- }
    :: atomic { left > 0 && lock[1] == NOBODY -> slot = 1; lock[1] = SETTLER; left-- }
#endif
    fi;
    SETTLE_ALL(slot, SETTLER_DIES);
dead:
    atomic {
        j = 0;
        i = 0;
#ifndef NO_LOCK
        lock[slot] = NOBODY;
#endif
        slot = 0;
        goto starting
    }
finished:
    skip
}

/* Is seq done, by the word alone? No word is ever freed: DONE stays until its slot is reused. */
#define IS_DONE(j_, seq_) \
    (SEQ_OF(journal[j_].word[(seq_) % WINDOW]) > (seq_) || \
     journal[j_].word[(seq_) % WINDOW] == WORD(seq_, DONE, 0))

inline derive_watermark(j_)
{
#ifdef FREE_FIRST
    watermark = journal[j_].trimmed /* kept in a file, as words can be free */
#else
    if
    :: journal[j_].top > WINDOW -> watermark = journal[j_].top - WINDOW
    :: else
    fi;
    do
    :: watermark < journal[j_].top && IS_DONE(j_, watermark + 1) -> watermark++
    :: else -> break
    od
#endif
}

inline check_in_spool(j_, seq_)
{
    lost = (journal[j_].spooled & BIT(seq_)) == 0;
    assert(!lost)
}

proctype Ingest(byte me)
{
    byte watermark, seq;

starting:
    skip;
    d_step { derive_watermark(me); seq = watermark + 1 }
    do /* what the journal holds above the watermark gets its word, unless it has one */
    :: d_step {
           seq <= journal[me].top ->
           if
#ifndef BLIND_RESTART
           :: CARRIES(journal[me].word[seq % WINDOW], seq)
#endif
           :: else -> journal[me].word[seq % WINDOW] = WORD(seq, SENT, 0)
           fi;
           journal[me].pushed = journal[me].pushed | BIT(seq);
           seq++
       }
    INGEST_DIES
    :: atomic { seq > journal[me].top -> seq = 0; break }
    od;

    do
    :: journal[me].top < BATCHES && journal[me].top - watermark < IN_FLIGHT_MAX ->
        journal[me].top++; /* the journal has it: the acknowledgement may go */
        if
        :: journal[me].word[journal[me].top % WINDOW] = WORD(journal[me].top, SENT, 0)
        INGEST_DIES
        fi;
        if
        :: journal[me].pushed = journal[me].pushed | BIT(journal[me].top)
        INGEST_DIES
        fi
#ifdef FREE_FIRST
    :: d_step {
           watermark < journal[me].top &&
           journal[me].word[(watermark + 1) % WINDOW] == WORD(watermark + 1, DONE, 0) ->
           check_in_spool(me, watermark + 1);
           journal[me].word[(watermark + 1) % WINDOW] = 0
       }
       if
       :: d_step { journal[me].trimmed = watermark + 1; watermark++ }
       INGEST_DIES
       fi
#else
    :: d_step {
           watermark < journal[me].top && IS_DONE(me, watermark + 1) ->
           check_in_spool(me, watermark + 1);
           watermark++;
           journal[me].trimmed = watermark
       }
#endif
    INGEST_DIES
    :: watermark == BATCHES -> break
    od;
end_all_done:
    false;

dead:
    atomic { watermark = 0; seq = 0; goto starting }
}

init
{
    atomic {
        run Ingest(0);
#if JOURNALS > 1
        run Ingest(1);
#endif
        run Exporter(0);
        run Exporter(1);
#if SETTLINGS > 0
        run Settler()
#endif
    }
}
