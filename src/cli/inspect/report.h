// What `ingot inspect` says about a model, as text and as JSON. Fed by formats/source.h, printed by
// cmd_inspect.cc. Ownership: a Report borrows the Source. Thread-safety: pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/source.h"

namespace ingot::cli {

struct Report {
  struct File {
    std::string path;
    uint64_t bytes;
  };
  struct TypeTotal {
    DType dtype;
    uint64_t tensors = 0, parameters = 0, bytes = 0;
  };
  const Source* source;
  std::vector<File> files;
  std::string architecture, name;  // empty if the file does not say
  uint64_t parameters = 0, weight_bytes = 0;
  std::vector<TypeTotal> types;  // most bytes first

  double bits_per_weight() const {
    return parameters ? 8.0 * static_cast<double>(weight_bytes) / static_cast<double>(parameters) : 0;
  }
};

Report make_report(const Source& source);
std::string report_text(const Report& report, bool with_tensors);
// One object: format, files, architecture, parameters, dtypes, metadata (whole), tensors.
std::string report_json(const Report& report);

}  // namespace ingot::cli
