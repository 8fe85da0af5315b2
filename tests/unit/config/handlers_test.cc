#include <doctest/doctest.h>
#include <filesystem>

#include "config_support.h"

namespace ringmaster::config {
namespace {

using HandlerOptions = std::vector<std::pair<std::string, std::string>>;

const std::string kScore = "[methods.score]\nsteps = [{ run = 'score' }]\n[handlers.score]\n";

class PythonFolder : public Folder {
 public:
  PythonFolder() {
    write("handlers/python.so", "");
    write("score.py", "");
    std::filesystem::create_directory(at("venv"));
    write("venv/pyvenv.cfg", "");
  }

  // Loads this section, which must have no problems, and returns its handler.
  ipc::HandlerSpec handler(const std::string& section) const {
    Loaded loaded = load(kScore + section);
    for (const Problem& problem : loaded.problems)
      FAIL_CHECK(to_string(problem));
    return std::move(loaded.options.handlers.at(0));
  }

  // Loads this section, which must have one problem, and returns the problem.
  std::string problem(const std::string& section) const {
    const Loaded loaded = load(kScore + section);
    CHECK(loaded.problems.size() == 1);
    return loaded.problems.empty() ? "" : to_string(loaded.problems[0]);
  }
};

}  // namespace

TEST_CASE("config: a handler in Python is the plug-in python with the function as an option") {
  const PythonFolder folder;
  const ipc::HandlerSpec file = folder.handler("python = 'score.py:predict'\nlimit = 3\nbatch = 4");
  CHECK(file.name == "score");
  CHECK(file.library == folder.at("handlers/python.so"));
  CHECK(file.options == HandlerOptions{{"python", folder.at("score.py") + ":predict"},
                                       {"limit", "3"},
                                       {"venv", ""}});
  CHECK(file.batch == 4);
  const ipc::HandlerSpec absolute =
      folder.handler("python = '" + folder.at("score.py") + ":Scörer_2'");
  CHECK(absolute.options[0].second == folder.at("score.py") + ":Scörer_2");
  const ipc::HandlerSpec module = folder.handler("python = 'models.score:predict'");
  CHECK(module.options[0].second == "models.score:predict");
}

TEST_CASE("config: a handler gets dates and times as their text") {
  const PythonFolder folder;
  const ipc::HandlerSpec found = folder.handler(
      "python = 'm:f'\nday = 2024-01-02\nat = 2024-01-02T03:04:05Z\ndays = [2024-01-02]");
  CHECK(found.options == HandlerOptions{{"python", "m:f"},
                                        {"day", "2024-01-02"},
                                        {"at", "2024-01-02T03:04:05Z"},
                                        {"days", "[\"2024-01-02\"]"},
                                        {"venv", ""}});
}

TEST_CASE("config: a virtual environment is a folder with a pyvenv.cfg") {
  const PythonFolder folder;
  for (const char* venv : {"venv", "venv/", "./venv"}) {
    const ipc::HandlerSpec found =
        folder.handler(std::string("python = 'm:f'\nvenv = '") + venv + "'");
    CHECK(found.options[1] == std::pair<std::string, std::string>("venv", folder.at("venv")));
  }
  CHECK(folder.handler("python = 'm:f'\nvenv = ''").options[1].second.empty());
  CHECK(folder.problem("python = 'm:f'\nvenv = 'handlers'")
            .ends_with("x.toml:5: handlers.score.venv: expected a virtual environment: no such "
                       "file: " +
                       folder.at("handlers/pyvenv.cfg") + ", nor " +
                       std::filesystem::absolute("handlers/pyvenv.cfg").string()));
}

TEST_CASE("config: a wrong `python` is a problem with its line and key") {
  const PythonFolder folder;
  for (const std::string wrong :
       {"score.py", "score.py:", ":predict", "score.py:2", "score.py:a.b", "score.py:a b", "a-b:f",
        ".a:f", "a..b:f", "a.:f", "2:f", "models/score:f"}) {
    CAPTURE(wrong);
    CHECK(folder.problem("python = '" + wrong + "'")
              .ends_with(std::string("x.toml:4: handlers.score.python: expected \"FILE.py:NAME\" "
                                     "or \"MODULE:NAME\", found \"") +
                         wrong + '"'));
  }
  CHECK(folder.problem("python = 'scores.py:f'").find("no such file: ") != std::string::npos);
  CHECK(folder.problem("python = 'scores.py:f'").ends_with("score.py?"));
  CHECK(folder.problem("python = 7").find("expected \"FILE.py:NAME\"") != std::string::npos);
  CHECK(folder.problem("library = 'echo'\npython = 'm:f'")
            .ends_with(":5: handlers.score.python: expected either library or python, found both"));
  CHECK(folder.problem("library = 'echo'\nvenv = ''")
            .ends_with(":5: handlers.score.venv: belongs to a handler with the key python"));
  CHECK(has_problem(kScore + "python = 'm:f'", ":4: handlers.score.python: no handler python.so"));
}

TEST_CASE("config: the dump of a handler in Python says the same as its configuration") {
  const PythonFolder folder;
  const std::string section = kScore + "python = 'score.py:f'\nvenv = 'venv'\nx_file = 'score.py'";
  const std::string dumped = dump(folder.load(section).options);
  CHECK(dumped.find("python.so") == std::string::npos);
  const Loaded again = folder.load(dumped);
  CHECK(again.problems.empty());
  CHECK(dump(again.options) == dumped);
}

}  // namespace ringmaster::config
