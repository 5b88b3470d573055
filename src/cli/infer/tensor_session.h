// How `ingot infer` and `ingot bench model` open a tensor model, and what they say of a run's steps.
// Thread-safety: pure functions.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/table.h"
#include "runtime/session.h"

namespace ingot::cli {

// An .onnx file or an engine file, on `threads` threads (0: as many as this process may use).
// Errors: those of import_onnx, open_engine and Session::create; kInvalidArgument for a language model.
Result<std::unique_ptr<Session>> open_tensor_session(const std::string& model, int threads,
                                                     const std::vector<std::string>& disabled_passes);

// One row a node, in the order they ran.
Table profile_table(const Profile& profile);
boost::json::array profile_json(const Profile& profile);

// One run as a file in Chrome's trace format, for chrome://tracing and Perfetto; subgraphs are a row of their own.
// Errors: those of base/partial_file.h.
Result<void> write_trace(const std::string& path, const Profile& profile);

}  // namespace ingot::cli
