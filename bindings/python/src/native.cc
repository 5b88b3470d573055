// ingot._native: values and sessions for ingot/_session.py. Arrays are addresses here; what their elements mean in
// numpy is Python's part. The GIL is released while models load and run; a run in the main thread looks for Ctrl-C
// every 50 ms.
#include "native.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

namespace ingot_python {
namespace {

using Shape = std::vector<int64_t>;

// Keeps a Python object until Ingot has no use for its memory; any thread may end it.
void drop_owner(void*, void* owner) {
  if (!Py_IsInitialized()) return;
  const nb::gil_scoped_acquire gil;
  Py_DECREF(static_cast<PyObject*>(owner));
}

ingot::Value value_of_memory(uintptr_t address, size_t bytes, ingot_dtype dtype, const Shape& shape,
                             const nb::object& owner) {
  ingot_value* value = nullptr;
  ingot::check(ingot_tensor_from_memory(dtype, shape.data(), shape.size(), reinterpret_cast<void*>(address), bytes,
                                        drop_owner, owner.ptr(), &value));
  owner.inc_ref();
  return ingot::Value(value);
}

ingot::Value value_of_strings(const nb::list& texts, const Shape& shape) {
  std::vector<std::string> copies;
  for (const nb::handle text : texts) {
    if (PyBytes_Check(text.ptr())) {
      copies.emplace_back(PyBytes_AS_STRING(text.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(text.ptr())));
      continue;
    }
    const nb::object encoded = nb::steal(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
    if (!encoded.is_valid()) throw nb::python_error();
    copies.emplace_back(PyBytes_AS_STRING(encoded.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(encoded.ptr())));
  }
  return ingot::Value::strings(copies, shape);
}

nb::list strings_of(const ingot::Value& value) {
  nb::list out;
  const size_t count = value.size();
  for (size_t i = 0; i < count; ++i) {
    const char* text = nullptr;
    size_t length = 0;
    ingot::check(ingot_tensor_get_string(value.get(), i, &text, &length));
    out.append(text_or_bytes(text, length));
  }
  return out;
}

uintptr_t address_of(const ingot::Value& value) {
  void* data = nullptr;
  ingot::check(ingot_tensor_get_data(value.get(), &data, nullptr));
  return reinterpret_cast<uintptr_t>(data);
}

// None for a tensor.
nb::object elements_of(const ingot::Value& value) {
  ingot_value_kind kind = 0;
  ingot::check(ingot_value_get_kind(value.get(), &kind));
  if (kind == INGOT_TENSOR) return nb::none();
  size_t count = 0;
  ingot::check(ingot_value_get_count(value.get(), &count));
  nb::list out;
  for (size_t i = 0; i < count; ++i) {
    ingot_value* element = nullptr;
    ingot::check(ingot_value_get_element(value.get(), i, &element));
    out.append(nb::cast(ingot::Value(element)));
  }
  return out;
}

ingot::Value sequence_of(const nb::list& values) {
  std::vector<const ingot_value*> elements;
  for (const nb::handle value : values) elements.push_back(nb::cast<ingot::Value&>(value).get());
  ingot_value* sequence = nullptr;
  ingot::check(ingot_sequence_create(elements.data(), elements.size(), &sequence));
  return ingot::Value(sequence);
}

// Signals are the main thread's; others need not wait for the GIL. The exception stays set in this thread.
int go_on(void*) {
  if (::syscall(SYS_gettid) != ::getpid()) return 1;
  const nb::gil_scoped_acquire gil;
  return PyErr_CheckSignals() == 0 ? 1 : 0;
}

struct RunOptions : ingot::RunOptions {
  RunOptions() { ingot::check(ingot_run_options_set_poll(get(), go_on, nullptr)); }
};

nb::list ports_of(const std::vector<ingot_port>& ports) {
  nb::list out;
  for (const ingot_port& p : ports) {
    nb::object dims = nb::none();
    if (p.rank >= 0) {
      nb::list list;
      for (int i = 0; i < p.rank; ++i) {
        if (p.dims[i] >= 0)
          list.append(p.dims[i]);
        else
          list.append(p.dim_names[i][0] ? nb::object(nb::str(p.dim_names[i])) : nb::object(nb::none()));
      }
      dims = std::move(list);
    }
    out.append(nb::make_tuple(nb::str(p.name), p.dtype, dims));
  }
  return out;
}

// outputs: for each name a Value that is written in place, or None; gives all of them back.
nb::list run(ingot::Session& session, const std::vector<std::string>& input_names, const nb::list& inputs,
             const std::vector<std::string>& output_names, const nb::list& outputs, RunOptions& options) {
  std::vector<const char*> in_names, out_names;
  std::vector<const ingot_value*> in;
  std::vector<ingot_value*> out;
  for (const std::string& name : input_names) in_names.push_back(name.c_str());
  for (const std::string& name : output_names) out_names.push_back(name.c_str());
  for (const nb::handle value : inputs) in.push_back(nb::cast<ingot::Value&>(value).get());
  for (const nb::handle value : outputs)
    out.push_back(value.is_none() ? nullptr : nb::cast<ingot::Value&>(value).get());
  if (in_names.size() != in.size() || out_names.size() != out.size())
    throw nb::value_error("as many names as values are needed");
  ingot_status* status = nullptr;
  {
    const nb::gil_scoped_release gil;
    status = ingot_session_run(session.get(), options.get(), in_names.data(), in.data(), in.size(), out_names.data(),
                               out.size(), out.data());
  }
  if (PyErr_Occurred()) {
    ingot_status_release(status);
    throw nb::python_error();
  }
  ingot::check(status);
  nb::list results;
  for (size_t i = 0; i < out.size(); ++i)
    results.append(outputs[i].is_none() ? nb::cast(ingot::Value(out[i])) : nb::object(outputs[i]));
  return results;
}

nb::list steps_of(const RunOptions& options) {
  nb::list out;
  for (const ingot_step& s : options.steps())
    out.append(nb::make_tuple(nb::str(s.node), nb::str(s.op), nb::str(s.kernel), s.nanoseconds));
  return out;
}

// A failure becomes ingot.Error(message, code).
void translate(const std::exception_ptr& failure, void*) {
  try {
    std::rethrow_exception(failure);
  } catch (const ingot::Error& e) {
    const nb::object type = nb::module_::import_("ingot._errors").attr("Error");
    const nb::object message = text_or_bytes(e.what(), std::string_view(e.what()).size());
    PyErr_SetObject(type.ptr(), type(message, nb::str(ingot_code_name(e.code()))).ptr());
  }
}

}  // namespace
}  // namespace ingot_python

NB_MODULE(_native, m) {
  using namespace ingot_python;  // NOLINT(google-build-using-namespace): this is its module
  nb::register_exception_translator(translate);
  m.def("version", &ingot_version);
  m.def("dtype_name", &ingot_dtype_name);
  m.def("force_isa", [](const char* isa) { ingot::check(ingot_force_isa(isa)); });

  nb::class_<ingot::Value>(m, "Value")
      .def_static("of_memory", &value_of_memory)
      .def_static("of_strings", &value_of_strings)
      .def_static("create", [](ingot_dtype dtype, const Shape& shape) { return ingot::Value::create(dtype, shape); })
      .def_prop_ro("dtype", &ingot::Value::dtype)
      .def_prop_ro("shape", [](const ingot::Value& v) { return nb::tuple(nb::cast(v.shape())); })
      .def_prop_ro("address", &address_of)
      .def("strings", &strings_of)
      .def("elements", &elements_of)
      .def_static("sequence", &sequence_of);

  nb::class_<RunOptions>(m, "RunOptions")
      .def(nb::init<>())
      .def("timeout_ms", [](RunOptions& o, double ms) { o.timeout_ms(ms); })
      .def("calling_thread_only", [](RunOptions& o, bool on) { o.calling_thread_only(on); })
      .def("profile", [](RunOptions& o, bool on) { o.profile(on); })
      .def("steps", &steps_of)
      .def("cancel", [](RunOptions& o) { o.cancel(); })
      .def("resume", [](RunOptions& o) { o.resume(); });

  nb::class_<ingot::Session>(m, "Session")
      .def_static("load",
                  [](const std::string& path, const nb::dict& settings) {
                    const ingot::Options options = options_of(settings);
                    const nb::gil_scoped_release gil;
                    return ingot::Session(path, options);
                  })
      .def_static("load_bytes",
                  [](const nb::bytes& data, const nb::dict& settings) {
                    const ingot::Options options = options_of(settings);
                    const nb::gil_scoped_release gil;
                    return ingot::Session(data.c_str(), data.size(), options);
                  })
      .def("inputs", [](const ingot::Session& s) { return ports_of(s.inputs()); })
      .def("outputs", [](const ingot::Session& s) { return ports_of(s.outputs()); })
      .def("metadata",
           [](const ingot::Session& s) {
             nb::list out;
             for (const auto& [key, value] : s.metadata())
               out.append(
                   nb::make_tuple(text_or_bytes(key.data(), key.size()), text_or_bytes(value.data(), value.size())));
             return out;
           })
      .def("run", &run);
  add_llm(m);
}
