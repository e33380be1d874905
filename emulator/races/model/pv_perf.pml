/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host core's protocol: vCPUs open, enable, disable and close events, a timer's NMIs overflow them, and each
 * vCPU syncs what is queued for it before it enters its guest. emulator/races/model/system.py is the same transition
 * system, step for step: both reach as many states.
 *
 * A step is what no other thread can look into: between two steps lies a lock, an atomic or a wait of the core.
 * Sizes: VCPUS, IDS (1 to 3), OPS of each vCPU, NMIS, LIMIT of open events, CAPACITY of a vCPU's queue.
 * Designs: nothing (per-vm), PER_VCPU, NO_REFCOUNT; LOCKLESS is the NMI policy of that name, else it is deferred.
 * Defects: NO_REFERENCE, CHECK_THEN_INCREMENT, READ_MODIFY_WRITE, STRANDED_MISS, RAW_POINTER, FULL_DROPS, KEPT_MUTEX,
 * LATE_NMI, CLOSED_LEADER.
 * O10 is deadlock: that nobody can go on, though not all are at rest.
 * An id is opened once; id 1 may join the group of id 0 by that, of which nothing but its beginning is modelled. A lock holds who has it, 0 for nobody; so do home, queued and deferred (vCPU + 1).
 */
#define NMI (VCPUS + 1)
#define MOVED (VCPUS + 1)

byte open, nmis;
byte timer;          /* of which event it raises an NMI (event + 1) */
byte mutex[VCPUS];   /* event_mutex of a vCPU */
byte used[IDS], table[IDS], closed[IDS], freed[IDS];
byte refs[IDS], lock[IDS];
byte home[IDS];      /* on which vCPU it counts */
byte shadow[IDS];    /* overflows that the guest has not seen */
byte owed[IDS];      /* the ledger: what has come, less what was delivered or dropped at its end */
byte queued[IDS], deferred[IDS];
byte due[IDS];       /* which vCPU's guest is owed an NMI for it (vCPU + 1), or MOVED: the one where it arrives */
bool judged;
byte pcs[VCPUS], done[VCPUS];

#define IDLE 0
#define INSERT 1
#define LOCK 2
#define BODY 3
#define HOLD 4
#define DETACH 5
#define ARRIVE 6
#define ATTACH 7
#define FINISH 8
#define FINISHED 9
#define UNLOCK 10
#define DROP 11
#define DRAIN 12
#define ENQUEUE 13
#define DELIVER 14
#define DELIVERED 15
#define SYNCED 16
#define TRY 17
#define QUEUE 18
#define DEFER 19

#define OPEN 1
#define ENABLE 2
#define DISABLE 3
#define CLOSE 4
#define JOIN 5

/* A sum over the ids: how many there are with COND(e); how many are queued on a vCPU. */
#if IDS == 1
#define SUM(COND) (COND(0))
#define LENGTH(vcpu) (queued[0] == vcpu + 1)
#elif IDS == 2
#define SUM(COND) ((COND(0)) + (COND(1)))
#define LENGTH(vcpu) ((queued[0] == vcpu + 1) + (queued[1] == vcpu + 1))
#else
#define SUM(COND) ((COND(0)) + (COND(1)) + (COND(2)))
#define LENGTH(vcpu) ((queued[0] == vcpu + 1) + (queued[1] == vcpu + 1) + (queued[2] == vcpu + 1))
#endif
#define MY_QUEUED(e) (queued[e] == me + 1)
#define MY_DEFERRED(e) (deferred[e] == me + 1)
#define PENDING (SUM(MY_QUEUED) + SUM(MY_DEFERRED) > 0)

#ifdef PER_VCPU
#define FOUND(e) (table[e] == me + 1)
#define ENTRY (me + 1)
#else
#define FOUND(e) (table[e] != 0)
#define ENTRY 1
#endif

/* The oracles. What is printed last in a trail names the one that is violated. */
#define CHECK(oracle, held) if :: (held) :: else -> printf(oracle); assert(held) fi
#define USE(e) CHECK("violates O1 memory\n", freed[e] == 0)

inline release_event(e) /* nobody references it */
{
	CHECK("violates O2 references\n", home[e] == 0);
	freed[e] = 1;
	owed[e] = owed[e] - shadow[e];
	shadow[e] = 0
}

inline take(e)
{
	USE(e);
#ifndef NO_REFCOUNT
	refs[e]++
#endif
}

inline put(e)
{
#ifndef NO_REFCOUNT
	USE(e);
	CHECK("violates O2 references\n", refs[e] > 0);
	refs[e]--;
	if
	:: refs[e] == 0 -> release_event(e)
	:: else
	fi
#else
	skip
#endif
}

inline found(e)
{
#ifndef NO_REFERENCE
	take(e)
#else
	skip
#endif
}

/* The queue of a vCPU, its event_mutex held. */
inline queue_add(e, vcpu)
{
	if
	:: queued[e] == 0 ->
		queued[e] = vcpu + 1;
#ifndef RAW_POINTER
		take(e)
#endif
	:: else
	fi
}

inline put_queued(e)
{
#ifndef RAW_POINTER
	put(e)
#else
	skip
#endif
}

inline defer(e, vcpu)
{
	if
	:: deferred[e] == 0 ->
		deferred[e] = vcpu + 1;
		take(e)
	:: else
	fi
}

inline insert(id, entry)
{
	open++;
	used[id] = 1;
	table[id] = entry;
	refs[id] = 1;
	CHECK("violates O3 limit\n", open <= LIMIT)
}

inline deliver(e, n)
{
	owed[e] = owed[e] - n;
	shadow[e] = 0;
	n = 0
}

#define MAY_CALL (pc == IDLE && !judged && done[me] < OPS)
#define BEGIN(call, id, next) done[me]++; op = call; e = id; pc = next
#define END_CALL op = 0; e = 0; pc = IDLE

#ifdef CHECK_THEN_INCREMENT
#define OPEN_CALL(id) if \
	:: open < LIMIT -> BEGIN(OPEN, id, INSERT) \
	:: else -> done[me]++ \
	fi
#else
#define OPEN_CALL(id) done[me]++; if \
	:: open < LIMIT -> insert(id, ENTRY) \
	:: else \
	fi
#endif

#define CALLS(id) \
	:: d_step { MAY_CALL && used[id] == 0 -> printf("vCPU %d: OPEN %d\n", me, id); OPEN_CALL(id) } \
	:: d_step { MAY_CALL && FOUND(id) -> printf("vCPU %d: ENABLE %d\n", me, id); \
		found(id); BEGIN(ENABLE, id, LOCK) } \
	:: d_step { MAY_CALL && FOUND(id) -> printf("vCPU %d: DISABLE %d\n", me, id); \
		found(id); BEGIN(DISABLE, id, LOCK) } \
	:: d_step { MAY_CALL && FOUND(id) -> printf("vCPU %d: CLOSE %d\n", me, id); \
		found(id); BEGIN(CLOSE, id, LOCK) }

inline detach(e)
{
	USE(e);
#ifdef KEPT_MUTEX
	if
	:: op == CLOSE
	:: else -> mutex[home[e] - 1] = 0
	fi;
#else
	mutex[home[e] - 1] = 0;
#endif
#ifndef RAW_POINTER
	if
	:: queued[e] -> queued[e] = 0; put(e)
	:: else
	fi;
#endif
	if
	:: deferred[e] -> deferred[e] = 0; put(e)
	:: else
	fi;
	home[e] = 0;
#ifndef LATE_NMI
	due[e] = (due[e] && op == ENABLE -> MOVED : 0);
#endif
	put(e);
	pcs[_pid] = (op == ENABLE -> ARRIVE : (op == DISABLE -> FINISH : UNLOCK))
}

/* What is queued is taken in any order, and as much as the vCPU likes: what comes while it syncs may wait. */
#define SYNCS(id) \
	:: d_step { pc == DRAIN && MY_DEFERRED(id) && (queued[id] || LENGTH(me) < CAPACITY) -> \
		printf("vCPU %d: drains event %d\n", me, id); \
		deferred[id] = 0; USE(id); e = id; pc = ENQUEUE } \
	:: d_step { pc == DRAIN && MY_QUEUED(id) -> printf("vCPU %d: takes event %d from its queue\n", me, id); \
		queued[id] = 0; USE(id); e = id; pc = DELIVER }

/* One NMI is for all events that one is owed for. */
#define IS_DUE(e) (due[e] == me + 1)
#define IS_TOLD (SUM(IS_DUE) > 0)
#define TELL(e) \
		if \
		:: IS_DUE(e) -> CHECK("violates O11 NMIs\n", home[e] == me + 1); due[e] = 0 \
		:: else \
		fi;

/* A guest calls, in any order. What is pending is synced between two calls, now or later. */
active [VCPUS] proctype vcpu()
{
	byte op, e, n;
#define me _pid
#define pc pcs[me]

	do
	CALLS(0)
#if IDS > 1
	CALLS(1)
	:: d_step { MAY_CALL && used[1] == 0 && FOUND(0) -> printf("vCPU %d: OPEN2 1 into the group of 0\n", me);
		found(0); BEGIN(JOIN, 0, LOCK) }
#endif
#if IDS > 2
	CALLS(2)
#endif
#ifdef CHECK_THEN_INCREMENT
	:: d_step { pc == INSERT -> printf("vCPU %d: OPEN %d: counted\n", me, e);
		if
		:: used[e] == 0 -> insert(e, ENTRY)
		:: else
		fi;
		END_CALL }
#endif
	:: d_step { pc == LOCK && (freed[e] || lock[e] == 0) -> printf("vCPU %d: locks event %d\n", me, e);
		USE(e);
		lock[e] = me + 1;
		pc = BODY }
	:: d_step { pc == BODY -> printf("vCPU %d: works on event %d\n", me, e);
		USE(e);
		if
		:: op == CLOSE && !closed[e] ->
			closed[e] = 1; table[e] = 0; open--;
			pc = (home[e] -> HOLD : UNLOCK)
		:: op == CLOSE && closed[e] -> op = DISABLE; pc = UNLOCK /* whoever was first has closed it */
#if IDS > 1
#ifdef CLOSED_LEADER
		:: op == JOIN ->
#else
		:: op == JOIN && closed[e] -> pc = UNLOCK
		:: op == JOIN && !closed[e] ->
#endif
			CHECK("violates O8 linearizability\n", table[e]);
			if
			:: open < LIMIT && used[1] == 0 -> insert(1, ENTRY)
			:: else
			fi;
			pc = UNLOCK
#endif
		:: (op == DISABLE || op == ENABLE) && closed[e] -> pc = UNLOCK
		:: op == DISABLE && !closed[e] -> pc = (home[e] -> HOLD : FINISH)
		:: op == ENABLE && !closed[e] ->
			pc = (home[e] == me + 1 -> UNLOCK : (home[e] -> HOLD : ARRIVE))
		fi }
	:: d_step { pc == HOLD && mutex[home[e] - 1] == 0 -> printf("vCPU %d: holds event %d's vCPU\n", me, e);
		mutex[home[e] - 1] = me + 1;
		pc = DETACH }
	:: d_step { pc == DETACH && timer != e + 1 -> printf("vCPU %d: detaches event %d\n", me, e);
		detach(e) }
	/* No NMI told of what it has overflowed since the last one. */
	:: d_step { pc == DETACH && timer != e + 1 && nmis < NMIS ->
		printf("vCPU %d: detaches event %d, which has overflowed\n", me, e);
		nmis++; shadow[e]++; owed[e]++;
		detach(e) }
	:: d_step { pc == ARRIVE && mutex[me] == 0 -> printf("vCPU %d: locks its event_mutex\n", me);
		mutex[me] = me + 1;
		pc = ATTACH }
	:: d_step { pc == ATTACH && timer != e + 1 -> printf("vCPU %d: attaches event %d\n", me, e);
		USE(e);
		home[e] = me + 1;
		due[e] = (due[e] == MOVED -> me + 1 : due[e]);
		take(e);
		if
		:: shadow[e] && LENGTH(me) < CAPACITY -> queue_add(e, me)
		:: shadow[e] && LENGTH(me) >= CAPACITY -> defer(e, me)
		:: shadow[e] == 0
		fi;
		mutex[me] = 0;
		pc = UNLOCK }
	:: d_step { pc == FINISH -> printf("vCPU %d: takes event %d's overflows\n", me, e);
		USE(e);
		n = shadow[e];
#ifdef READ_MODIFY_WRITE
		pc = FINISHED }
	:: d_step { pc == FINISHED -> printf("vCPU %d: zeroes event %d's overflows\n", me, e);
		USE(e);
#endif
		deliver(e, n);
		pc = UNLOCK }
	:: d_step { pc == UNLOCK -> printf("vCPU %d: unlocks event %d\n", me, e);
		USE(e);
		lock[e] = 0;
		pc = DROP }
	:: d_step { pc == DROP -> printf("vCPU %d: is done with event %d\n", me, e);
		if
		:: op == CLOSE ->
#ifdef NO_REFCOUNT
			USE(e); release_event(e)
#else
#ifndef NO_REFERENCE
			put(e);
#endif
			put(e)
#endif
		:: else ->
#ifndef NO_REFERENCE
			put(e)
#else
			skip
#endif
		fi;
		END_CALL }
	:: d_step { pc == IDLE && PENDING && mutex[me] == 0 -> printf("vCPU %d: syncs\n", me);
		mutex[me] = me + 1;
		pc = DRAIN }
	:: d_step { pc == IDLE && IS_TOLD && mutex[me] == 0 -> printf("vCPU %d: gets an NMI\n", me);
		TELL(0)
#if IDS > 1
		TELL(1)
#endif
#if IDS > 2
		TELL(2)
#endif
		}
	SYNCS(0)
#if IDS > 1
	SYNCS(1)
#endif
#if IDS > 2
	SYNCS(2)
#endif
	:: d_step { pc == DRAIN -> printf("vCPU %d: has synced\n", me);
		mutex[me] = 0;
		pc = IDLE }
	:: d_step { pc == ENQUEUE -> printf("vCPU %d: queues event %d\n", me, e);
		queue_add(e, me);
		put(e);
		e = 0;
		pc = DRAIN }
	:: d_step { pc == DELIVER -> printf("vCPU %d: takes event %d's overflows\n", me, e);
		USE(e);
		n = shadow[e];
		due[e] = (n -> me + 1 : due[e]);
#ifdef READ_MODIFY_WRITE
		pc = DELIVERED }
	:: d_step { pc == DELIVERED -> printf("vCPU %d: zeroes event %d's overflows\n", me, e);
		USE(e);
#endif
		deliver(e, n);
		pc = SYNCED }
	:: d_step { pc == SYNCED -> printf("vCPU %d: drops event %d\n", me, e);
		put_queued(e);
		e = 0;
		pc = DRAIN }
	od
#undef pc
#undef me
}

#define IS_AT_REST(v) (pcs[v] == IDLE)
#define NOTHING_FOR(e) (queued[e] == 0 && deferred[e] == 0 && due[e] == 0)
#if VCPUS == 1
#define ALL_AT_REST IS_AT_REST(0)
#elif VCPUS == 2
#define ALL_AT_REST (IS_AT_REST(0) && IS_AT_REST(1))
#else
#define ALL_AT_REST (IS_AT_REST(0) && IS_AT_REST(1) && IS_AT_REST(2))
#endif

/* What an event's references are, at rest. */
#ifdef RAW_POINTER
#define REFERENCED(e) ((table[e] != 0) + (home[e] != 0))
#else
#define REFERENCED(e) ((table[e] != 0) + (home[e] != 0) + (queued[e] != 0))
#endif

inline judge(e)
{
	if
	:: used[e] && !freed[e] ->
#ifndef NO_REFCOUNT
		CHECK("violates O2 references\n", refs[e] == REFERENCED(e));
#endif
		CHECK("violates O5 conservation\n", owed[e] == shadow[e]);
		CHECK("violates O6 nothing stranded\n", shadow[e] == 0)
	:: else
	fi
}

#define AGAIN timer = 0; e = 0; pc = IDLE
#ifdef LOCKLESS
#define RAISED DEFER
#else
#define RAISED TRY
#endif
#define OVERFLOWS(id) \
	:: d_step { pc == IDLE && !judged && home[id] && nmis < NMIS -> printf("NMI: event %d overflows\n", id); \
		USE(id); timer = id + 1; nmis++; shadow[id]++; owed[id]++; e = id; pc = RAISED }

/* Once all are at rest they may stay so: then everything has to be where it belongs.
 *
 * The timer, which an event must wait for that it raises an NMI of; the NMI may only try the event_mutex. That may always be
 * taken: its vCPU takes it at every exit and entry, with nothing to sync, too. */
active proctype timer_nmi()
{
	byte pc, e;

	do
	OVERFLOWS(0)
#if IDS > 1
	OVERFLOWS(1)
#endif
#if IDS > 2
	OVERFLOWS(2)
#endif
	:: d_step { pc == TRY && mutex[home[e] - 1] == 0 -> printf("NMI: has the event_mutex\n");
		mutex[home[e] - 1] = NMI;
		pc = QUEUE }
	:: d_step { pc == TRY -> printf("NMI: misses the event_mutex\n");
#ifdef STRANDED_MISS
		AGAIN
#else
		pc = DEFER
#endif
		}
	:: d_step { pc == QUEUE ->
		mutex[home[e] - 1] = 0;
		if
		:: queued[e] || LENGTH(home[e] - 1) < CAPACITY ->
			printf("NMI: queues event %d\n", e);
			queue_add(e, home[e] - 1);
			AGAIN
		:: else ->
			printf("NMI: finds the queue full\n");
#ifdef FULL_DROPS
			AGAIN
#else
			pc = DEFER
#endif
		fi }
	:: d_step { pc == DEFER -> printf("NMI: defers event %d\n", e);
		defer(e, home[e] - 1);
		AGAIN }
	:: d_step { pc == IDLE && !judged && ALL_AT_REST && SUM(NOTHING_FOR) == IDS -> printf("all are at rest\n");
		judge(0);
#if IDS > 1
		judge(1);
#endif
#if IDS > 2
		judge(2);
#endif
		judged = 1 }
	:: timeout && !judged -> CHECK("violates O10 progress\n", false)
	od
}
