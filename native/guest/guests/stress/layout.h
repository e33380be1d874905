/* SPDX-License-Identifier: GPL-2.0-only */
/* What steps.S knows of a step and of what it looks at: offsets, and how many instructions and branches its ways take.
 * A step's counts are these sums, and nothing that counted. */
#ifndef STRESS_LAYOUT_H
#define STRESS_LAYOUT_H

/* struct step */
#define STEP_KIND 0
#define STEP_ARGUMENTS 8
#define STEP_SPIN 40
#define STEP_TARGET 48
#define STEP_MARK 56
#define STEP_ME 64
#define STEP_INVOKED 72
#define STEP_RETURNED 80
#define STEP_RESULT 88
#define STEP_BEGAN 96
#define STEP_ENDED 104
#define STEP_BEFORE 112
#define STEP_AFTER (STEP_BEFORE + LOOK_SIZE)
#define STEP_SIZE 512

#define LOOK_WORDS 18
#define LOOK_SIZE (8 * LOOK_WORDS)

/* struct watched */
#define WATCHED_ENDED 0
#define WATCHED_EVENT 16
#define WATCHED_OVERFLOWS 24
#define WATCHED_TAKEN 128
#define WATCHED_BEGUN 136

/* Kinds of steps */
#define STEP_NONE 0
#define STEP_CALL 1
#define STEP_STOP 2
#define STEP_TAKE 3
#define STEP_WAIT 4

#define RESULT_SKIPPED 0x7fff0000

/* Instructions, and behind the comma, if there are any, branches: */
#define WAY_BEGIN 2            /* until it spins */
#define WAY_SPIN 2             /* a turn, 1 */
#define WAY_LOOK (1 + 2 * LOOK_WORDS)
#define WAY_TO_TICK 1          /* from a look's end: not before the exchange */
#define WAY_STAMP 4
#define WAY_CHOOSE (2 + WAY_STAMP + 2) /* from the exchange on, 1 */
#define WAY_ASK 4              /* of a stop, 1 */
#define WAY_SKIP 2             /* 1 */
#define WAY_TO_CALL 4
#define WAY_FROM_CALL 6        /* with the hypercall, 1 */
#define WAY_TAKE_ONE 9         /* 1 */
#define WAY_TAKE 3             /* all others, 1 */
#define WAY_TURN 5             /* of waiting, 1 */
#define WAY_WAIT 5             /* all others, 1 */
#define WAY_NEXT (2 + 3)       /* from the exchange on, 1 */

#endif
