// [listen]: addresses, and which clients may call.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "config/tokens.h"
#include "config_support.h"

namespace ringmaster::config {

TEST_CASE("config: listen addresses are checked") {
  for (const char* bad : {"7070", ":7070", "127.0.0.256:80", "::1:80", "[::1]", "a b:80", ""}) {
    CHECK(has_problem(kEcho + "[listen]\nrpc = ['" + bad + "']", "listen.rpc[0]: expected"));
  }
  CHECK(has_problem(kEcho + "[listen]\nrpc = ['127.0.0.1:65536']",
                    "expected a port from 0 to 65535"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = ['localhost:']", "expected a port from 0 to 65535"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = ['unix:']", "expected a path"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = ['unix:/" + std::string(107, 'x') + "']",
                    "107 bytes at most"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = ['a:1', 'a:2', 'a:1']",
                    "listen.rpc[2]: the address a:1 is already in the list"));
  CHECK(has_problem(kEcho + "[listen]\nrpc = []", "expected at least one address"));
  for (const char* both : {"a:1", "unix:/run/a.sock"}) {
    const std::string rpc = std::string("rpc = ['b:1', '") + both + "']\n";
    CHECK(has_problem(kEcho + "[listen]\n" + rpc + "status = '" + both + "'",
                      std::string("expected another address for status, since ") + both));
  }
  CHECK(problems_of(kEcho + "[listen]\nrpc = ['a:0']\nstatus = 'a:0'").empty());
}

TEST_CASE("config: TLS takes a certificate and a key, which can be read") {
  const std::string listen = kEcho + "[listen]\n";
  const std::string files =
      "tls_certificate_file = 'models/interests.ubj'\ntls_key_file = 'tls.key'\n";
  CHECK(problems_of(listen + files + "rpc = ['tls://a:1', 'tls://[::1]:0', 'a:2']").empty());
  CHECK(problems_of(listen + files).empty());
  const auto missing = problems_of(listen + "rpc = ['a:1', 'tls://a:2']");
  REQUIRE(missing.size() == 2);
  CHECK(missing[0] == "x.toml:4: listen: expected tls_certificate_file, since tls://a:2 is in rpc");
  CHECK(missing[1] == "x.toml:4: listen: expected tls_key_file, since tls://a:2 is in rpc");
  CHECK(has_problem(listen + "tls_key_file = 'tls.key'",
                    "expected tls_certificate_file, since there is a tls_key_file"));
  const auto no_key = problems_of(listen + "tls_client_ca_file = 'models/interests.ubj'");
  REQUIRE(no_key.size() == 2);
  CHECK(no_key[1] ==
        "x.toml:4: listen: expected tls_key_file, since there is a tls_client_ca_file");
  CHECK(has_problem(listen + files + "tls_client_crl_file = 'models/interests.ubj'",
                    ":4: listen: expected tls_client_ca_file, since there is a "
                    "tls_client_crl_file"));
  CHECK(has_problem(listen + "tls_certificate_file = 'models/interest.ubj'",
                    ":5: listen.tls_certificate_file: no such file"));
  CHECK(has_problem(listen + files + "rpc = ['tls://a:1']\nstatus = 'a:1'",
                    "expected another address for status, since tls://a:1 is in rpc"));
  CHECK(has_problem(listen + files + "rpc = ['tls://a:1', 'a:1']",
                    "listen.rpc[1]: the address a:1 is already in the list"));
  CHECK(has_problem(listen + "tls_key_file = 'models/interests.ubj'",
                    "models/interests.ubj may be read by everybody"));
  for (const char* bad : {"tls://", "tls://a", "tls://unix:x", "tls://:1", "TLS://a:1"}) {
    CAPTURE(bad);
    CHECK(has_problem(listen + files + "rpc = ['" + bad + "']", "listen.rpc[0]: expected"));
  }
}

TEST_CASE("config: tokens are read, and never shown") {
  const Folder folder;
  const auto load = [&](const std::string& tokens, mode_t mode = 0640) {
    ::chmod(folder.write("tokens", tokens).c_str(), mode);
    return folder.load(kEcho + "[listen]\ntoken_file = 'tokens'\n");
  };
  const Loaded two = load("# who\n\n  0123456789abcdef\r\nbatch\t The#Second/Token==\n");
  REQUIRE(two.problems.empty());
  CHECK(two.options.token_file == folder.at("tokens"));
  REQUIRE(two.options.tokens.size() == 2);
  CHECK(two.options.tokens[0].secret == Secret("0123456789abcdef"));
  CHECK(two.options.tokens[0].name == "9f9f5111");  // the first digits of its SHA-256
  CHECK(two.options.tokens[1].secret == Secret("The#Second/Token=="));
  CHECK(two.options.tokens[1].name == "batch");
  CHECK(read_first_token(folder.at("tokens")) == "0123456789abcdef");
  CHECK(dump(two.options).find("token_file = \"" + folder.at("tokens")) != std::string::npos);

  const auto problem = [&](const Loaded& loaded) {
    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems[0].line == 5);
    CHECK(loaded.problems[0].key == "listen.token_file");
    return loaded.problems[0].message;
  };
  const std::string file = folder.at("tokens");
  CHECK(problem(load("# c\nsecret-15-bytes\n")) ==
        file + ":2: expected a token of 16 to 1024 visible ASCII characters, found 15");
  CHECK(problem(load("a token with blanks\n")) ==
        file +
            ":1: expected a token of 16 to 1024 visible ASCII characters, found 17, some not "
            "visible");
  CHECK(problem(load(std::string(65, 'n') + " 0123456789abcdef\n")) ==
        file +
            ":1: expected a name of at most 64 visible ASCII characters before the token, found "
            "65");
  CHECK(problem(load("0123456789abcdef0 0123456789abcdef\n"))
            .find(":1: expected a name that is shorter than its token") != std::string::npos);
  CHECK(problem(load(std::string(1025, 'x'))).ends_with("found 1025"));
  CHECK(problem(load(std::string((1 << 20) + 1, '#'))) ==
        file + ": expected at most 1048576 bytes");
  std::string many = "# a thousand\n";
  for (size_t i = 0; i < 1000; ++i)
    many += "a-token-of-many-" + std::to_string(i) + '\n';
  CHECK(load(many).options.tokens.size() == 1000);
  CHECK(problem(load(many + "one-token-more-1\none-token-more-2\n")) ==
        file + ":1002: expected at most 1000 tokens, found 1002");
  CHECK(problem(load("# none\n")) == file + ": expected a token, one a line, found none");
  CHECK(problem(load("0123456789abcdef", 0644)) ==
        file + " may be read by everybody (mode 0644): chmod g-w,o-rwx " + file);
  for (const mode_t mode : {0602u, 0620u, 0622u, 0660u, 0642u}) {
    CAPTURE(mode);
    CHECK(problem(load("0123456789abcdef", mode)).ends_with(": chmod g-w,o-rwx " + file));
  }
  for (const mode_t mode : {0400u, 0600u, 0640u, 0750u}) {
    CAPTURE(mode);
    CHECK(load("0123456789abcdef", mode).problems.empty());
  }
}

TEST_CASE("config: access keys are checked") {
  const std::string listen = kEcho + "[listen]\n";
  CHECK(has_problem(listen + "allow = ['10.0.0.1/8']",
                    ":5: listen.allow[0]: expected only zeros beyond the length after the /, "
                    "found \"10.0.0.1/8\""));
  CHECK(has_problem(listen + "allow = [7]", "listen.allow[0]: expected a range"));
  CHECK(has_problem(listen + "allow = '10.0.0.0/8'", "listen.allow: expected an array of ranges"));
  CHECK(has_problem(listen + "unix_owner = 'no-such-user'",
                    ":5: listen.unix_owner: expected the name or the number of a user, found "
                    "\"no-such-user\""));
  CHECK(has_problem(listen + "unix_group = 'no-such-group'",
                    "listen.unix_group: expected the name or the number of a group"));
  CHECK(has_problem(listen + "unix_group = '4294967295'", "number of a group"));
  for (const char* mode : {"rw", "0888", "01777", "", "-1", "0660 "}) {
    CAPTURE(mode);
    CHECK(
        has_problem(listen + "unix_mode = '" + mode + "'", "listen.unix_mode: expected an octal"));
  }
  CHECK(has_problem(listen + "unix_mode = 660", "found the integer 660"));
  CHECK(Folder().load(listen + "unix_mode = '0640'").options.unix_access.mode == 0640);
}

TEST_CASE("config: origins are checked, and have no path") {
  const std::string origins = kEcho + "[listen]\norigins = ";
  CHECK(problems_of(origins + "['https://app.example', 'http://[::1]:8080', '*', 'null']").empty());
  for (const char* bad : {"https://app.example/", "https://a/b", "https://", "://a", "app", ""}) {
    CAPTURE(bad);
    CHECK(has_problem(origins + "['*', '" + bad + "']", "listen.origins[1]: expected an origin"));
  }
}

TEST_CASE("config: the status address is an address without TLS, or off") {
  const Folder folder;
  CHECK(folder.load(kEcho).options.listen_status == "127.0.0.1:7071");
  CHECK(folder.load(kEcho + "[listen]\nstatus = ''").options.listen_status.empty());
  CHECK(folder.load(kEcho + "[listen]\nstatus = 'unix:s'").options.listen_status ==
        "unix:" + folder.at("s"));
  CHECK(has_problem(kEcho + "[listen]\nstatus = '7071'", ":5: listen.status: expected"));
  CHECK(has_problem(kEcho + "[listen]\nstatus = 'tls://a:1'", "an address without TLS"));
  CHECK(has_problem(kEcho + "[listen]\nstatus = true", "listen.status: expected an address"));
}

}  // namespace ringmaster::config
