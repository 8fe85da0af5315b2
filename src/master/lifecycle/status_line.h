// status_line(): what the server does, in a line for people, of `systemctl status` and /readyz.
#pragma once

#include <string>

#include "master/admin/reload_record.h"
#include "master/deployment/rollout.h"

namespace ringmaster::master {

// `serving`: null: none does yet.
std::string status_line(const Rollout& rollout, const Deployment* serving,
                        const ReloadRecord& reloads, bool is_stopping);

}  // namespace ringmaster::master
