"""Commands for gdb: print what a master's shared memory and its job table hold.

    gdb -p "$(pgrep -f 'ringmaster: master')" -x scripts/gdb/ringmaster.py
    gdb build/release/ringmaster CORE -x scripts/gdb/ringmaster.py

    rm-ring      ring entries that are not free: state, worker, job, sequence
    rm-workers   worker slots: process, state, bell, and the jobs in hand
    rm-jobs      jobs in flight: state, method, step, attempts, deadline

Only a master has all of these: a worker and the fork server have no job table. The commands change
nothing. The master must be stopped in its event loop, or in a function called from there.
The commands know the names of fields in src/master and src/ipc, and the bits of src/ipc/job_word.h;
tests/e2e/repo/test_gdb.py fails when these change.
"""

import time

import gdb

STATE_SHIFT, WORKER_SHIFT, JOB_SHIFT = 62, 52, 32
WORKER_MASK, JOB_MASK, SEQUENCE_MASK = (1 << 10) - 1, (1 << 20) - 1, (1 << 32) - 1
ENTRY_STATES = {1: "ready", 2: "claimed", 3: "damaged"}
BELL_STATES = {0: "absent", 1: "awake", 2: "asleep"}
NS_PER_MS = 1_000_000


def pointee(unique_ptr):
    """The object that a std::unique_ptr points to. None: the pointer is null."""
    pointer = first_pointer(unique_ptr)
    return pointer.dereference() if pointer else None


def first_pointer(value):
    for field in value.type.strip_typedefs().fields():
        if field.is_base_class or hasattr(field, "bitpos"):
            member = value[field]
            kind = member.type.strip_typedefs().code
            if kind == gdb.TYPE_CODE_PTR:
                return member
            found = first_pointer(member) if kind == gdb.TYPE_CODE_STRUCT else None
            if found is not None:
                return found
    return None


def elements(vector):
    begin, end = vector["_M_impl"]["_M_start"], vector["_M_impl"]["_M_finish"]
    return [begin[i] for i in range(int(end - begin))]


def span(value):
    return [value["_M_ptr"][i] for i in range(int(value["_M_extent"]["_M_extent_value"]))]


def text(string):
    return string["_M_dataplus"]["_M_p"].string(length=int(string["_M_string_length"]))


def word(enumerator):
    """kUp -> up"""
    return str(enumerator).rpartition("::k")[2].lower()


def find_server():
    """The master's Server: on the stack of the thread that runs the event loop."""
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        while frame is not None and frame.is_valid():
            if (frame.name() or "").partition("(")[0] == "ringmaster::master::serve":
                server = frame.read_var("server")
                if not server.is_optimized_out:
                    return server
            frame = frame.older()
    raise gdb.GdbError("expected a master in its event loop, found no ringmaster::master::serve on "
                       "any stack: is this a worker, or a program without symbols?")


def deployments():
    thread, frame = gdb.selected_thread(), gdb.selected_frame()
    try:
        server = find_server()
    finally:
        thread.switch()
        frame.select()
    rollout = pointee(server["rollout_"])
    return [pointee(one) for one in elements(rollout["deployments_"])] if rollout else []


def generations():
    """(supervisor, generation) of each deployment that has a fork server."""
    for deployment in deployments():
        supervisor = pointee(deployment["supervisor_"])
        generation = pointee(supervisor["generation_"])
        if generation is not None:
            yield supervisor, generation


def table(title, head, rows):
    print(title)
    rows = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def publication(value):
    return value >> JOB_SHIFT & JOB_MASK, value & SEQUENCE_MASK


class Ring(gdb.Command):
    """rm-ring: the ring entries of a ringmaster master that are not free."""

    def __init__(self):
        super().__init__("rm-ring", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for _, generation in generations():
            entries = span(generation["port_"]["ring_"]["entries_"])
            rows = []
            for number, entry in enumerate(entries):
                value = int(entry["_M_i"])
                if value == 0:
                    continue
                state = ENTRY_STATES.get(value >> STATE_SHIFT, "damaged")
                worker = value >> WORKER_SHIFT & WORKER_MASK if state == "claimed" else "-"
                rows.append([number, state, worker, *publication(value)])
            table(f"generation {int(generation['number_'])}: {len(rows)} of {len(entries)} ring "
                  "entries in use", ["entry", "state", "worker", "job", "sequence"], rows)


class Workers(gdb.Command):
    """rm-workers: the worker slots of a ringmaster master, and what each worker has in hand."""

    def __init__(self):
        super().__init__("rm-workers", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for supervisor, generation in generations():
            slots = elements(supervisor["worker_slots_"]["slots_"])
            rows = []
            for number, words in enumerate(span(generation["port_"]["worker_words_"])):
                bell = int(words["bell"]["word_"]["_M_i"])
                running = words["running"]
                first, last = running.type.range()
                in_hand = [int(running[i]["_M_i"]) for i in range(first, last + 1)]
                slot = slots[number]
                if word(slot["state"]) == "vacant" and not any(in_hand):
                    continue
                rows.append([number, int(slot["pid"]), word(slot["state"]),
                             BELL_STATES.get(bell, f"damaged ({bell})"),
                             " ".join("%d/%d" % publication(one) for one in in_hand if one) or "-"])
            table(f"generation {int(generation['number_'])}: {len(rows)} of {len(slots)} worker "
                  "slots in use",
                  ["worker", "pid", "state", "bell", "in hand (job/sequence)"], rows)


class Jobs(gdb.Command):
    """rm-jobs: the jobs in flight of a ringmaster master."""

    def __init__(self):
        super().__init__("rm-jobs", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for deployment in deployments():
            jobs = pointee(deployment["dispatcher_"])["table_"]
            slots = [pointee(slot) for slot in elements(jobs["jobs_"])]
            used = [job for job in slots if word(job["state"]) != "free"]
            file = text(deployment["options_"]["config_file"])
            table(f"{file}: {len(used)} of {int(jobs['capacity_'])} jobs",
                  ["slot", "state", "method", "step", "attempts", "sequence", "deadline"],
                  [self.row(job) for job in used])

    @staticmethod
    def row(job):
        method = job["method"].dereference()
        step = int(job["step"])
        kind = ["fetch", "run"][int(elements(method["steps"])[step]["_M_index"])]
        return [int(job["publication"]["job"]), word(job["state"]), text(method["name"]),
                f"{step} {kind}", int(job["attempts"]), int(job["publication"]["sequence"]),
                Jobs.deadline(job)]

    @staticmethod
    def deadline(job):
        deadline_ns, admitted_ns = int(job["deadline_ns"]), int(job["admitted_ns"])
        allowed = f"{(deadline_ns - admitted_ns) // NS_PER_MS} ms"
        # The clock of this machine says nothing about a core, or about another machine's process.
        if gdb.selected_inferior().connection.type != "native":
            return f"{allowed} after it was admitted"
        return f"{(deadline_ns - time.monotonic_ns()) // NS_PER_MS} ms left of {allowed}"


Ring()
Workers()
Jobs()
