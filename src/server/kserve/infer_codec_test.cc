// Inference bodies in both directions. What clients send is also tested with Triton's own (tests/oracles).
#include "server/kserve/infer_codec.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "server/kserve/compression.h"
#include "server/kserve/tensor_json.h"

namespace ingot::kserve {
namespace {

const std::vector<serving::TensorPort> kPorts = {{.name = "x", .dtype = DType::kF32, .shape = {-1, 2}}};

Result<InferRequest> parse(std::string_view body, std::optional<size_t> json_bytes = {}) {
  return parse_infer(body, json_bytes, kPorts);
}

TEST(ParseInfer, reads_flat_and_nested_data) {
  for (const char* data : {"[1,2,3,4]", "[[1,2],[3,4]]", "[[[1],[2]],[[3],[4.0]]]"}) {
    const auto r =
        parse(fmt::format(R"({{"inputs":[{{"name":"x","shape":[2,2],"datatype":"FP32","data":{}}}]}})", data));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(r->tensors.inputs[0].tensor.as<float>()[3], 4.0f);
  }
}

TEST(ParseInfer, takes_binary_tensors_in_the_order_of_the_inputs) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"UINT8","parameters":{"binary_data_size":1}},)"
      R"({"name":"b","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":9}}]})";
  const auto r = parse(json + std::string("\x07\x01\0\0\0z\0\0\0\0", 10), json.size());
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->tensors.inputs[0].tensor.as<uint8_t>()[0], 7);
  EXPECT_EQ(r->tensors.inputs[1].tensor.as<std::string>()[0], "z");
  EXPECT_EQ(r->tensors.inputs[1].tensor.as<std::string>()[1], "");
}

TEST(ParseInfer, a_shape_that_claims_more_than_was_sent_allocates_nothing) {
  for (const char* rest : {R"("data":[1])", R"("parameters":{"binary_data_size":0})"})
    for (const char* type : {"FP32", "BYTES"})
      EXPECT_FALSE(parse(
          fmt::format(R"({{"inputs":[{{"name":"x","shape":[1099511627776],"datatype":"{}",{}}}]}})", type, rest)));
}

TEST(ParseInfer, more_outputs_than_a_model_may_have_are_refused) {
  const auto of = [](int count) {
    std::string outputs;
    for (int i = 0; i < count; ++i) outputs += fmt::format("{}{{\"name\":\"{}\"}}", i > 0 ? "," : "", i);
    return parse(fmt::format(R"({{"inputs":[],"outputs":[{}]}})", outputs));
  };
  EXPECT_EQ(of(4096).value().outputs.size(), 4096u);
  EXPECT_FALSE(of(4097));
}

TEST(ParseInfer, numbers_out_of_a_types_range_are_refused) {
  const auto of = [](const char* type, const char* value) {
    return parse(fmt::format(R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"{}","data":[{}]}}]}})", type, value));
  };
  EXPECT_TRUE(of("UINT8", "255"));
  EXPECT_FALSE(of("UINT8", "256"));
  EXPECT_FALSE(of("INT8", "-129"));
  EXPECT_FALSE(of("UINT64", "-1"));
  EXPECT_TRUE(of("UINT64", "18446744073709551615"));
  EXPECT_FALSE(of("INT32", "1.5"));
  EXPECT_TRUE(of("INT32", "3.0"));
  EXPECT_FALSE(of("BOOL", "2"));
  EXPECT_FALSE(of("FP32", "\"1\""));
}

TEST(ParseInfer, a_raw_body_gives_the_open_dimension_its_size) {
  const std::vector<serving::TensorPort> ports = {{.name = "x", .dtype = DType::kI16, .shape = {-1, 3, -1}}};
  const auto r = parse_infer(std::string(24, 'a'), 0, ports);
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->tensors.inputs[0].tensor.shape(), (Shape{1, 3, 4}));
  EXPECT_FALSE(parse_infer(std::string(25, 'a'), 0, ports));
}

TEST(InferResponse, json_is_parsed_back_to_the_same_numbers) {
  Tensor t = Tensor::allocate(DType::kF32, {3});
  for (int i = 0; i < 3; ++i) t.mutable_as<float>()[i] = 0.1f * static_cast<float>(i) - 1e-20f;
  std::string text;
  append_json(text, t);
  const auto back = tensor_from_json(boost::json::parse(text), DType::kF32, {3}, "x");
  ASSERT_TRUE(back);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(back->as<float>()[i], t.as<float>()[i]);
}

TEST(Compression, round_trips_and_refuses_bombs) {
  http::Response r;
  r.body = std::string(1'000'000, 'a');
  compress(r, "br, deflate;q=0.5, gzip;q=0.9");
  EXPECT_EQ(r.headers.back().second, "gzip");
  EXPECT_LT(r.body.size(), 10'000u);
  EXPECT_EQ(decompress(r.body, "gzip", 1'000'000).value(), std::string(1'000'000, 'a'));
  EXPECT_FALSE(decompress(r.body, "gzip", 999'999));
  EXPECT_FALSE(decompress(r.body.substr(0, 500), "gzip", 1'000'000));
  EXPECT_FALSE(decompress("", "deflate", 10));
}

}  // namespace
}  // namespace ingot::kserve
