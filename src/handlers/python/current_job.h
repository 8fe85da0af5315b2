// The job in hand, as Python code sees it: ringmaster.job().
#pragma once

#include <ringmaster/handler.h>

#include "handlers/python/ref.h"

namespace ringmaster::python {

// A ringmaster.Job with these arguments, a dict. Null: a Python exception is set.
Ref make_job(const rm_job& job, PyObject* arguments);

// The function ringmaster.job() of the server.
Ref current_job_function();

// Names the job that ringmaster.job() returns, for as long as this object lives.
class CurrentJob {
 public:
  explicit CurrentJob(const rm_job& job);
  ~CurrentJob();
};

}  // namespace ringmaster::python
