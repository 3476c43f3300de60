/* numbers.pml: no number of a batch is given out twice: not after a power loss that took frames and
 * words, not when the journal's last frame is damaged or cut while the machine runs on, and not
 * when the window is gone as well.
 *
 * durability = disk: nothing is synced but the ceiling's file. CONTENTS numbered contents are taken
 * in; a number names a content only through the journal, and a copy on its way carries both. Ingest
 * dies between any two steps. A start of the machine takes any tail of journal and spool, the
 * window, and all copies; damage takes the journal's last frame, with copies still on their way.
 *
 * Whatever was taken in after the last start of the machine is delivered exactly once, but what was
 * in a damaged frame: that at most once. The end is reached.
 *
 * Mutations: see README.md. The default is the protocol. */
#ifndef CONTENTS
#define CONTENTS 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef POWER_LOSSES
#define POWER_LOSSES 1
#endif
#ifndef DAMAGES
#define DAMAGES 1
#endif
#ifndef REMOVALS
#define REMOVALS 0 /* how often somebody removes the window while nothing runs */
#endif
#ifndef SEQS
#define SEQS 10 /* 10 or 14: each skip may waste the rest of a block */
#endif
#define BLOCK 1 /* numbers reserved beyond the next one */
#define BIT(n) (1 << (n))

#define SENT 1
#define DONE 2

byte content_of[SEQS + 1];  /* the journal: 0 = no frame */
byte top;                   /* its last frame */
byte watermark;             /* as the journal notes it */
byte ceiling, floor;        /* their file: synced before a number of the block is used */
bit of_this_start;          /* the file is of this start of the machine */
byte unsynced_ceiling;      /* with CEILING_UNSYNCED: what a power loss leaves of it */

byte word[SEQS + 1];        /* the window; it is ahead of the ring's end here */
bit has_window;
byte flying[SEQS + 1];      /* sets of contents: copies on their way under this number */
byte frame_seq[SEQS], frame_content[SEQS], length; /* the spool */

bit up;                     /* ingest, and what it has in memory: */
byte next, given;           /* the next number; one that is in the journal and not SENT yet */

byte received;              /* contents that have come */
byte last_loss;             /* contents that had come at the last power loss */
byte damaged;               /* set of contents */
byte crashes = CRASHES, power_losses = POWER_LOSSES, damages = DAMAGES, removals = REMOVALS;
byte i, n;
bit found;

hidden byte appended_twice, delivered_twice, lost;

inline find_top()
{
    top = SEQS;
    do
    :: top > 0 && content_of[top] == 0 -> top--
    :: else -> break
    od
}

inline find_in_spool(seq_)
{
    found = 0;
    n = 0;
    do
    :: n < length -> found = found || frame_seq[n] == seq_; n++
    :: else -> break
    od;
    n = 0
}

inline ingest_dies()
{
    up = 0;
    next = 0;
    given = 0
}

/* The journal, then its ceiling: which number is next. */
inline open_journal()
{
    find_top();
    next = (top > watermark -> top : watermark) + 1;
#ifndef NO_CEILING
    if
    :: of_this_start ->
#ifndef NO_FLOOR
        next = (next < floor -> floor : next)
#else
        skip
#endif
    :: else -> next = (next <= ceiling -> ceiling + 1 : next)
    fi
#endif
}

/* Then the window: it may know higher ones; where there is none, nobody knows. */
inline skip_unknown()
{
#if !defined(WINDOW_NOT_ASKED) && !defined(NO_CEILING)
    i = next;
    do
    :: i <= SEQS -> next = (has_window && word[i] -> i + 1 : next); i++
    :: else -> break
    od;
#endif
#if !defined(NO_SKIP_WITHOUT_WINDOW) && !defined(NO_CEILING)
    next = (!has_window && next <= ceiling -> ceiling + 1 : next);
#endif
    i = 0
}

/* Words for all numbers above the watermark that have none. */
inline fill_window()
{
    i = 1;
    do
    :: i < next && i <= SEQS ->
        find_in_spool(i);
        if
        :: has_window && word[i]
        :: else ->
            found = i <= watermark || content_of[i] == 0 || (found && !has_window);
            word[i] = (found -> DONE : SENT)
        fi;
        i++
    :: else -> break
    od;
    has_window = 1;
    found = 0;
    i = 0
}

inline start()
{
    open_journal();
    skip_unknown();
    fill_window();
    up = 1
}

inline reserve()
{
    unsynced_ceiling = ceiling;
    ceiling = next + BLOCK;
    floor = next;
    of_this_start = 1
}

inline append_to_journal()
{
    received++;
    content_of[next] = received;
    top = next;
    given = next;
    next++
}

inline send()
{
    if
    :: word[given] == 0 -> word[given] = SENT
    :: else /* a word that carries the number is never overwritten */
    fi;
    given = 0
}

inline append_to_spool(seq_, content_)
{
    find_in_spool(seq_);
    appended_twice = found;
    assert(!appended_twice);
    found = 0;
    frame_seq[length] = seq_;
    frame_content[length] = content_;
    length++;
    word[seq_] = DONE
}

inline lose_power()
{
    power_losses--;
    last_loss = received;
    ingest_dies();
    find_top();
    do
    :: top > 0 -> content_of[top] = 0; find_top()
    :: break
    od;
    do
    :: watermark > top -> watermark-- /* its note lies behind the frames */
    :: watermark > 0 -> watermark--
    :: watermark <= top -> break
    od;
    do
    :: length > 0 -> length--; frame_seq[length] = 0; frame_content[length] = 0
    :: break
    od;
#ifdef CEILING_UNSYNCED
    if
    :: ceiling = unsynced_ceiling
    :: skip
    fi;
#endif
    d_step {
        i = 1;
        do
        :: i <= SEQS -> word[i] = 0; flying[i] = 0; i++
        :: else -> break
        od;
        i = 0;
        has_window = 0;
        of_this_start = 0
    }
}

inline damage_last_frame()
{
    find_top();
    damaged = damaged | BIT(content_of[top]);
    content_of[top] = 0;
    find_top();
    damages--
}

inline remove_window()
{
    removals--;
    has_window = 0;
    i = 1;
    do
    :: i <= SEQS -> word[i] = 0; i++
    :: else -> break
    od;
    i = 0
}

inline check_delivery()
{
    i = last_loss + 1;
    do
    :: i <= CONTENTS ->
        found = 0;
        n = 0;
        do
        :: n < length ->
            delivered_twice = found && frame_content[n] == i;
            assert(!delivered_twice);
            found = found || frame_content[n] == i;
            n++
        :: else -> break
        od;
        lost = !found && !(damaged & BIT(i));
        assert(!lost);
        i++
    :: else -> break
    od;
    i = 0;
    n = 0;
    found = 0
}

#define TAKES(seq, content) \
    :: d_step { (flying[seq] & BIT(content)) && has_window && word[seq] == SENT && \
                length < SEQS -> append_to_spool(seq, content) }
#define STEPS_OF_SEQ(seq) \
    :: d_step { up && given != seq && word[seq] == SENT && content_of[seq] && \
                !(flying[seq] & BIT(content_of[seq])) -> \
                flying[seq] = flying[seq] | BIT(content_of[seq]) } \
    :: d_step { up && given != seq && word[seq] == SENT && content_of[seq] == 0 -> \
                word[seq] = DONE /* its frame is damaged: given up */ } \
    TAKES(seq, 1) TAKES(seq, 2) TAKES(seq, 3)

active proctype System()
{
    do
    :: d_step { !up -> start() }
    :: d_step { up && given == 0 && received < CONTENTS && next > ceiling && next < SEQS ->
                reserve() }
    :: d_step { up && given == 0 && received < CONTENTS && next <= ceiling && next <= SEQS ->
                append_to_journal() }
    :: d_step { up && given -> send() }
    STEPS_OF_SEQ(1) STEPS_OF_SEQ(2) STEPS_OF_SEQ(3) STEPS_OF_SEQ(4) STEPS_OF_SEQ(5)
    STEPS_OF_SEQ(6) STEPS_OF_SEQ(7) STEPS_OF_SEQ(8) STEPS_OF_SEQ(9) STEPS_OF_SEQ(10)
#if SEQS > 10
    STEPS_OF_SEQ(11) STEPS_OF_SEQ(12) STEPS_OF_SEQ(13) STEPS_OF_SEQ(14)
#endif
    :: d_step { up && watermark < SEQS && watermark + 1 < next && word[watermark + 1] == DONE ->
                watermark++ }
    :: d_step { up && crashes > 0 -> crashes--; ingest_dies() }
    :: atomic { power_losses > 0 && received > 0 -> lose_power() }
    :: d_step { !up && damages > 0 && top > 0 -> damage_last_frame() }
    :: d_step { !up && removals > 0 && has_window -> remove_window() }
    :: atomic { up && received == CONTENTS && given == 0 && watermark + 1 == next ->
                check_delivery();
                break }
    od
}
