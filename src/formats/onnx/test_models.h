// For tests: ONNX models built field by field, so that they need no foreign program.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "formats/onnx/onnx_import.h"
#include "onnx.pb.h"

namespace ingot {

namespace pb = onnx::pb;

class ModelMaker {
 public:
  explicit ModelMaker(int64_t opset) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("g");
  }
  pb::GraphDef& graph() { return *model.mutable_graph(); }
  void input(const std::string& name, std::vector<std::string> dims, int type = 1) {
    value(graph().add_input(), name, dims, type);
  }
  void output(const std::string& name, pb::GraphDef* g = nullptr) {
    value((g ? g : &graph())->add_output(), name, {}, 1);
  }
  void output(const std::string& name, const std::vector<std::string>& dims, int type = 1) {
    value(graph().add_output(), name, dims, type);
  }
  pb::NodeDef& node(const std::string& op, std::vector<std::string> in, std::vector<std::string> out,
                    pb::GraphDef* g = nullptr) {
    pb::NodeDef& n = *(g ? g : &graph())->add_node();
    n.set_op_type(op);
    n.set_name(op + "_node");
    for (const auto& i : in) n.add_input(i);
    for (const auto& o : out) n.add_output(o);
    return n;
  }
  void ints(const std::string& name, const std::vector<int64_t>& values) {
    pb::TensorDef& t = *graph().add_initializer();
    t.set_name(name);
    t.set_data_type(7);
    t.add_dims(static_cast<int64_t>(values.size()));
    for (int64_t v : values) t.add_int64_data(v);
  }
  std::string bytes() const { return model.SerializeAsString(); }
  Result<Graph> import() const {
    const std::string b = bytes();
    return import_onnx_bytes(std::as_bytes(std::span(b)));
  }
  std::string error() const {
    auto g = import();
    return g ? "" : g.error().message();
  }

  pb::Model model;

 private:
  static void value(pb::ValueInfo* v, const std::string& name, const std::vector<std::string>& dims, int type) {
    v->set_name(name);
    auto* t = v->mutable_type()->mutable_tensor_type();
    t->set_elem_type(type);
    for (const auto& d : dims) {
      auto* dim = t->mutable_shape()->add_dim();
      if (std::isdigit(static_cast<unsigned char>(d[0])))
        dim->set_dim_value(std::stoll(d));
      else
        dim->set_dim_param(d);
    }
  }
};

inline void set_ints(pb::NodeDef& n, const std::string& name, std::vector<int64_t> values) {
  auto* a = n.add_attribute();
  a->set_name(name);
  a->set_type(pb::AttributeDef::INTS);
  for (int64_t v : values) a->add_ints(v);
}
inline void set_int(pb::NodeDef& n, const std::string& name, int64_t value) {
  auto* a = n.add_attribute();
  a->set_name(name);
  a->set_type(pb::AttributeDef::INT);
  a->set_i(value);
}

}  // namespace ingot
