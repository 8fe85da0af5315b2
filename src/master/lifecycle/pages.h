// make_pages(): the pages of the status port.
//
//   /               the status page: HTML for browsers, text for others; page_files.h has its files
//   /livez          200 while the event loop turns: restart the server only if this fails
//   /readyz         200 while a worker is up and, if there are jobs, some worker is at work. 503
//                   while the server loads, after the workers have been frozen for a second, and
//                   once the server was told to stop: send it no requests
//   /agent          the answer to HAProxy's agent-check: see agent_line.h
//   /reloads        the results of the last reloads: see reload_record.h
//   /metrics        see metrics_page.h
//   /status.json    see status_json.h
//   /requests.json  the recent requests; with ?since=NUMBER those with newer events: see
//                   requests_json.h
//   /kept.json      slow and failed requests: see requests_json.h
//   /profile        what slow jobs do differently, as JSON; /profile.txt: as a table;
//                   /profile.folded: its stacks, for flame graphs. See tail_profile.h
//   /trace.json, /kept_trace.json   /requests.json and /kept.json in Chrome's trace format: see
//                   trace_json.h
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/telemetry/recorder.h"
#include "master/admin/page.h"
#include "master/admin/server_state.h"
#include "master/deployment/deployment.h"

namespace ringmaster::master {

struct PageSources {
  std::function<Health()> health;
  std::function<std::string()> agent;  // a line
  std::function<ServerState()> state;
  std::function<std::string()> reloads;  // one line of JSON
  // See Deployment::profile().
  std::function<std::optional<std::string>(Deployment::ProfileForm form, bool is_late)> profile;
  const telemetry::Recorder& recorder;
};

Pages make_pages(PageSources sources);

}  // namespace ringmaster::master
