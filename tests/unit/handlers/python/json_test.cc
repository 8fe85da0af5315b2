// The conversions between JSON and Python objects, compared with Python's own module json.
#include <cstdlib>
#include <doctest/doctest.h>
#include <random>
#include <string>

#include "handlers/python/exception.h"
#include "handlers/python/json_reader.h"
#include "handlers/python/json_writer.h"

namespace ringmaster::python {
namespace {

constexpr char kHelpers[] = R"(
import json

def loads(text):
    def refuse(constant):
        raise ValueError(constant)
    try:
        return repr(json.loads(bytes(text).decode(), parse_constant=refuse))
    except (ValueError, RecursionError):
        return None

def dumps(value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "".join(rf"\u{ord(c):04x}" if "\ud800" <= c < "\ue000" else c for c in text)

def plain(value):
    if isinstance(value, set):
        return sorted(value)
    if value is ...:
        return [...]
    raise TypeError(f"{type(value).__name__} is no JSON")
)";

class Interpreter {
 public:
  Interpreter() {
    // With malloc, sanitizers see each object.
    ::setenv("PYTHONMALLOC", "malloc", 1);
    ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    Py_InitializeEx(0);
    names_ = Ref::own(PyDict_New());
    PyDict_SetItemString(names_.get(), "__builtins__", PyEval_GetBuiltins());
    run(kHelpers, Py_file_input);
  }

  Ref evaluate(const std::string& code) { return run(code, Py_eval_input); }

  Ref name(const char* name) { return Ref::share(PyDict_GetItemString(names_.get(), name)); }

  Ref call(const char* function, const Ref& argument) {
    return Ref::own(PyObject_CallOneArg(name(function).get(), argument.get()));
  }

 private:
  Ref run(const std::string& code, int start) {
    Ref made = Ref::own(PyRun_String(code.c_str(), start, names_.get(), names_.get()));
    if (!made) FAIL(take_exception_text());
    return made;
  }

  Ref names_;
};

Interpreter& interpreter() {
  static auto* started = new Interpreter;
  return *started;
}

// The object that the reader makes of `text`, as repr() gives it; or the fault.
std::string read(std::string_view text) {
  JsonReader reader(text);
  const Ref value = reader.read();
  CHECK(PyErr_Occurred() == nullptr);
  if (!value) return "fault: " + reader.fault();
  return text_of(Ref::own(PyObject_Repr(value.get())).get());
}

// The text that the writer makes of the value of a Python expression; or the fault.
std::string write(const std::string& expression) {
  JsonWriter writer(interpreter().name("plain"));
  const Ref value = interpreter().evaluate(expression);
  std::string text;
  const bool is_written = writer.write(value.get(), "result", text);
  CHECK(PyErr_Occurred() == nullptr);
  return is_written ? text : "fault: " + writer.fault();
}

std::string repeat(std::string_view part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += part;
  return text;
}

// JSON texts, one in four of them damaged.
class Texts {
 public:
  explicit Texts(uint32_t seed) : random_(seed) {}

  std::string next() {
    std::string text;
    append(text, 0);
    if (below(4) == 0 && !text.empty()) {
      constexpr std::string_view kBytes = "{}[]\",:\\u0123456789.eE+-d8 \n\x01\x7f\x80\xc3\xed\xf0";
      const size_t at = below(text.size());
      if (below(2) == 0) text.erase(at, 1 + below(3));
      if (below(2) == 0) text.insert(text.begin() + at, kBytes[below(kBytes.size())]);
    }
    return text;
  }

 private:
  size_t below(size_t limit) {
    return std::uniform_int_distribution<size_t>(0, limit - 1)(random_);
  }

  const char* one_of(std::initializer_list<const char*> texts) {
    return texts.begin()[below(texts.size())];
  }

  void append(std::string& text, int depth) {
    if (below(8) == 0) text += " \n\t\r"[below(4)];
    switch (below(depth < 5 ? 8 : 6)) {
      case 0:
        text += one_of({"null", "true", "false", "{}", "[]", "[ ]"});
        break;
      case 1:
      case 2:
        return append_number(text);
      case 3:
      case 4:
      case 5:
        return append_string(text);
      case 6:
        return append_list(text, '[', ']', depth);
      case 7:
        return append_list(text, '{', '}', depth);
    }
  }

  void append_list(std::string& text, char open, char close, int depth) {
    text += open;
    for (size_t i = 0, count = below(5); i < count; ++i) {
      if (i > 0) text += ',';
      if (open == '{') append_string(text), text += ':';
      append(text, depth + 1);
    }
    text += close;
  }

  void append_digits(std::string& text, size_t max) {
    for (size_t count = 1 + below(max); count > 0; --count)
      text += static_cast<char>('0' + below(10));
  }

  void append_number(std::string& text) {
    if (below(3) == 0) text += '-';
    if (below(4) == 0) {
      text += '0';
    } else {
      text += static_cast<char>('1' + below(9));
      if (below(2) == 0) append_digits(text, below(8) == 0 ? 60 : 18);
    }
    if (below(2) == 0) text += '.', append_digits(text, 18);
    if (below(4) == 0) {
      text += one_of({"e", "E", "e-", "E+"});
      append_digits(text, 3);
    }
  }

  void append_string(std::string& text) {
    text += '"';
    for (size_t count = below(5); count > 0; --count) {
      text += one_of({"a", "user_id", "0", "\\n", "\\\"", "\\\\", "\\/", "\\u0000", "\\u00e9",
                      "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\xc3\xa9", "\xe2\x82\xac",
                      "\xf0\x9f\x98\x80", " ", "\\b\\f\\r\\t", "\x7f"});
    }
    text += '"';
  }

  std::mt19937 random_;
};

// Compares what both readers make of a text, and both writers of the value.
void compare(const std::string& text) {
  Interpreter& python = interpreter();
  JsonReader reader(text);
  const Ref ours = reader.read();
  const Ref bytes = Ref::own(PyBytes_FromStringAndSize(text.data(), text.size()));
  const Ref theirs = python.call("loads", bytes);
  REQUIRE_MESSAGE(theirs, text);
  REQUIRE_MESSAGE(bool(ours) == (theirs.get() != Py_None), text << " " << reader.fault());
  if (!ours) return;
  const std::string_view passed = JsonReader(text).skip();
  REQUIRE_MESSAGE(
      passed.end() - std::string_view(text).begin() == text.find_last_not_of(" \n\t\r") + 1, text);
  const Ref shown = Ref::own(PyObject_Repr(ours.get()));
  REQUIRE_MESSAGE(PyUnicode_Compare(shown.get(), theirs.get()) == 0, text);

  JsonWriter writer(python.name("plain"));
  std::string written;
  const bool is_written = writer.write(ours.get(), "result", written);
  const Ref expected = python.call("dumps", ours);
  PyErr_Clear();  // an infinity, from a number beyond a double
  REQUIRE_MESSAGE(is_written == bool(expected), text << " " << writer.fault());
  if (is_written) REQUIRE_MESSAGE(text_of(expected.get()) == written, text);
}

}  // namespace

TEST_CASE("python_json: texts become what json.loads makes of them") {
  interpreter();
  CHECK(read(R"( {"a":[1,-0,0.5,-0.0,1e3],"b":null,"c":[true,false]} )") ==
        "{'a': [1, 0, 0.5, -0.0, 1000.0], 'b': None, 'c': [True, False]}");
  CHECK(read("123456789012345678901234567890") == "123456789012345678901234567890");
  CHECK(read("1e999") == "inf");
  CHECK(read(R"({"a":1,"b":2,"a":3})") == "{'a': 3, 'b': 2}");
  CHECK(read(R"("\ud83d\ude00\ud800\ud800\u0041")") == "'\xf0\x9f\x98\x80\\ud800\\ud800A'");
}

TEST_CASE("python_json: what is no JSON is refused, with its place") {
  interpreter();
  CHECK(read("") == "fault: expected a value at byte 0");
  CHECK(read("[1,]") == "fault: expected a value at byte 3");
  CHECK(read("[1 2]") == "fault: expected ']' at byte 3");
  CHECK(read("{\"a\" 1}") == "fault: expected ':' at byte 5");
  CHECK(read("01") == "fault: expected no leading zero at byte 1");
  CHECK(read("[NaN]") == "fault: expected a value at byte 1");
  CHECK(read("1 1") == "fault: expected the end of the text at byte 2");
  CHECK(read("\"\\ud8\"") == "fault: expected an escape at byte 2");
  CHECK(read("\"\xed\xa0\x80\"") ==
        "fault: expected valid UTF-8 in the string that ends at byte 4");
  CHECK(read(std::string(4301, '1')) ==
        "fault: expected a value that Python can hold at byte 4301");
}

TEST_CASE("python_json: nesting is bounded in both directions") {
  interpreter();
  const int most = JsonReader::kDepthMax;
  CHECK(read(repeat("[", most) + repeat("]", most)).starts_with("[[["));
  CHECK(read(repeat("[", 1'000'000)) ==
        "fault: expected less nesting at byte " + std::to_string(most));
  CHECK(write("[[1]]") == "[[1]]");
  CHECK(write("(lambda a: (a.append(a), a)[1])([])").ends_with("found more, or a cycle"));
  CHECK(write("(lambda a: (a.update(key=a), a)[1])({})").starts_with("fault: result....key.key"));
}

TEST_CASE("python_json: objects become what json.dumps makes of them") {
  CHECK(write("{'a': (1, 2.5, 10**30), 2: None, None: True, True: False, 1.5: '\\x00\"\\\\/'}") ==
        "{\"a\":[1,2.5,1000000000000000000000000000000],\"2\":null,\"null\":true,\"true\":false,"
        "\"1.5\":\"\\u0000\\\"\\\\/\"}");
  CHECK(write("'\\ud800\\xe9\\u20ac\\U0001f600'") ==
        "\"\\ud800\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  CHECK(write("{'a': {3, 1, 2}}") == R"({"a":[1,2,3]})");
}

TEST_CASE("python_json: an object that cannot be written is named by its place") {
  CHECK(write("{'users': [1, {'score': float('nan')}]}") ==
        "fault: result.users[1].score: NaN is no JSON");
  CHECK(write("[-float('inf')]") == "fault: result[0]: infinity is no JSON");
  CHECK(write("{'a': {(1, 2): 3}}") == "fault: result.a: expected keys that are text, found tuple");
  CHECK(write("{'a': 1j}") == "fault: result.a: TypeError: complex is no JSON");
  CHECK(write("10**5000").starts_with("fault: result: ValueError: Exceeds the limit"));
}

// PYTHON_FUZZ_INPUTS=10000000 compares more texts.
TEST_CASE("python_json: random texts give what Python's json gives, both ways") {
  const char* asked = std::getenv("PYTHON_FUZZ_INPUTS");
  Texts texts(1);
  for (int left = asked != nullptr ? std::atoi(asked) : 50'000; left > 0; --left)
    compare(texts.next());
}

}  // namespace ringmaster::python
