// What the tests of the C interface share: small ONNX models made here, and statuses looked at.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ingot/ingot.h"
#include "onnx.pb.h"

namespace ingot::capi {

namespace pb = onnx::pb;

// Fails the test with the message; releases the status. True: success.
inline bool succeeded(ingot_status* status) {
  if (!status) return true;
  ADD_FAILURE() << ingot_status_message(status);
  ingot_status_release(status);
  return false;
}

// "INVALID_ARGUMENT [capi] …", or "OK"; releases the status.
inline std::string text_of(ingot_status* status) {
  const std::string text =
      std::string(ingot_code_name(ingot_status_code(status))) + (status ? " " : "") + ingot_status_message(status);
  ingot_status_release(status);
  return text;
}

inline ingot_code code_of(ingot_status* status) {
  const ingot_code code = ingot_status_code(status);
  ingot_status_release(status);
  return code;
}

inline void add_value(pb::ValueInfo* v, const std::string& name, int type, const std::vector<std::string>& dims) {
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

inline void add_node(pb::GraphDef& g, const std::string& op, const std::vector<std::string>& in,
                     const std::vector<std::string>& out) {
  pb::NodeDef& n = *g.add_node();
  n.set_op_type(op);
  n.set_name(op + "_" + out[0]);
  for (const auto& i : in) n.add_input(i);
  for (const auto& o : out) n.add_output(o);
}

inline pb::Model empty_model() {
  pb::Model m;
  m.set_ir_version(8);
  m.set_producer_name("a test");
  m.add_opset_import()->set_version(13);
  m.mutable_graph()->set_name("g");
  return m;
}

// y = tanh(-x w) and z = relu(y): x f32[batch,3], w f32[3,2].
inline std::string layer_model() {
  pb::Model m = empty_model();
  pb::GraphDef& g = *m.mutable_graph();
  add_value(g.add_input(), "x", 1, {"batch", "3"});
  add_value(g.add_input(), "w", 1, {"3", "2"});
  add_node(g, "MatMul", {"x", "w"}, {"m"});
  add_node(g, "Neg", {"m"}, {"n"});
  add_node(g, "Tanh", {"n"}, {"y"});
  add_node(g, "Relu", {"y"}, {"z"});
  add_value(g.add_output(), "y", 1, {"batch", "2"});
  add_value(g.add_output(), "z", 1, {"batch", "2"});
  return m.SerializeAsString();
}

// out = in, strings [n].
inline std::string string_model() {
  pb::Model m = empty_model();
  pb::GraphDef& g = *m.mutable_graph();
  add_value(g.add_input(), "in", 8, {"n"});
  add_node(g, "Identity", {"in"}, {"out"});
  add_value(g.add_output(), "out", 8, {"n"});
  return m.SerializeAsString();
}

inline ingot_session* load(const std::string& model, const char* threads = "2") {
  ingot_options* options = nullptr;
  ingot_session* session = nullptr;
  EXPECT_TRUE(succeeded(ingot_options_create(&options)));
  EXPECT_TRUE(succeeded(ingot_options_set(options, "threads", threads)));
  EXPECT_TRUE(succeeded(ingot_session_load_memory(model.data(), model.size(), nullptr, options, &session)));
  ingot_options_release(options);
  return session;
}

inline ingot_value* borrow(std::vector<float>& data, const std::vector<int64_t>& shape) {
  ingot_value* value = nullptr;
  EXPECT_TRUE(succeeded(ingot_tensor_from_memory(INGOT_FLOAT32, shape.data(), shape.size(), data.data(),
                                                 data.size() * sizeof(float), nullptr, nullptr, &value)));
  return value;
}

}  // namespace ingot::capi
