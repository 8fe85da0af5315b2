// large_server: what admission and the audit cost the master while 100,000 requests are in flight.
//
// A process without sockets, in which the dispatcher is the master's and workers only claim jobs.
// Each request has another deadline. First no worker takes jobs: a further request is admitted and
// cancelled. It is due among the others, or ("urgent") before all of them. Then each worker takes
// as many jobs as a batch has, and the master audits the shared words.
//
// Prints {"servers":[{"workers":...,"clients":...,"batch":...,"in_hand":...,"admitted_us":...,
// "urgent_us":...,"audit_ms":...},...]}: the medians of single calls.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cli/huge_pages.h"
#include "ipc/worker_port.h"
#include "master/pipeline/dispatcher.h"
#include "measure.h"

namespace ringmaster::master {
namespace {

constexpr uint32_t kInFlight = 100'000;
constexpr size_t kCalls = 20'000;
constexpr size_t kAudits = 100;
// A job takes so long that 100,000 of them are done in time, and a batch is longer than the
// dispatch window: so it is published for a free worker as a whole.
constexpr uint64_t kRunNs = 30'000;
constexpr uint64_t kTimeoutMsMin = 200'000;
constexpr uint64_t kTimeoutMsMax = 600'000;
constexpr uint64_t kUrgentMs = 1000;
constexpr std::string_view kParams = "[1]";

struct Shape {
  uint32_t workers;
  uint64_t batch;
  size_t clients;
};

struct Counter : Caller {
  void answer_result(std::string_view) override { ++results; }
  void answer_error(const rpc::Error&) override {}

  size_t results = 0;
};

ipc::Geometry geometry_of(const Shape& shape) {
  ipc::Geometry geometry;
  geometry.worker_slots = shape.workers;
  geometry.ring_entries = std::max(512u, 4 * shape.workers);
  geometry.job_slots = 2 * kInFlight;  // the last places are not for every client
  geometry.payload_bytes = 512 << 20;
  geometry.result_bytes = 4096;
  return geometry;
}

class Server {
 public:
  explicit Server(const Shape& shape)
      : shape_(shape),
        store_(std::move(ipc::PayloadStore::create(geometry_).value())),
        port_(ipc::MasterPort::create(geometry_).value()),
        method_{"echo", {}, kTimeoutMsMax, 2, {RunStep{0, shape.batch}}},
        dispatcher_(
            loop(), store_, geometry_, {}, [](uint32_t, const char*) {}, recorder_) {
    dispatcher_.add_method(method_);
    for (size_t i = 0; i < shape.clients; ++i) {
      clients_.push_back(dispatcher_.shares().hold(std::to_string(i), ShareTable::Kind::kNamed));
    }
    for (uint32_t slot = 0; slot < shape.workers; ++slot) {
      const Fd results = port_.renew_results(slot).value();
      workers_.push_back(
          ipc::WorkerPort::open(
              geometry_, slot,
              ipc::WorkerPort::map(geometry_, port_.control_memory_fd(), store_.memory_fd())
                  .value(),
              results.get())
              .value());
    }
    stage().set_port(&port_);
    learn_cost();
    stage().set_workers(0);
    while (dispatcher_.in_flight() < kInFlight)
      RM_ASSERT(admit(draw_timeout_ms()));
  }

  // A request with a deadline among those of the others.
  double admitted_us() {
    return admitted_us([this] { return draw_timeout_ms(); });
  }
  // A request that must be done before all others.
  double urgent_us() {
    return admitted_us([] { return kUrgentMs; });
  }

  // Returns how many jobs all workers have in hand then.
  size_t let_workers_take() {
    stage().set_workers(workers_.size());
    size_t taken = 0;
    for (ipc::WorkerPort& worker : workers_) {
      const std::optional<ipc::WorkerPort::Job> first = worker.try_next().value();
      RM_ASSERT(first);
      ++taken;
      for (uint64_t i = 1; i < shape_.batch && worker.try_next_like(*first); ++i)
        ++taken;
      stage().take_results(RunStage::kAllBytes);  // publishes more jobs
    }
    return taken;
  }

  double audit_ms() {
    std::vector<double> ms;
    for (size_t i = 0; i < kAudits; ++i) {
      const uint64_t begin_ns = now_ns();
      stage().audit();
      ms.push_back(static_cast<double>(now_ns() - begin_ns) / 1e6);
    }
    return bench::median_of(std::move(ms));
  }

 private:
  uv_loop_t* loop() {
    RM_ASSERT(uv_loop_init(&loop_) == 0);
    return &loop_;
  }
  RunStage& stage() { return dispatcher_.run_stage(); }
  uint64_t draw_timeout_ms() { return kTimeoutMsMin + random_() % (kTimeoutMsMax - kTimeoutMsMin); }

  template <class TimeoutMs>
  double admitted_us(TimeoutMs timeout_ms) {
    std::vector<double> us;
    for (size_t i = 0; i < kCalls; ++i) {
      const uint64_t ms = timeout_ms();
      const uint64_t begin_ns = now_ns();
      const std::optional<Ticket> ticket = admit(ms);
      us.push_back(static_cast<double>(now_ns() - begin_ns) / 1e3);
      RM_ASSERT(ticket);
      dispatcher_.cancel(*ticket);
    }
    return bench::median_of(std::move(us));
  }

  std::optional<Ticket> admit(uint64_t timeout_ms) {
    ClientShare& client = *clients_[next_client_++ % clients_.size()];
    return dispatcher_.admit(method_, kParams, timeout_ms, caller_, &client);
  }

  // A first job tells the master how long the method's jobs take.
  void learn_cost() {
    stage().set_workers(workers_.size());
    RM_ASSERT(admit(kTimeoutMsMax));
    ipc::WorkerPort& worker = workers_.front();
    const ipc::WorkerPort::Job job = *worker.try_next().value();
    const uint64_t begin_ns = now_ns();
    while (now_ns() < begin_ns + kRunNs)
      continue;
    char* const room = worker.reserve(kParams.size());
    std::memcpy(room, kParams.data(), kParams.size());
    worker.commit(job.id, 0, kParams.size(), kRunNs);
    worker.finish();
    stage().take_results(RunStage::kAllBytes);
    RM_ASSERT(caller_->results == 1 && dispatcher_.in_flight() == 0);
  }

  const Shape shape_;
  const ipc::Geometry geometry_ = geometry_of(shape_);
  uv_loop_t loop_;
  telemetry::Recorder recorder_;
  ipc::PayloadStore store_;
  ipc::MasterPort port_;
  const Method method_;
  Dispatcher dispatcher_;
  std::vector<std::shared_ptr<ClientShare>> clients_;
  std::vector<ipc::WorkerPort> workers_;
  std::shared_ptr<Counter> caller_ = std::make_shared<Counter>();
  size_t next_client_ = 0;
  std::mt19937_64 random_{1};
};

}  // namespace
}  // namespace ringmaster::master

int main(int, char** argv) {
  ringmaster::cli::use_huge_pages(argv);  // as the server does
  using ringmaster::master::Server;
  using ringmaster::master::Shape;
  const char* separator = "";
  std::printf("{\"servers\":[");
  for (const Shape shape : {Shape{2, 1, 1}, Shape{2, 1, 1000}, Shape{512, 64, 1000}}) {
    // Never destroyed: jobs are in flight. The memory that the next server needs is its own.
    Server& server = *new Server(shape);
    const double admitted_us = server.admitted_us();
    const double urgent_us = server.urgent_us();
    const size_t in_hand = server.let_workers_take();
    std::printf(
        "%s{\"workers\":%u,\"clients\":%zu,\"batch\":%lu,\"in_hand\":%zu,"
        "\"admitted_us\":%.2f,\"urgent_us\":%.2f,\"audit_ms\":%.3f}",
        separator, shape.workers, shape.clients, shape.batch, in_hand, admitted_us, urgent_us,
        server.audit_ms());
    separator = ",";
  }
  std::printf("]}\n");
  return 0;
}
