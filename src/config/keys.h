// Every key of the configuration file, with its unit and its limits: the one place to add one.
//
// Reading, range checks, "did you mean", and dump() all walk these tables. A number takes one line
// here and nothing else; any other key takes one line here and is read by its section's code in
// sections.cc or methods.cc.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "config/options.h"
#include "net/options.h"
#include "upstream/options.h"

namespace ringmaster::config {

enum class Unit {
  kCount,
  kMs,
  kBytes,        // an integer, or a string such as "64MiB"
  kCountOrAuto,  // "auto" is kept as 0
  kNotANumber,   // read by the section's own code
};

template <class T>
struct Key {
  std::string_view name;
  Unit unit = Unit::kNotANumber;
  uint64_t min = 0;
  uint64_t max = 0;
  uint64_t T::*member = nullptr;
};

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;
inline constexpr uint64_t kNoLimit = std::numeric_limits<int64_t>::max();  // TOML's largest integer
inline constexpr uint64_t kHourMs = 3600 * 1000;

using master::Crashes;
using master::Limits;
using master::Method;
using master::Options;
using upstream::UpstreamOptions;

inline constexpr std::string_view kSections[] = {"listen",   "workers",   "limits",   "crashes",
                                                 "shutdown", "upstreams", "handlers", "methods"};

// Read in listen.cc.
inline constexpr Key<Options> kListenKeys[] = {
    {"rpc"},
    {"origins"},
    {"allow"},
    {"token_file"},
    {"connections_per_client", Unit::kCount, 0, 1'000'000, &Options::connections_per_client},
    {"tls_certificate_file"},
    {"tls_key_file"},
    {"tls_client_ca_file"},
    {"tls_client_crl_file"},
    {"unix_owner"},
    {"unix_group"},
    {"unix_mode"},
    {"status"},
};

// 512: half of the workers that a ring's words can name; the other half is for spares.
inline constexpr Key<Options> kWorkersKeys[] = {
    {"count", Unit::kCountOrAuto, 1, 512, &Options::worker_count},
    {"start_timeout_ms", Unit::kMs, 1, kHourMs, &Options::start_timeout_ms},
    {"sandbox"},
    {"user"},
    {"max_jobs", Unit::kCount, 0, kNoLimit, &Options::worker_max_jobs},
    {"max_rss_bytes", Unit::kBytes, 0, 64 * kGiB, &Options::worker_max_rss_bytes},
};

inline constexpr Key<Limits> kLimitsKeys[] = {
    {"request_bytes", Unit::kBytes, kKiB, kGiB, &Limits::request_bytes},
    {"response_bytes", Unit::kBytes, kKiB, kGiB, &Limits::response_bytes},
    {"batch_items", Unit::kCount, 1, 100'000, &Limits::batch_items},
    {"connections", Unit::kCount, 1, 1'000'000, &Limits::connections},
    {"in_flight_per_connection", Unit::kCount, 1, 100'000, &Limits::in_flight_per_connection},
    {"requests_in_flight", Unit::kCount, 1, 1'000'000, &Limits::requests_in_flight},
    {"payload_memory_bytes", Unit::kBytes, kMiB, 64 * kGiB, &Limits::payload_memory_bytes},
    {"connection_memory_bytes", Unit::kBytes, kMiB, 64 * kGiB, &Limits::connection_memory_bytes},
    {"send_timeout_ms", Unit::kMs, 1, kHourMs, &Limits::send_timeout_ms},
    {"idle_timeout_ms", Unit::kMs, 0, 24 * kHourMs, &Limits::idle_timeout_ms},
};

inline constexpr Key<Crashes> kCrashesKeys[] = {
    {"folder"},
    {"count", Unit::kCount, 1, 10'000, &Crashes::count},
    {"total_bytes", Unit::kBytes, kKiB, 64 * kGiB, &Crashes::total_bytes},
};

inline constexpr Key<Options> kShutdownKeys[] = {
    {"grace_ms", Unit::kMs, 0, kHourMs, &Options::shutdown_grace_ms},
};

// [upstreams.NAME]
inline constexpr Key<UpstreamOptions> kUpstreamsKeys[] = {
    {"url"},
    {"timeout_ms", Unit::kMs, 1, kHourMs, &UpstreamOptions::timeout_ms},
    {"connections", Unit::kCount, 1, 10'000, &UpstreamOptions::connections},
    {"body_bytes", Unit::kBytes, kKiB, kGiB, &UpstreamOptions::body_bytes},
};

// [methods.NAME]
inline constexpr Key<Method> kMethodsKeys[] = {
    {"summary"},
    {"timeout_ms", Unit::kMs, 1, kHourMs, &Method::timeout_ms},
    {"attempts", Unit::kCount, 1, 10, &Method::attempts},
    {"steps"},
};

// One of a method's steps.
inline constexpr std::string_view kStepKeys[] = {"fetch", "body", "run"};

}  // namespace ringmaster::config
