#include <doctest/doctest.h>
#include <pwd.h>
#include <unistd.h>

#include "config_support.h"

namespace ringmaster::config {

TEST_CASE("config: a key that is left out has its default") {
  const Folder folder;
  const Loaded loaded = folder.load(kEcho);
  CHECK(loaded.problems.empty());
  const master::Options& options = loaded.options;
  CHECK(options.config_file == folder.at("x.toml"));
  CHECK(options.listen_rpc == std::vector<std::string>{"127.0.0.1:7070"});
  CHECK(options.worker_count == 0);
  CHECK(options.limits.request_bytes == 16 << 20);
  REQUIRE(options.handlers.size() == 1);
  CHECK(options.handlers[0].library == folder.at("handlers/echo.so"));
  REQUIRE(options.methods.size() == 1);
  CHECK(options.methods[0].timeout_ms == 1000);
  CHECK(std::get<master::RunStep>(options.methods[0].steps[0]).handler == 0);
}

namespace {

const std::string kEveryKey = R"(
    [methods."interests.predict"]   # before the sections that it names
    timeout_ms = 250
    attempts = 3
    slow_ms = 200
    rehearse = true
    steps = [{ fetch = "users", body = { user_id = "${params.user_id}", n = [1, 2.5, true] } },
             { fetch = "users" }, { run = "interests" }]
    [listen]
    rpc = ["0.0.0.0:0", "0.0.0.0:0", "[::1]:7070", "unix:/run/x.sock", "unix:rpc.sock",
           "tls://0.0.0.0:7443"]
    allow = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]
    proxy_from = ["192.0.2.0/24"]
    connection_age_s = 21
    endpoint_load_metrics = true
    connections_per_client = 20
    tls_certificate_file = "models/interests.ubj"
    tls_key_file = "tls.key"
    tls_client_ca_file = "models/interests.ubj"
    tls_client_crl_file = "models/interests.ubj"
    unix_owner = "root"
    unix_group = "12345"
    unix_mode = "0600"
    status = ""
    [workers]
    count = 7
    start_timeout_ms = 13
    sandbox = false
    spare = true
    profile = false
    debug = true
    user = "root"
    max_jobs = 14
    max_rss_bytes = "15KiB"
    [limits]
    request_bytes = "2MiB"
    response_bytes = "3MiB"
    batch_items = 4
    connections = 5
    in_flight_per_connection = 6
    requests_in_flight = 7
    payload_memory_bytes = "1GiB"
    connection_memory_bytes = "16MiB"
    send_timeout_ms = 17
    idle_timeout_ms = 18
    [crashes]
    folder = "crashes"
    count = 11
    total_bytes = "12KiB"
    [shutdown]
    grace_ms = 8
    notice_ms = 9
    [reload]
    rehearse = 21
    [upstreams.users]
    url = "https://example.org:8443/features?x=1"
    timeout_ms = 9
    connections = 10
    body_bytes = 2048
    [handlers.interests]
    library = "interests"
    batch = 19
    model = "models/interests.ubj"
    vocabulary_file = "models/interests.ubj"
    depth = 3
    mode = ""
    weights = [0.5, 1.0]
    nested = { on = true, since = 2024-01-02 })";

}  // namespace

TEST_CASE("config: every key of the server's sections is read") {
  const Folder folder;
  const Loaded loaded = folder.load(kEveryKey);
  for (const Problem& problem : loaded.problems)
    MESSAGE(to_string(problem));
  REQUIRE(loaded.problems.empty());
  const master::Options& options = loaded.options;
  CHECK(options.listen_rpc ==
        std::vector<std::string>{"0.0.0.0:0", "0.0.0.0:0", "[::1]:7070", "unix:/run/x.sock",
                                 "unix:" + folder.at("rpc.sock"), "tls://0.0.0.0:7443"});
  const std::string model = folder.at("models/interests.ubj");
  CHECK(options.tls == net::TlsFiles{model, folder.at("tls.key"), model, model});
  REQUIRE(options.allow.size() == 3);
  CHECK(options.allow[1].text() == "10.0.0.0/8");
  REQUIRE(options.proxy_from.size() == 1);
  CHECK(options.proxy_from[0].text() == "192.0.2.0/24");
  CHECK(options.connection_age_s == 21);
  CHECK(options.endpoint_load_metrics);
  CHECK(options.connections_per_client == 20);
  CHECK(options.unix_access.owner_id == 0);
  CHECK(options.unix_access.group_id == 12345);
  CHECK(options.unix_access.mode == 0600);
  CHECK(options.worker_count == 7);
  CHECK(options.start_timeout_ms == 13);
  CHECK(options.confinement.sandbox == ipc::Sandbox::kOff);
  CHECK(options.confinement.keeps_spare == 1);
  CHECK(options.worker_user == "root");
  CHECK(options.confinement.changes_user == 0);
  CHECK(!options.worker_profile);
  CHECK(options.worker_debug);
  CHECK(options.handlers.front().debug);
  CHECK(options.worker_max_jobs == 14);
  CHECK(options.worker_max_rss_bytes == 15 << 10);
  CHECK(options.limits.request_bytes == 2 << 20);
  CHECK(options.limits.response_bytes == 3 << 20);
  CHECK(options.limits.batch_items == 4);
  CHECK(options.limits.connections == 5);
  CHECK(options.limits.in_flight_per_connection == 6);
  CHECK(options.limits.requests_in_flight == 7);
  CHECK(options.limits.payload_memory_bytes == 1 << 30);
  CHECK(options.limits.connection_memory_bytes == 16 << 20);
  CHECK(options.limits.send_timeout_ms == 17);
  CHECK(options.limits.idle_timeout_ms == 18);
  CHECK(options.crashes.folder == folder.at("crashes"));
  CHECK(options.crashes.count == 11);
  CHECK(options.crashes.total_bytes == 12 << 10);
  CHECK(options.shutdown_grace_ms == 8);
  CHECK(options.shutdown_notice_ms == 9);
  CHECK(options.rehearse == 21);
  REQUIRE(options.upstreams.size() == 1);
  CHECK(options.upstreams[0].name == "users");
  CHECK(options.upstreams[0].url == "https://example.org:8443/features?x=1");
  CHECK(options.upstreams[0].timeout_ms == 9);
  CHECK(options.upstreams[0].connections == 10);
  CHECK(options.upstreams[0].body_bytes == 2048);
}

TEST_CASE("config: every key of handlers and methods is read") {
  const Folder folder;
  const master::Options options = folder.load(kEveryKey).options;
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  REQUIRE(options.handlers.size() == 1);
  CHECK(options.handlers[0].batch == 19);
  CHECK(options.handlers[0].options == Pairs{{"model", folder.at("models/interests.ubj")},
                                             {"vocabulary_file", folder.at("models/interests.ubj")},
                                             {"depth", "3"},
                                             {"mode", ""},
                                             {"weights", "[0.5,1.0]"},
                                             {"nested", R"({"on":true,"since":"2024-01-02"})"}});
  REQUIRE(options.methods.size() == 1);
  const master::Method& method = options.methods[0];
  CHECK(method.name == "interests.predict");
  CHECK(method.timeout_ms == 250);
  CHECK(method.attempts == 3);
  CHECK(method.slow_ms == 200);
  CHECK(method.rehearse);
  REQUIRE(method.steps.size() == 3);
  const auto body = std::get<master::FetchStep>(method.steps[0]).request.body();
  CHECK(body == R"({"user_id":"${params.user_id}","n":[1,2.5,true]})");
  CHECK(!std::get<master::FetchStep>(method.steps[1]).request.has_body());
  CHECK(std::get<master::RunStep>(method.steps[2]).batch == 19);
}

TEST_CASE("config: an unknown key or section names the nearest one") {
  CHECK(has_problem(kEcho + "timeout_mss = 1",
                    ":4: methods.echo.timeout_mss: unknown key; did you mean timeout_ms?"));
  CHECK(has_problem(kEcho + "[limit]", ":4: limit: unknown section; did you mean limits?"));
  CHECK(
      has_problem(kEcho + "[features.u]", "features: unknown section; it is called upstreams now"));
  CHECK(has_problem(kEcho + "[limits]\nqueued_jobs = 1",
                    "limits.queued_jobs: unknown key; it is called requests_in_flight now"));
  CHECK(has_problem(kEcho + "[upstreams.u]\nurl = 'http://x'\ntimeout = 1",
                    "did you mean timeout_ms?"));
  CHECK(has_problem(kEcho + "[shutdown]\ncolour = 1", "unknown key; known: notice_ms, grace_ms"));
  CHECK(has_problem(kEcho + "[methods.b]\nsteps = [{ runn = 'echo', run = 'echo' }]",
                    "methods.b.steps[0].runn: unknown key; did you mean run?"));
}

TEST_CASE("config: a wrong type says what was expected and what was found") {
  CHECK(has_problem(kEcho + "timeout_ms = '1s'",
                    "expected an integer, in milliseconds, found the string \"1s\""));
  CHECK(has_problem(kEcho + "attempts = 1.5", "expected an integer, found the number 1.5"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = '127.0.0.1:7070'",
                    "expected an array of addresses, found the string"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = [7070]",
                    ":5: listen.rpc[0]: expected an address, \"HOST:PORT\" or \"unix:PATH\", found "
                    "the integer 7070"));
  CHECK(has_problem("listen = 3\n" + kEcho, "listen: expected a table, found the integer 3"));
  CHECK(has_problem(kEcho + "[handlers]\nfoo = 1", "handlers.foo: expected a table"));
  CHECK(has_problem("methods = 1", "methods: expected a table"));
  CHECK(has_problem(kEcho + "[methods.b]\nsteps = 'echo'", "expected an array of steps"));
  CHECK(
      has_problem(kEcho + "[methods.b]\nsteps = ['echo']", "methods.b.steps[0]: expected { fetch"));
  CHECK(has_problem(kEcho + "[workers]\ncount = 'many'",
                    "expected \"auto\" or an integer, found the string \"many\""));
  CHECK(has_problem(
      kEcho + "[workers]\nsandbox = 'off'",
      "workers.sandbox: expected true, false or \"best-effort\", found the string \"off\""));
  CHECK(has_problem(kEcho + "[crashes]\nfolder = 1", "expected the path of a folder, or \"\""));
  CHECK(has_problem(kEcho + "[upstreams.u]\nurl = true",
                    "upstreams.u.url: expected a URL, found true"));
  CHECK(has_problem(kEcho + "[handlers.burn]\nmodel = 1", "expected the path of a file"));
  CHECK(has_problem(kEcho + "[handlers.burn]\nx = inf", "cannot be written as JSON"));
  for (const std::string batch : {"0", "65"}) {
    CHECK(has_problem(kEcho + "[handlers.burn]\nbatch = " + batch,
                      "handlers.burn.batch: expected 1 to 64, found " + batch));
  }
  CHECK(has_problem(kEcho + "[handlers.burn]\nx = \"a\\u0000\"", "a NUL in it"));
  CHECK(has_problem(kEcho + "[handlers.burn]\n\"x\\u0000y\" = 1",
                    ":5: handlers.burn.\"x\\u0000y\": expected a key, found a string with a NUL"));
  CHECK(has_problem(kEcho + "[handlers.burn]\n\"\" = 1", "expected a key, found an empty string"));
  CHECK(has_problem(kEcho + "[handlers.\"b\\u0000\"]\nlibrary = 'burn'",
                    "expected a name, found a string with a NUL in it"));
}

TEST_CASE("config: a number out of range states the limits") {
  CHECK(has_problem(kEcho + "[workers]\ncount = 0", "expected 1 to 512, or \"auto\", found 0"));
  CHECK(has_problem(kEcho + "[workers]\ncount = 513", "expected 1 to 512, or \"auto\", found 513"));
  CHECK(has_problem(kEcho + "timeout_ms = -1", "expected 1 ms to 3600000 ms, found -1"));
  CHECK(has_problem(kEcho + "[limits]\nrequests_in_flight = 1000001",
                    "expected 1 to 1000000, found 1000001"));
  CHECK(
      has_problem(kEcho + "[limits]\nrequest_bytes = '2GiB'", "expected 1KiB to 1GiB, found 2GiB"));
  CHECK(has_problem(kEcho + "attempts = 0", "expected 1 to 10, found 0"));
  for (const char* limit : {"1", "512"})
    CHECK(problems_of(kEcho + "[workers]\ncount = " + limit).empty());
}

TEST_CASE("config: sizes are integers or strings with a unit") {
  for (const char* bad :
       {"'64MB'", "'MiB'", "'-1MiB'", "'1.5GiB'", "''", "'99999999999999GiB'", "true"}) {
    CHECK(has_problem(kEcho + "[limits]\nresponse_bytes = " + bad, "expected a size"));
  }
  const Folder folder;
  for (const char* good : {"65536", "'64KiB'", "'65536'"}) {
    const Loaded loaded = folder.load(kEcho + "[limits]\nresponse_bytes = " + good);
    CHECK(loaded.problems.empty());
    CHECK(loaded.options.limits.response_bytes == 65536);
  }
  const Loaded largest = folder.load(kEcho + "[limits]\npayload_memory_bytes = '2GiB'");
  CHECK(largest.options.limits.payload_memory_bytes == uint64_t{2} << 30);
}

TEST_CASE("config: connection memory must hold a request and a response") {
  const std::string limits = kEcho + "[limits]\nrequest_bytes = '1MiB'\nresponse_bytes = '2MiB'\n";
  CHECK(problems_of(limits + "connection_memory_bytes = '3MiB'").empty());
  CHECK(has_problem(limits + "connection_memory_bytes = 3145727",
                    ":7: limits.connection_memory_bytes: must hold limits.request_bytes plus "
                    "limits.response_bytes: at least 3145728 bytes, found 3145727"));
}

TEST_CASE("config: payload memory must hold a request and what is fetched for it") {
  CHECK(has_problem(kEcho + "[limits]\npayload_memory_bytes = '15MiB'",
                    ":5: limits.payload_memory_bytes: must hold one request of the method echo, "
                    "with limits.request_bytes = 16MiB: expected at least 16385KiB, or "
                    "limits.request_bytes of at most 15728576 bytes, found 15MiB"));
  CHECK(has_problem(kEcho + "[limits]\npayload_memory_bytes = '16MiB'", "expected at least"));
  CHECK(problems_of(kEcho + "[limits]\npayload_memory_bytes = '16385KiB'").empty());
  CHECK(problems_of(kEcho + "[limits]\npayload_memory_bytes = '24MiB'\nrequest_bytes = '20MiB'")
            .empty());
}

TEST_CASE("config: payload memory must hold the bodies and results of a request's steps as well") {
  const std::string steps =
      "[handlers.echo]\n[upstreams.u]\nurl = 'http://x'\nbody_bytes = '100MiB'\n"
      "[methods.m]\nsteps = [{ fetch = 'u' }, { run = 'echo' }, { run = 'echo' }]\n[limits]\n";
  CHECK(has_problem(steps + "payload_memory_bytes = '166MiB'",
                    ":8: limits.payload_memory_bytes: must hold one request of the method m, with "
                    "upstreams.u.body_bytes = 100MiB, limits.response_bytes = 16MiB, "
                    "limits.request_bytes = 16MiB: expected at least 169987KiB, or "
                    "limits.request_bytes of at most "));
  CHECK(problems_of(steps + "payload_memory_bytes = '169987KiB'").empty());
  // Where the memory has its default, the problem's line is that of body_bytes.
  const std::string body = "[upstreams.u]\nurl = 'http://x'\nbody_bytes = '300MiB'\n";
  CHECK(has_problem(kEcho + body + "[methods.m]\nsteps = [{ fetch = 'u' }]",
                    ":6: limits.payload_memory_bytes: must hold one request of the method m"));
  CHECK(problems_of(kEcho + body).empty());  // nothing is fetched from it
}

TEST_CASE("config: a syntax error is one problem with its line") {
  CHECK(has_problem(kEcho + "a = = 1\nb = = 2", "4: not valid TOML: "));
  CHECK(has_problem(kEcho + "attempts = 1\nattempts = 2", "5: not valid TOML: "));
  CHECK(has_problem(kEcho + "a = \"\xff\"", "4: not valid TOML: "));
  CHECK(has_problem("[\n%", "1: not valid TOML: "));
}

TEST_CASE("config: a key of endlessly many parts is a problem, and no stack overflow") {
  std::string parts = "a";
  for (int i = 0; i < 200'000; ++i)
    parts += ".a";
  CHECK(has_problem("\n" + parts + " = 1", "2: not valid TOML: more than 1000 dots in one key"));
  CHECK(has_problem("[" + parts + "]", "1: not valid TOML: more than 1000 dots"));
  // A line with as many dots in numbers is no such key.
  std::string numbers = "x = [";
  for (int i = 0; i < 2000; ++i)
    numbers += "0.5,";
  CHECK(problems_of(kEcho + "[handlers.burn]\n" + numbers + "]").empty());
}

TEST_CASE("config: the workers' user is looked up where the server is root, and only there") {
  const Folder folder;
  const auto load = [&](const std::string& user) {
    return folder.load(kEcho + "[workers]\nsandbox = 'best-effort'\nuser = '" + user + "'");
  };
  CHECK(load("root").options.confinement.sandbox == ipc::Sandbox::kBestEffort);
  const ipc::Confinement numbered = load("12345678").options.confinement;
  const Loaded unknown = load("no-such-user");
  if (::geteuid() != 0) {
    CHECK(numbered.changes_user == 0);
    CHECK(unknown.problems.empty());
    return;
  }
  CHECK(numbered.changes_user == 1);
  CHECK(numbered.user_id == 12345678);
  CHECK(numbered.group_id == 12345678);
  REQUIRE(unknown.problems.size() == 1);
  CHECK(unknown.problems[0].line == 6);
  CHECK(unknown.problems[0].key == "workers.user");
  CHECK(unknown.problems[0].message.find("workers run as this user") != std::string::npos);
  if (const passwd* const nobody = ::getpwnam("nobody")) {
    const uint32_t id = nobody->pw_uid;
    CHECK(folder.load(kEcho).options.confinement.user_id == id);
  } else {
    CHECK(folder.load(kEcho).problems.size() == 1);
  }
}

TEST_CASE("config: the access log is off, or has all requests, or one of N") {
  const Folder folder;
  const auto every = [&](const std::string& text) {
    return folder.load(kEcho + text).options.access_log_every;
  };
  CHECK(every("") == 0);
  CHECK(every("[log]\naccess = 'off'") == 0);
  CHECK(every("[log]\naccess = 'all'") == 1);
  CHECK(every("[log]\naccess = 100") == 100);
  for (const std::string bad : {"0", "-1", "1000001", "'some'", "true"}) {
    CHECK(has_problem(kEcho + "[log]\naccess = " + bad,
                      ":5: log.access: expected \"off\", \"all\", or 1 to 1000000, found "));
  }
  CHECK(has_problem(kEcho + "[log]\nacces = 1", "did you mean access?"));
}

}  // namespace ringmaster::config
