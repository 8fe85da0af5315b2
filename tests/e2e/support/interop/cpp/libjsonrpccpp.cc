// libjsonrpccpp TRANSPORT ADDRESS SOCKET FOLDER: see ../matrix.py. TRANSPORT: http or unix.
// C++14, since the library's headers have throw specifications.
#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <jsonrpccpp/client.h>
#include <jsonrpccpp/client/connectors/httpclient.h>
#include <jsonrpccpp/client/connectors/unixdomainsocketclient.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr int kConcurrent = 100;
constexpr int kUnknownCode = -32601;
const std::string kUnknownMessage = "there is no method unknown";
const std::string kText = "Grüße, 世界, 😀, \u2028 \"\\\n\x01";

std::string transport, address, socket_path, folder;

struct Server {
  std::unique_ptr<jsonrpc::IClientConnector> connector;
  jsonrpc::Client client;

  explicit Server(jsonrpc::IClientConnector* made) : connector(made), client(*made) {}
};

Server connect() {
  if (transport == "unix") return Server(new jsonrpc::UnixDomainSocketClient(socket_path));
  return Server(new jsonrpc::HttpClient("http://" + address));
}

Json::Value array(std::vector<Json::Value> items) {
  Json::Value made(Json::arrayValue);
  for (auto& item : items)
    made.append(item);
  return made;
}

Json::Value object(std::vector<std::pair<std::string, Json::Value>> members) {
  Json::Value made(Json::objectValue);
  for (auto& member : members)
    made[member.first] = member.second;
  return made;
}

void expect(const Json::Value& wanted, const Json::Value& found) {
  if (found == wanted) return;
  throw std::runtime_error("expected " + wanted.toStyledString().substr(0, 200) + ", found " +
                           found.toStyledString().substr(0, 200));
}

void echo(const Json::Value& params) {
  expect(params, connect().client.CallMethod("echo", params));
}

void call() {
  expect(array({"hello", 5}), connect().client.CallMethod("hello", Json::nullValue));
}

void error() {
  try {
    connect().client.CallMethod("unknown", array({1}));
  } catch (const jsonrpc::JsonRpcException& failure) {
    // The library puts its own words before the server's.
    const std::string message = failure.GetMessage();
    const auto own = message.size() - std::min(message.size(), kUnknownMessage.size());
    expect(array({kUnknownCode, kUnknownMessage}), array({failure.GetCode(), message.substr(own)}));
    return;
  }
  throw std::runtime_error("expected a JsonRpcException");
}

void notification() {
  connect().client.CallNotification("hold", object({{"gate", folder + "/open"}}));
  echo(array({"after"}));
}

void batch() {
  jsonrpc::BatchCall calls;
  const int slow = calls.addCall("burn", array({20}));
  const int fast = calls.addCall("echo", array({"second"}));
  calls.addCall("echo", array({"unanswered"}), true);
  Json::Value unknown = calls.addCall("unknown", array({1}));
  jsonrpc::BatchResponse answers = connect().client.CallProcedures(calls);
  expect(object({{"cpu_ms", 20}}), answers.getResult(slow));
  expect(array({"second"}), answers.getResult(fast));
  expect(array({kUnknownCode, kUnknownMessage}),
         array({answers.getErrorCode(unknown), answers.getErrorMessage(unknown)}));
}

void large() {
  std::string mebibyte;
  while (mebibyte.size() < 1 << 20)
    mebibyte += "0123456789abcdef";
  echo(array({mebibyte}));
}

void concurrent() {
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < kConcurrent; ++number) {
    threads.emplace_back([number, &good] {
      try {
        echo(array({number}));
        ++good;
      } catch (const std::exception& failure) {
        std::cerr << failure.what() << "\n";
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  expect(kConcurrent, good.load());
}

}  // namespace

int main(int, char** argv) {
  transport = argv[1], address = argv[2], socket_path = argv[3], folder = argv[4];
  std::vector<std::pair<std::string, std::function<void()>>> checks = {
      {"call", call},
      {"positional",
       [] {
         echo(array({1, "two", Json::nullValue}));
       }},
      {"named",
       [] {
         echo(object({{"one", 1}, {"two", array({true})}}));
       }},
      {"error", error},
      {"batch", batch},
      {"large", large},
      {"text", [] { echo(array({kText})); }},
      {"concurrent", concurrent},
  };
  // Over a unix socket the library waits for an answer to a notification, too.
  if (transport == "http") checks.emplace_back("notification", notification);
  if (transport == "unix") checks.emplace_back("unix", call);
  for (const auto& check : checks) {
    std::string found = "ok";
    try {
      check.second();
    } catch (const std::exception& failure) {
      found = std::string("failed: ") + failure.what();
      std::replace(found.begin(), found.end(), '\n', ' ');
    }
    std::cout << check.first << " " << found << std::endl;
  }
}
