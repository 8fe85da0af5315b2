// status_line(): what the server does, in a line for people. `systemctl status` and /readyz show
// it.
#pragma once

#include <string>

#include "master/admin/reload_record.h"
#include "master/deployment/rollout.h"

namespace ringmaster::master {

// `serving`: null if no deployment serves yet.
std::string status_line(const Rollout& rollout, const Deployment* serving,
                        const ReloadRecord& reloads, bool is_stopping);

}  // namespace ringmaster::master
