#include "handlers/python/shared_bytes.h"

namespace ringmaster::python {
namespace {

size_t exporter_count = 0;

struct SharedBytes {
  PyObject ob_base;
  const char* data;
  Py_ssize_t size;
};

int get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  auto* bytes = reinterpret_cast<SharedBytes*>(self);
  constexpr int kReadOnly = 1;
  return PyBuffer_FillInfo(buffer, self, const_cast<char*>(bytes->data), bytes->size, kReadOnly,
                           flags);
}

void destroy(PyObject* self) {
  --exporter_count;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// Null: a Python exception is set.
PyTypeObject* shared_bytes_type() {
  static PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
      {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
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
  ++exporter_count;
  auto* made = reinterpret_cast<SharedBytes*>(exporter.get());
  made->data = bytes.data();
  made->size = static_cast<Py_ssize_t>(bytes.size());
  return Ref::own(PyMemoryView_FromObject(exporter.get()));
}

size_t count_views() {
  return exporter_count;
}

}  // namespace ringmaster::python
