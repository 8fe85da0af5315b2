"""tidy_floors.py FILE...: checks the floors: which module may include which.

Prints each violation as file:line: message.
"""

import re
import sys
from pathlib import Path

# Which modules of src/ each module may include, besides itself; any other include is forbidden.
MODULES = {
    "base": "",
    "ipc": "base",
    "rpc": "base",
    "net": "rpc base",
    "upstream": "base",
    "worker": "ipc base",
    "config": "upstream net ipc base",
    "bench": "net rpc base",
    "master/admin": "net rpc base",
    "master/tracing": "master/admin upstream config base",
    "master/system": "base",
    "master/scheduler": "base",
    "master/pipeline": "master/scheduler upstream config rpc ipc base",
    "master/supervisor": "master/pipeline master/system config ipc base",
    "master/rehearsal": "master/pipeline master/system base",
    "master/deployment": "master/rehearsal master/supervisor "
                         "master/pipeline master/system config rpc ipc base",
    "master/frontend": "master/deployment master/system config net rpc base",
    "master/lifecycle": "master/frontend master/deployment master/system master/tracing "
                        "master/admin config upstream base",
    "plan": "master/scheduler base",
    "cli": "master/lifecycle plan config bench net worker rpc ipc base",
    "main.cc": "cli worker base",
    "handlers": "",  # only the handler's own folder, and <ringmaster/...>
    "demo": "",
    "demo/interests": "demo",  # this is a handler, too
    "demo/feature_service": "demo net rpc base",
}

# The only files that may include the headers of a library or of the system.
LIBRARIES = {
    "uv.h": "base/uv_handle.h net/ master/ demo/feature_service/ precompiled.h",
    "curl/": "upstream/",
    "openssl/": "net/ base/secret base/keyed_hash",
    "toml++/": "config/",
    "CLI/": "cli/ demo/feature_service/",
    "prometheus/": "master/admin/metrics_page",
    "rapidjson/": "base/json/ master/deployment/openrpc master/admin/json_writer "
                  "cli/ handlers/ demo/ precompiled.h",
    "boost/interprocess/": "ipc/",
    "boost/beast/": "rpc/ bench/ demo/feature_service/",
    "boost/asio": "",
    "systemd/": "master/system/systemd",
    "xgboost/": "demo/interests/",
    "dlfcn.h": "worker/ handlers/python/interpreter",
    "Python.h": "handlers/python/ref.h",
    "seccomp.h": "worker/sandbox",
    "ringmaster/": "worker/ handlers/ demo/interests/",
}

# Further forbidden includes: (files, forbidden headers, why).
FORBIDDEN = [
    ("base/(?!log)|ipc/|rpc/|worker/", r"base/log\.h", "it never logs: it returns"),
    ("ipc/", r"base/json/.*", "ipc knows no JSON"),
    ("rpc/", r"sys/(socket|un|mman|epoll)\.h|netinet/.*|arpa/.*|unistd\.h", "rpc does no I/O"),
    ("net/", r"sys/mman\.h", "net knows no shared memory"),
    ("handlers/|demo/interests/", r"sys/socket\.h|netinet/.*", "handlers do no network I/O"),
    ("base/telemetry/|plan/|master/(scheduler/|admin/(?!admin_server)|tracing/otlp_json"
     "|pipeline/profile_view|supervisor/(worker_slots|stall_watch|function_names)"
     "|rehearsal/(answer_shape|comparison)"
     "|frontend/(access_control|http_policy|reply|response_queue))",
     r"base/(clock|thread_clock|log|fd|uv_handle)\.h|uv\.h|unistd\.h|sys/.*|s?pthread\.h"
     r"|c?time(\.h)?|chrono|thread", "it is pure: time is an argument"),
]

# Headers that lay out shared memory; they and their includes may use offsets and atomics only.
LAYOUTS = ["ipc/layout.h", "ipc/result_ring.h"]
NOT_SHARED = re.compile(r"^\s*(mutable )?std::(string|vector|map|set|deque|function|mutex"
                        r"|\w+_ptr)\b[^()]*;|\bvirtual\b|\b\w*(mutex|condition_variable)\b *[ <&*]")

ROLE = re.compile(r"^\s*#\s*(?:el)?if.*\b\w*(MASTER|FORK_?SERVER|WORKER)\w*\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"//.*|/\*.*?\*/|^\s*\*.*")


def module_of(name: str) -> str:
    """The module of a file, whose name is relative to src/: its top folder; for a file in a
    subfolder of master/ or demo/, that subfolder."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] in ("master", "demo") and len(parts) > 2 else parts[0]


def may_include_own(name: str, header: str) -> str | None:
    """Why a file of src/ must not include a header of src/; None when it may."""
    module, other = module_of(name), module_of(header)
    if module not in MODULES:
        return f"module {module} is not in scripts/tidy_floors.py: say what it may include"
    if module == "handlers" and header.startswith("/".join(name.split("/")[:2]) + "/"):
        return None
    if other == module and module != "handlers":
        return None
    if other in MODULES[module].split():
        return None
    allowed = MODULES[module] or ("its own folder and <ringmaster/...>" if module == "handlers"
                                  else "nothing")
    return f'{module} must not include "{header}": it may include {allowed}'


def may_include_system(name: str, header: str) -> str | None:
    for library, places in LIBRARIES.items():
        if header.startswith(library) and not name.startswith(tuple(places.split())):
            return f"<{header}> belongs in {places or 'no file'} only"
    return None


def find_include_faults(name: str, header: str, is_quoted: bool, src: Path):
    # A quoted header that is not in src/ is a third party's, or lies beside the including file.
    if is_quoted and (src / header).is_file():
        yield may_include_own(name, header)
    elif is_quoted and (src / name).parent.joinpath(header).is_file():
        # A handler is built without src/, as a user's handler is.
        if module_of(name) not in ("handlers", "demo/interests"):
            yield f'"{header}": say the path from src/ on'
    else:
        yield may_include_system(name, header)
    for files, headers, why in FORBIDDEN:
        if re.match(files, name) and re.fullmatch(headers, header):
            yield f"must not include {header}: {why}"


def check_file(name: str, src: Path) -> list[str]:
    faults = []
    for number, line in enumerate((src / name).read_text().splitlines(), 1):
        if ROLE.match(line):
            faults.append(f"src/{name}:{number}: do not select code by role (master, fork server,"
                          " worker) with #if: use two files")
        include = INCLUDE.match(line)
        if include:
            for fault in find_include_faults(name, include[2], include[1] == '"', src):
                if fault:
                    faults.append(f"src/{name}:{number}: {fault}")
    return faults


def layouts_of(src: Path) -> set[str]:
    """The layout headers, and the headers of ipc/ that they include, directly or not."""
    found: set[str] = set()
    todo = [layout for layout in LAYOUTS if (src / layout).is_file()]
    while todo:
        name = todo.pop()
        found.add(name)
        includes = map(INCLUDE.match, (src / name).read_text().splitlines())
        headers = {include[2] for include in includes if include}
        todo += [h for h in headers - found if h.startswith("ipc/") and (src / h).is_file()]
    return found


def check_layout(name: str, src: Path) -> list[str]:
    return [f"src/{name}:{number}: shared memory holds offsets and atomics only: {line.strip()}"
            for number, line in enumerate((src / name).read_text().splitlines(), 1)
            if NOT_SHARED.search(COMMENT.sub("", line))]


def main(files: list[str]) -> None:
    src = Path("src")
    names = [f[4:] for f in files if f.startswith("src/") and f.endswith((".h", ".hpp", ".cc"))]
    faults = [fault for name in names for fault in check_file(name, src)]
    faults += [fault for name in sorted(layouts_of(src)) for fault in check_layout(name, src)]
    for fault in faults:
        print(fault)


if __name__ == "__main__":
    main(sys.argv[1:])
