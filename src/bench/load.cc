#include "bench/load.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json/scan.h"
#include "bench/client.h"

namespace ringmaster::bench {
namespace {

constexpr std::string_view kNumber = "$i";

uint64_t to_ns(double seconds) {
  return static_cast<uint64_t>(seconds * static_cast<double>(kNsPerS));
}

double cpu_s() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Makes the numbered requests; the text around the numbers is made once.
class Requests {
 public:
  explicit Requests(const Options& options) {
    std::string rest = fmt::format(R"(,"method":{}{}{}}})", json::quote(options.method),
                                   options.params.empty() ? "" : ",\"params\":", options.params);
    parts_.emplace_back(R"({"jsonrpc":"2.0","id":)");
    for (size_t at; (at = rest.find(kNumber)) != std::string::npos;) {
      parts_.push_back(rest.substr(0, at));
      rest.erase(0, at + kNumber.size());
    }
    parts_.push_back(rest);
  }

  // Valid until the next call.
  std::string_view make(uint64_t number) {
    const fmt::format_int text(number);
    made_ = parts_.front();
    for (size_t i = 1; i < parts_.size(); ++i) {
      made_.append(text.data(), text.size());
      made_ += parts_[i];
    }
    return made_;
  }

 private:
  std::vector<std::string> parts_;
  std::string made_;
};

class Load {
 public:
  Load(const Options& options, const OnProgress& on_progress)
      : options_(options),
        on_progress_(on_progress),
        in_time_ns_(to_ns(options.in_time_ms / 1e3)),
        requests_(options),
        arrivals_(options.arrivals, std::max(options.rate, 1e-9), options.seed) {}

  Status connect();
  Result<Report> run();

 private:
  bool is_open() const { return options_.rate > 0; }
  void start_due(uint64_t now);
  void start(uint64_t intended_ns);
  Status send_waiting();
  Client* free_client();
  Status connect(Client* client);
  Status flush();
  Status wait(uint64_t until_ns);
  void on_answer(const Answer& answer);
  void tell_progress(uint64_t now);

  const Options& options_;
  const OnProgress& on_progress_;
  const uint64_t in_time_ns_;
  Requests requests_;
  Arrivals arrivals_;
  std::vector<std::unique_ptr<Client>> clients_;
  Fd epoll_;
  size_t next_client_ = 0;
  std::deque<uint64_t> waiting_;  // intended starts of requests that wait for a free client
  std::vector<uint64_t> starts_;  // by number: the intended start; 0: answered
  uint64_t next_arrival_ns_ = 0;
  uint64_t begin_ns_ = 0;
  uint64_t counted_from_ns_ = 0;
  uint64_t end_ns_ = 0;
  uint64_t answered_ = 0;
  uint64_t last_ns_ = 0;
  uint64_t told_ns_ = 0;
  Report report_;
};

Status Load::connect() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return fail_errno("epoll_create1", errno);
  for (uint64_t i = 0; i < options_.connections; ++i) {
    clients_.push_back(std::make_unique<Client>(options_));
    if (Status connected = connect(clients_.back().get()); !connected) return connected;
  }
  return {};
}

// The client's former socket needs no removal from epoll: close(2) has removed it.
Status Load::connect(Client* client) {
  if (Status connected = client->connect(); !connected) return connected;
  epoll_event event{EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = client}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->fd(), &event) != 0) {
    return fail_errno("epoll_ctl", errno);
  }
  return {};
}

Result<Report> Load::run() {
  const double cpu_before = cpu_s();
  begin_ns_ = told_ns_ = now_ns();
  counted_from_ns_ = begin_ns_ + to_ns(options_.warm_up_s);
  end_ns_ = counted_from_ns_ + to_ns(options_.duration_s);
  next_arrival_ns_ = begin_ns_ + (is_open() ? arrivals_.next_ns() : 0);
  if (!is_open()) {
    for (uint64_t i = 0; i < options_.concurrency; ++i)
      start(begin_ns_);
  }
  const uint64_t give_up_ns = end_ns_ + to_ns(options_.drain_s);
  for (;;) {
    const uint64_t now = now_ns();
    start_due(now);
    if (Status sent = send_waiting(); !sent) return tl::unexpected(sent.error());
    if (Status flushed = flush(); !flushed) return tl::unexpected(flushed.error());
    const bool is_over = now >= end_ns_ && answered_ == starts_.size();
    if (is_over || now >= give_up_ns) break;
    tell_progress(now);
    const uint64_t next = is_open() && next_arrival_ns_ < end_ns_ ? next_arrival_ns_ : give_up_ns;
    const uint64_t until = now < end_ns_ ? std::min(next, end_ns_) : next;
    if (Status waited = wait(until); !waited) return tl::unexpected(waited.error());
  }
  report_.lost = static_cast<uint64_t>(std::count_if(
      starts_.begin(), starts_.end(), [this](uint64_t ns) { return ns >= counted_from_ns_; }));
  report_.measured_s =
      static_cast<double>(std::max(last_ns_, counted_from_ns_) - counted_from_ns_) / 1e9;
  report_.own_cpu_s = cpu_s() - cpu_before;
  report_.all_sent = starts_.size();
  return std::move(report_);
}

void Load::start_due(uint64_t now) {
  while (is_open() && next_arrival_ns_ <= now && next_arrival_ns_ < end_ns_) {
    start(next_arrival_ns_);
    next_arrival_ns_ = begin_ns_ + arrivals_.next_ns();
  }
}

void Load::start(uint64_t intended_ns) {
  if (intended_ns >= counted_from_ns_) ++report_.sent;
  waiting_.push_back(intended_ns);
}

Status Load::send_waiting() {
  while (!waiting_.empty()) {
    Client* client = free_client();
    if (client == nullptr) return {};
    if (!client->is_connected()) {
      if (Status connected = connect(client); !connected) return connected;
    }
    starts_.push_back(waiting_.front());
    waiting_.pop_front();
    client->send(starts_.size(), requests_.make(starts_.size()));
  }
  return {};
}

// The next free client, in turn.
Client* Load::free_client() {
  for (size_t tried = 0; tried < clients_.size(); ++tried) {
    Client* client = clients_[next_client_].get();
    next_client_ = (next_client_ + 1) % clients_.size();
    if (client->is_free()) return client;
  }
  return nullptr;
}

Status Load::flush() {
  for (const auto& client : clients_) {
    if (!client->is_blocked()) continue;
    if (Status flushed = client->flush(); !flushed) return flushed;
  }
  return {};
}

Status Load::wait(uint64_t until_ns) {
  epoll_event events[256];
  const uint64_t now = now_ns();
  const uint64_t left = until_ns - std::min(now, until_ns);
  const timespec timeout{static_cast<time_t>(left / kNsPerS), static_cast<long>(left % kNsPerS)};
  const int count = ::epoll_pwait2(epoll_.get(), events, std::size(events), &timeout, nullptr);
  if (count < 0 && errno != EINTR) return fail_errno("epoll_pwait2", errno);
  for (int i = 0; i < count; ++i) {
    if ((events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) == 0) continue;
    auto* client = static_cast<Client*>(events[i].data.ptr);
    Status received = client->receive([this](const Answer& answer) { on_answer(answer); });
    if (!received) return received;
  }
  return {};
}

void Load::on_answer(const Answer& answer) {
  const size_t index = answer.number - 1;  // the number 0 becomes an index out of range
  if (index >= starts_.size() || starts_[index] == 0) {
    ++report_.unexpected;
    return;
  }
  const uint64_t now = now_ns();
  const uint64_t intended_ns = std::exchange(starts_[index], 0);
  ++answered_;
  if (intended_ns >= counted_from_ns_) {
    last_ns_ = now;
    const uint64_t took_ns = now - intended_ns;
    (answer.code == 0 ? report_.latency : report_.error_latency).record(took_ns);
    if (answer.code == 0) {
      ++report_.results;
      if (options_.in_time_ms == 0 || took_ns <= in_time_ns_) ++report_.in_time;
    } else {
      ++report_.errors[answer.code];
    }
  }
  if (!is_open() && now < end_ns_) start(now);
}

void Load::tell_progress(uint64_t now) {
  if (now < told_ns_ + kNsPerS) return;
  told_ns_ = now;
  on_progress_({static_cast<double>(now - begin_ns_) / 1e9, starts_.size(), answered_});
}

}  // namespace

Result<Report> run_load(const Options& options, const OnProgress& on_progress) {
  Load load(options, on_progress);
  if (Status connected = load.connect(); !connected) return tl::unexpected(connected.error());
  return load.run();
}

}  // namespace ringmaster::bench
