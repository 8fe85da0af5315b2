#include "handlers/python/shared_bytes.h"

namespace ringmaster::python {
namespace {

size_t view_count = 0;

struct SharedBytes {
  PyObject ob_base;
  const char* data;
  Py_ssize_t size;
};

int get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  auto* bytes = reinterpret_cast<SharedBytes*>(self);
  constexpr int kReadOnly = 1;
  const int refused = PyBuffer_FillInfo(buffer, self, const_cast<char*>(bytes->data), bytes->size,
                                        kReadOnly, flags);
  if (refused == 0) ++view_count;
  return refused;
}

void release_buffer(PyObject*, Py_buffer*) {
  --view_count;
}

// Null: a Python exception is set.
PyTypeObject* shared_bytes_type() {
  static PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
      {0, nullptr},
  };
  static PyType_Spec spec = {"ringmaster.SharedBytes", sizeof(SharedBytes), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  static PyObject* type = PyType_FromSpec(&spec);
  return reinterpret_cast<PyTypeObject*>(type);
}

}  // namespace

Ref make_view(std::string_view bytes) {
  PyTypeObject* type = shared_bytes_type();
  if (type == nullptr) return {};
  const Ref exporter = Ref::own(PyType_GenericAlloc(type, 0));
  if (!exporter) return {};
  auto* made = reinterpret_cast<SharedBytes*>(exporter.get());
  made->data = bytes.data();
  made->size = static_cast<Py_ssize_t>(bytes.size());
  return Ref::own(PyMemoryView_FromObject(exporter.get()));
}

size_t count_views() {
  return view_count;
}

}  // namespace ringmaster::python
