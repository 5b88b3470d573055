// What the two halves of the native module share. Everything here goes through Ingot's C interface.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "ingot/ingot.hpp"

namespace ingot_python {

namespace nb = nanobind;

// {"threads": "2"} -> options.
inline ingot::Options options_of(const nb::dict& settings) {
  ingot::Options options;
  for (const auto& [key, value] : settings) options.set(nb::cast<const char*>(key), nb::cast<const char*>(value));
  return options;
}

inline nb::object text_or_bytes(const char* text, size_t length) {
  PyObject* decoded = PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(length), "surrogateescape");
  if (!decoded) throw nb::python_error();
  return nb::steal(decoded);
}

void add_llm(nb::module_& m);  // native_llm.cc

}  // namespace ingot_python
