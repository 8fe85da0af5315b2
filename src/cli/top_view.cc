#include "cli/top_view.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <optional>

#include "base/duration_text.h"
#include "base/telemetry/quantile.h"

namespace ringmaster::cli {
namespace {

template <class Map>
typename Map::mapped_type value_of(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? typename Map::mapped_type{} : found->second;
}

uint64_t sum(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

std::string mebibytes(uint64_t bytes) {
  return fmt::format("{:.1f}M", static_cast<double>(bytes) / (1 << 20));
}

// In percent.
std::string cached_part(const UpstreamSample& now, const UpstreamSample& before) {
  const uint64_t cached = more(now.cached, before.cached);
  const uint64_t all = cached + more(now.not_cached, before.not_cached);
  if (!now.has_cache || all == 0) return "-";
  return fmt::format("{:.0f}", 100 * static_cast<double>(cached) / static_cast<double>(all));
}

struct Table {
  ViewLine heading;
  std::vector<std::string> rows;  // the most important first
};

// Two samples, and the tables of the difference between them.
class Difference {
 public:
  Difference(const Sample& before, const Sample& now)
      : is_since_start_(before.pid != now.pid || before.uptime_s > now.uptime_s),
        before_(is_since_start_ ? kNothing : before),
        now_(now),
        seconds_(std::max(is_since_start_ ? now.uptime_s : now.at_s - before.at_s, 1e-3)) {}

  std::string head() const;
  std::string ends() const;
  Table methods() const;
  Table workers() const;
  Table upstreams() const;
  Table clients() const;

 private:
  static const Sample kNothing;
  static const ClientSample kNoClient;

  double rate(uint64_t count) const { return static_cast<double>(count) / seconds_; }
  std::string quantile(const Counts& counts, double quantile) const;
  std::string quantiles(const Counts& counts) const;
  std::string method_row(const std::string& name, const MethodSample& now, uint64_t& count) const;

  const bool is_since_start_;
  const Sample& before_;
  const Sample& now_;
  const double seconds_;
};

const Sample Difference::kNothing;
const ClientSample Difference::kNoClient;

std::string Difference::head() const {
  return fmt::format("ringmaster {}  up {}  {}{}  in flight {}  queued {}  rates: {}", now_.pid,
                     duration_text(now_.uptime_s), now_.status,
                     now_.is_overloaded ? ", OVERLOADED: requests are refused" : "", now_.in_flight,
                     now_.queued,
                     is_since_start_ ? "since the start" : "last " + duration_text(seconds_));
}

std::string Difference::ends() const {
  std::string text;
  for (const auto& [why, count] : now_.worker_ends)
    text += fmt::format("  {} {}", why, count);
  return text.empty() ? "" : "workers ended:" + text;
}

// In milliseconds.
std::string Difference::quantile(const Counts& counts, double quantile) const {
  const std::optional<double> ms = telemetry::quantile(counts, now_.bounds_ms, quantile);
  if (!ms) return "-";
  return *ms < 100 ? fmt::format("{:.1f}", *ms) : fmt::format("{:.0f}", *ms);
}

std::string Difference::quantiles(const Counts& counts) const {
  return fmt::format("{:>8} {:>8} {:>8}", quantile(counts, 0.5), quantile(counts, 0.95),
                     quantile(counts, 0.99));
}

std::string Difference::method_row(const std::string& name, const MethodSample& now,
                                   uint64_t& count) const {
  const MethodSample before = value_of(before_.methods, name);
  uint64_t errors = 0, most = 0;
  std::string worst;
  for (const auto& [what, times] : now.errors) {
    const uint64_t these = more(times, value_of(before.errors, what));
    errors += these;
    if (these > most) worst = what;
    most = std::max(most, these);
  }
  count = more(now.ok, before.ok) + errors;
  return fmt::format("{:<24} {:>10.1f} {:>8.1f} {:>11.1f} {} {:>9} {:>8}  {}",
                     name.empty() ? "(no such method)" : name, rate(count), rate(errors),
                     rate(more(now.abandoned, before.abandoned)),
                     quantiles(more(now.total, before.total)),
                     quantile(more(now.queue, before.queue), 0.99),
                     quantile(more(now.run, before.run), 0.99), worst);
}

Table Difference::methods() const {
  std::vector<std::pair<uint64_t, std::string>> rows;
  for (const auto& [name, method] : now_.methods) {
    uint64_t count = 0;
    std::string row = method_row(name, method, count);
    rows.emplace_back(count, std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& one, const auto& other) { return one.first > other.first; });
  Table table{{fmt::format("{:<24} {:>10} {:>8} {:>11} {:>8} {:>8} {:>8} {:>9} {:>8}  {}", "METHOD",
                           "REQUESTS/S", "ERRORS/S", "ABANDONED/S", "P50MS", "P95MS", "P99MS",
                           "QUEUE-P99", "RUN-P99", "MOST FREQUENT ERROR"),
               true},
              {}};
  for (auto& [count, row] : rows)
    table.rows.push_back(std::move(row));
  return table;
}

Table Difference::workers() const {
  Table table{{fmt::format("{:<6} {:>8} {:<12} {:>6} {:>8} {:>9} {:>8} {:>7} {:>8}  {:>8} {}",
                           "WORKER", "PID", "STATE", "BUSY%", "JOBS/S", "PROGRESS", "MEMORY", "AGE",
                           "RESTARTS", "FOR", "RUNS"),
               true},
              {}};
  for (const WorkerSample& worker : now_.workers) {
    WorkerSample before;
    for (const WorkerSample& one : before_.workers)
      if (one.slot == worker.slot) before = one;
    // The server adds a run to busy_s when the run ends. Of a run that goes on, the part since the
    // previous sample counts, too.
    const double under_way =
        worker.method.empty() ? 0 : std::min(worker.busy_for_ms / 1000, seconds_);
    const double ended = std::max(worker.busy_s - before.busy_s, 0.0);
    const double busy = std::min(100.0, 100 * (ended + under_way) / seconds_);
    table.rows.push_back(fmt::format(
        "{:<6} {:>8} {:<12} {:>6.0f} {:>8.1f} {:>9} {:>8} {:>7} {:>8}  {:>8} {}", worker.slot,
        worker.pid, worker.state, busy, rate(more(worker.jobs, before.jobs)),
        duration_text(worker.last_progress_ms / 1000), mebibytes(worker.private_bytes),
        duration_text(worker.age_s), worker.ends,
        worker.method.empty() ? "-" : duration_text(worker.busy_for_ms / 1000), worker.method));
  }
  return table;
}

Table Difference::upstreams() const {
  Table table{{fmt::format("{:<24} {:>9} {:>8} {:>9} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
                           "UPSTREAM", "FETCHES/S", "FAILED/S", "IN-FLIGHT", "P50MS", "P95MS",
                           "P99MS", "WAITING", "BREAKER", "EJECTED", "CACHED%"),
               true},
              {}};
  for (const UpstreamSample& upstream : now_.upstreams) {
    const FetchSample now = value_of(now_.fetches, upstream.name);
    const FetchSample before = value_of(before_.fetches, upstream.name);
    const Counts took = more(now.took, before.took);
    UpstreamSample former;
    for (const UpstreamSample& one : before_.upstreams)
      if (one.name == upstream.name) former = one;
    table.rows.push_back(fmt::format(
        "{:<24} {:>9.1f} {:>8.1f} {:>9} {} {:>9} {:>8} {:>8} {:>8}", upstream.name, rate(sum(took)),
        rate(more(now.failed, before.failed)), upstream.in_flight, quantiles(took),
        upstream.waiting, upstream.is_breaker_open ? "open" : "-",
        fmt::format("{}/{}", upstream.ejected, upstream.addresses), cached_part(upstream, former)));
  }
  return table;
}

// First the clients that use most of the workers' time, or get most of the refusals.
Table Difference::clients() const {
  struct Row {
    const ClientSample* now;
    std::optional<uint64_t> ok;  // empty, as `refused`: the server did not list the client before
    std::optional<uint64_t> refused;
    double part = 0;
  };
  std::vector<Row> rows;
  double all_used = 0, all_refused = 0;
  for (const ClientSample& now : now_.clients) {
    const auto before = std::ranges::find(before_.clients, now.name, &ClientSample::name);
    Row& row = rows.emplace_back(Row{&now, {}, {}});
    if (is_since_start_ || before != before_.clients.end()) {
      const ClientSample& former = is_since_start_ ? kNoClient : *before;
      row.ok = more(now.ok, former.ok);
      row.refused = more(now.refused, former.refused);
    }
    all_used += now.used;
    all_refused += static_cast<double>(row.refused.value_or(0));
  }
  for (Row& row : rows) {
    const auto refused = static_cast<double>(row.refused.value_or(0));
    row.part = std::max(all_used > 0 ? row.now->used / all_used : 0,
                        all_refused > 0 ? refused / all_refused : 0);
  }
  std::ranges::stable_sort(rows, std::greater(), &Row::part);
  Table table{{fmt::format("{:<32} {:>7} {:>7} {:>8} {:>9} {:>9}", "CLIENT", "TIME%", "WEIGHT",
                           "OK/S", "REFUSED/S", "IN-FLIGHT"),
               true},
              {}};
  const auto text = [this](std::optional<uint64_t> count) {
    return count ? fmt::format("{:.1f}", rate(*count)) : "-";
  };
  for (const Row& row : rows) {
    table.rows.push_back(fmt::format("{:<32.32} {:>7.1f} {:>7.1f} {:>8} {:>9} {:>9}", row.now->name,
                                     100 * row.now->used, row.now->weight, text(row.ok),
                                     text(row.refused), row.now->in_flight));
  }
  return table;
}

// The first `columns` characters, without the blanks at the end.
std::string cut(std::string text, size_t columns) {
  text.erase(text.find_last_not_of(' ') + 1);
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_first_byte = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (is_first_byte && seen++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

std::vector<ViewLine> view(const Sample& before, const Sample& now, const ViewSize& size) {
  const Difference difference(before, now);
  std::vector<ViewLine> lines = {{difference.head(), true}};
  if (std::string ends = difference.ends(); !ends.empty()) lines.push_back({std::move(ends)});
  std::vector<Table> tables = {difference.methods(), difference.workers(), difference.upstreams(),
                               difference.clients()};
  std::erase_if(tables, [](const Table& table) { return table.rows.empty(); });
  size_t left = tables.size();
  for (Table& table : tables) {
    // Each table gets its part of the rows that are left, less its blank line and its heading.
    const size_t room = size.rows - std::min(lines.size(), size.rows);
    const size_t part = room / left--;
    const size_t fits = part > 3 ? part - 2 : 1;
    lines.push_back({});
    lines.push_back(std::move(table.heading));
    const size_t shown = table.rows.size() <= fits ? table.rows.size() : fits - 1;
    for (size_t i = 0; i < shown; ++i)
      lines.push_back({std::move(table.rows[i])});
    if (shown < table.rows.size()) {
      lines.push_back({fmt::format("({} more)", table.rows.size() - shown)});
    }
  }
  if (lines.size() > size.rows) lines.resize(size.rows);
  for (ViewLine& line : lines)
    line.text = cut(std::move(line.text), size.columns);
  return lines;
}

}  // namespace ringmaster::cli
