// A loaded tensor model behind its handle. Ownership: owns session, names and metadata; what the C interface lends
// points into it. Thread-safety: immutable once loaded.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "capi/objects.h"
#include "runtime/session.h"

namespace ingot::capi {

struct Port {
  std::string name;
  DType dtype = DType::kF32;
  bool ranked = true;
  std::vector<int64_t> dims;           // -1: any size
  std::vector<std::string> dim_names;  // "" where the model has no name
  std::vector<const char*> dim_texts;  // of dim_names
};

class Ports {
 public:
  explicit Ports(const Graph& graph, const std::vector<ValueId>& values);
  const std::vector<Port>& list() const { return list_; }
  // Errors: kInvalidArgument naming those that there are. what: "input".
  Result<size_t> index_of(std::string_view name, std::string_view what) const;

 private:
  std::vector<Port> list_;
  std::unordered_map<std::string_view, size_t> by_name_;
};

struct SessionObject {
  SessionObject(std::unique_ptr<Session> s, std::vector<std::pair<std::string, std::string>> m)
      : session(std::move(s)),
        inputs(session->graph(), session->graph().inputs()),
        outputs(session->graph(), session->graph().outputs()),
        metadata(std::move(m)) {}

  const std::unique_ptr<Session> session;
  const Ports inputs, outputs;
  const std::vector<std::pair<std::string, std::string>> metadata;
};

}  // namespace ingot::capi
