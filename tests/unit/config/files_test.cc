#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/keys.h"
#include "config_support.h"

namespace ringmaster::config {

TEST_CASE("config: handler libraries are found by name or by path") {
  const Folder folder;
  const std::string method = "[methods.m]\nsteps = [{ run = 'h' }]\n[handlers.h]\nlibrary = ";
  CHECK(folder.load(method + "'burn'").options.handlers[0].library ==
        folder.at("handlers/burn.so"));
  CHECK(folder.load(method + "'handlers/burn.so'").options.handlers[0].library ==
        folder.at("handlers/burn.so"));
  CHECK(folder.load(method + "'" + folder.at("handlers/burn.so") + "'").problems.empty());
  CHECK(has_problem(method + "'brun'", "did you mean burn?"));
  CHECK(has_problem(method + "'something'", "; known: burn, echo, interests"));
  CHECK(has_problem(method + "'handlers/brun.so'", "no such file: "));
  CHECK(has_problem(method + "'handlers/brun.so'", "handlers/burn.so?"));
  CHECK(has_problem(method + "'handlers/'", "expected a file, found a folder"));
  std::filesystem::create_directory(folder.at("handlers/folder.so"));
  CHECK(folder.load(method + "'folder'").problems.size() == 1);
  CHECK(has_problem("[methods.m]\nsteps = [{ run = 'ehco' }]\n[handlers.ehco]",
                    ":3: handlers.ehco.library: no handler ehco.so"));
}

TEST_CASE("config: the files of handlers must be there") {
  CHECK(has_problem(kEcho + "[handlers.burn]\nmodel = 'models/interest.ubj'",
                    "models/interests.ubj?"));
  CHECK(has_problem(kEcho + "[handlers.burn]\nx_file = 'model/interests.ubj'", "does not exist"));
  CHECK(has_problem(kEcho + "[handlers.burn]\nmodel = ''",
                    "expected the path of a file, found an empty string"));
  const Folder folder;
  ::chmod(folder.at("models/interests.ubj").c_str(), 0);
  const bool is_root = ::access(folder.at("models/interests.ubj").c_str(), R_OK) == 0;
  const Loaded loaded = folder.load(kEcho + "[handlers.burn]\nmodel = 'models/interests.ubj'");
  CHECK(loaded.problems.size() == (is_root ? 0 : 1));
}

TEST_CASE("config: a file that is not a regular one is named, and opening it does not block") {
  const Folder folder;
  REQUIRE(::mkfifo(folder.at("fifo").c_str(), 0600) == 0);
  std::filesystem::create_symlink(folder.at("fifo"), folder.at("link"));
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder.at("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::pair<std::string, std::string> kinds[] = {{folder.at("fifo"), "a FIFO"},
                                                       {folder.at("link"), "a FIFO"},
                                                       {folder.at("socket"), "a socket"},
                                                       {folder.at("models"), "a folder"},
                                                       {"/dev/zero", "a device"}};
  const std::string keys[] = {"[handlers.burn]\nmodel",         "[handlers.burn]\nx_file",
                              "[handlers.burn]\nlibrary",       "[listen]\ntoken_file",
                              "[listen]\ntls_certificate_file", "[listen]\ntls_client_ca_file",
                              "[listen]\ntls_client_crl_file",  "[listen]\ntls_key_file"};
  for (const auto& [file, kind] : kinds) {
    const auto& path = file;
    CAPTURE(path);
    for (const std::string& key : keys) {
      CAPTURE(key);
      const auto problems = folder.load(kEcho + key + " = '" + path + "'").problems;
      REQUIRE(!problems.empty());
      CHECK(problems.front().message.ends_with("expected a file, found " + kind));
    }
    const auto problems = load(path).problems;
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].message == "expected a file, found " + kind);
  }
}

TEST_CASE("config: a relative path is looked for beside the file, then in the working folder") {
  const Folder folder;
  const std::string here = "ringmaster-config-test-" + std::to_string(::getpid());
  const std::string both = here + "-both";
  std::ofstream(here) << "";
  std::ofstream(both) << "";
  folder.write(both, "");
  const Loaded loaded = folder.load(kEcho + "[handlers.burn]\na_file = '" + here +
                                    "'\nmodel = 'models/interests.ubj'\nc_file = '" + both + "'");
  std::filesystem::remove(here);
  std::filesystem::remove(both);
  REQUIRE(loaded.problems.empty());
  CHECK(loaded.options.handlers[1].options[0].second == std::filesystem::current_path() / here);
  CHECK(loaded.options.handlers[1].options[1].second == folder.at("models/interests.ubj"));
  CHECK(loaded.options.handlers[1].options[2].second == folder.at(both));
}

TEST_CASE("config: a file that is not there names the nearest one") {
  const Folder folder;
  folder.write("ringmaster.toml", "");
  const auto problems = load(folder.at("ringmaster.tml")).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].message == "no such file; did you mean " + folder.at("ringmaster.toml") + "?");
  CHECK(load(folder.at("models")).problems[0].message == "expected a file, found a folder");
  CHECK(load(folder.at("none/x.toml")).problems[0].message.find("does not exist") !=
        std::string::npos);
}

TEST_CASE("config: dump loads to the same options") {
  const Folder folder;
  const Loaded loaded =
      folder.load(R"(
    [listen]
    rpc = ["127.0.0.1:0", "unix:/run/\"x\".sock"]
    allow = ["10.0.0.0/8", "::1"]
    unix_owner = "root"
    unix_mode = "07"
    [limits]
    request_bytes = 1025
    response_bytes = "3KiB"
    [upstreams."a b"]
    url = "http://x/"
    resolve = true
    idempotent = true
    coalesce = true
    cache = { ttl_ms = 5, bytes = "128KiB" }
    [handlers.interests]
    model = "models/interests.ubj"
    deep = { a = [1, "x\n\u0001"], b = {} }
    [methods."a.b"]
    summary = "What \"a.b\" does."
    steps = [{ run = "interests" }, { fetch = "a b" }, { fetch = "a b", body = {} },
             { fetch = "a b", body = ["${params.x}"] }, { fetch = "a b", body = )"
                  R"({ id = "${params.user.id}", user = "${params.user}", )"
                  R"(again = "${params.user.id}", copy = { id = "${params.user.id}" }, )"
                  R"(text = "x\"\n", n = -1, big = 9007199254740993, f = 1e300, )"
                  R"(one = 1.0, list = [], none = {}, "a key" = false } }])");
  for (const Problem& problem : loaded.problems)
    MESSAGE(to_string(problem));
  REQUIRE(loaded.problems.empty());
  const std::string text = dump(loaded.options);
  const Loaded again = folder.load(text);
  for (const Problem& problem : again.problems)
    MESSAGE(to_string(problem));
  REQUIRE(again.problems.empty());
  CHECK(dump(again.options) == text);
  CHECK(again.options.listen_rpc == loaded.options.listen_rpc);
  CHECK(again.options.allow == loaded.options.allow);
  CHECK(again.options.methods[0].summary == "What \"a.b\" does.");
  CHECK(again.options.unix_access.owner_id == 0);
  CHECK(again.options.unix_access.group_id == net::UnixAccess::kOwn);
  CHECK(again.options.unix_access.mode == 07);
  CHECK(again.options.limits.request_bytes == 1025);
  CHECK(again.options.limits.response_bytes == 3072);
  CHECK(again.options.handlers[0].options == loaded.options.handlers[0].options);
  CHECK(again.options.upstreams == loaded.options.upstreams);
  const auto& steps = loaded.options.methods[0].steps;
  const auto& steps_again = again.options.methods[0].steps;
  REQUIRE(steps_again.size() == steps.size());
  for (size_t i = 1; i < steps.size(); ++i) {
    const auto& request = std::get<master::FetchStep>(steps[i]).request;
    CHECK(std::get<master::FetchStep>(steps_again[i]).request.body() == request.body());
  }
}

}  // namespace ringmaster::config
