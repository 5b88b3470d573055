// What the tests of the C interface share: small ONNX models made here, and statuses looked at.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "formats/onnx/test_models.h"
#include "ingot/ingot.h"

namespace ingot::capi {

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

// y = tanh(-x w) and z = relu(y): x f32[batch,3], w f32[3,2].
inline std::string layer_model() {
  ModelMaker m(13);
  m.model.set_producer_name("a test");
  m.input("x", {"batch", "3"});
  m.input("w", {"3", "2"});
  m.node("MatMul", {"x", "w"}, {"m"});
  m.node("Neg", {"m"}, {"n"});
  m.node("Tanh", {"n"}, {"y"});
  m.node("Relu", {"y"}, {"z"});
  m.output("y", {"batch", "2"});
  m.output("z", {"batch", "2"});
  return m.bytes();
}

// out = in, strings [n].
inline std::string string_model() {
  constexpr int kString = 8;
  ModelMaker m(13);
  m.input("in", {"n"}, kString);
  m.node("Identity", {"in"}, {"out"});
  m.output("out", {"n"}, kString);
  return m.bytes();
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
