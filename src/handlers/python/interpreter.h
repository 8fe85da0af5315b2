// The interpreter: one for the process, whatever the number of handlers.
//
// Processes: the fork server starts it; the workers inherit it.
// Threads:   the thread that starts it holds the GIL for ever, also in each worker.
// Isolation: the environment's PYTHON... variables, the user's site-packages and the working folder
//            have no effect. Python writes no bytecode files, and handles no signal of the system.
#pragma once

#include <optional>
#include <string>

#include "handlers/python/ref.h"

namespace ringmaster::python {

// Starts the interpreter, unless it runs, with the packages of a virtual environment (empty: those
// of the system). Returns the fault if it cannot. All handlers must ask for the same environment.
std::optional<std::string> start_interpreter(const std::string& venv);

// An attribute of ringmaster/_host.py. REQUIRES: the interpreter was started.
Ref host_function(const char* name);

// For the ABI's members of the same names.
void before_fork();
void after_fork_parent();
void after_fork_child();
void interrupt();
void write_stack(int fd);

}  // namespace ringmaster::python
