#include "handlers/python/interpreter.h"

#include <algorithm>
#include <csignal>
#include <dlfcn.h>
#include <fstream>

#include "handlers/python/arenas.h"
#include "handlers/python/current_job.h"
#include "handlers/python/exception.h"

// A function of CPython that none of its headers declares: writes the stack, also in a signal
// handler.
extern "C" void _Py_DumpTraceback(int fd, PyThreadState* thread);

namespace ringmaster::python {
namespace {

constexpr char kSystemPython[] = "/usr/bin/python3";
constexpr char kVersion[] = Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION);

PyThreadState* main_thread = nullptr;  // null: not started
std::string started_venv;
PyObject* host_module = nullptr;

// The path of the library in which this address lies.
std::string library_of(const void* address) {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? info.dli_fname : "";
}

// Returns the Python version that the environment's pyvenv.cfg names, such as "3.11.2". Empty: the
// file is missing, or names none.
std::string version_of(const std::string& venv) {
  std::ifstream file(venv + "/pyvenv.cfg");
  for (std::string line; std::getline(file, line);) {
    const size_t is = line.find('=');
    if (!line.starts_with("version") || is == std::string::npos) continue;
    return line.substr(std::min(line.find_first_not_of(' ', is + 1), line.size()));
  }
  return {};
}

std::optional<std::string> find_fault(const std::string& venv) {
  if (venv.empty()) return {};
  const std::string version = version_of(venv);
  if (version.empty() || !std::ifstream(venv + "/bin/python")) {
    return "venv: " + venv + " is no virtual environment: make one with python3 -m venv";
  }
  if (version.starts_with(std::string(kVersion) + ".")) return {};
  return "venv: " + venv + " is of Python " + version + ", expected " + kVersion;
}

// Extension modules such as NumPy's find the interpreter's symbols only if they are global; the
// server opens its handlers with RTLD_LOCAL.
bool make_symbols_global() {
  const std::string library = library_of(reinterpret_cast<const void*>(&Py_InitializeFromConfig));
  return ::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) != nullptr;
}

PyStatus initialize(const std::string& program) {
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
#ifdef __SANITIZE_ADDRESS__
  before.allocator = PYMEM_ALLOCATOR_MALLOC;  // the leak checker does not see Python's own arenas
#endif
  PyStatus status = Py_PreInitialize(&before);
  if (PyStatus_Exception(status) != 0) return status;
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.install_signal_handlers = 0;
  config.write_bytecode = 0;
  status = PyConfig_SetBytesString(&config, &config.program_name, program.c_str());
  if (PyStatus_Exception(status) == 0) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return status;
}

// Imports the package `ringmaster` from the folder beside this library that has the library's name.
bool import_host() {
  std::string folder = library_of(reinterpret_cast<const void*>(&start_interpreter));
  folder.resize(folder.size() - std::string_view(".so").size());
  const Ref path = Ref::own(PyUnicode_DecodeFSDefault(folder.c_str()));
  PyObject* places = PySys_GetObject("path");
  if (!path || places == nullptr || PyList_Insert(places, 0, path.get()) != 0) return false;
  host_module = PyImport_ImportModule("ringmaster._host");
  if (host_module == nullptr || PySequence_DelItem(places, 0) != 0) return false;
  const Ref job = current_job_function();
  const Ref start = host_function("start");
  return job && start && Ref::own(PyObject_CallOneArg(start.get(), job.get()));
}

}  // namespace

std::optional<std::string> start_interpreter(const std::string& venv) {
  if (main_thread != nullptr) {
    if (venv == started_venv) return {};
    return "venv: expected " + (started_venv.empty() ? "none" : started_venv) +
           ", as another handler has it: all share one interpreter; found " +
           (venv.empty() ? "none" : venv);
  }
  if (auto fault = find_fault(venv)) return fault;
  if (!make_symbols_global()) return "libpython: cannot make its symbols global";
  const PyStatus status = initialize(venv.empty() ? kSystemPython : venv + "/bin/python");
  if (PyStatus_Exception(status) != 0) {
    return std::string("Python does not start: ") + (status.err_msg ? status.err_msg : "");
  }
  main_thread = PyThreadState_Get();
  started_venv = venv;
  // Only interrupt() uses Python's handler of SIGINT: the process keeps its own action for SIGINT.
  struct sigaction disposition {};
  ::sigaction(SIGINT, nullptr, &disposition);
  const bool is_imported = import_host();
  ::sigaction(SIGINT, &disposition, nullptr);
  if (!is_imported) return "the package ringmaster: " + take_exception_text();
  return {};
}

Ref host_function(const char* name) {
  return Ref::own(PyObject_GetAttrString(host_module, name));
}

void before_fork() {
  if (main_thread != nullptr) PyOS_BeforeFork();
}

void after_fork_parent() {
  if (main_thread != nullptr) PyOS_AfterFork_Parent();
}

void after_fork_child() {
  if (main_thread == nullptr) return;
  keep_arenas();
  PyOS_AfterFork_Child();
}

void interrupt() {
  PyErr_SetInterruptEx(SIGINT);
}

void write_stack(int fd) {
  // Null: a thread that has run no Python.
  if (PyThreadState* thread = PyGILState_GetThisThreadState()) _Py_DumpTraceback(fd, thread);
}

}  // namespace ringmaster::python
