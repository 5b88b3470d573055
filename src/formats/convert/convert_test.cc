// Quantizing small files: what comes out, and what is refused. tests/oracles/test_quantize.py compares with llama.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "formats/convert/quantize.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/test_files.h"
#include "tensor/block_formats.h"

namespace ingot::convert {
namespace {

class Quantize : public testing::Test {
 protected:
  // 64 x 256 and a vector, f32.
  std::shared_ptr<const Source> model(bool broken = false) {
    std::vector<float> x(64 * 256), norm(256, 1.0f);
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
    if (broken) x[256 * 40 + 3] = NAN;
    GgufWriter w;
    w.add_string("general.architecture", "llama");
    w.add_number("llama.block_count", uint32_t{1});
    w.add_number("general.file_type", uint32_t{0});
    w.add_tensor("blk.0.ffn_up.weight", {DType::kF32, {64, 256}, x.data()});
    w.add_tensor("blk.0.attn_norm.weight", {DType::kF32, {256}, norm.data()});
    const std::string path = folder_ / "in.gguf";
    EXPECT_TRUE(w.write(path));
    auto source = open_source(path);
    EXPECT_TRUE(source);
    return *source;
  }
  QuantizeOptions options(std::string_view type) {
    QuantizeOptions o;
    o.types.file = *file_type_from_name(type);
    o.pool = &pool_;
    return o;
  }

  TempFolder folder_;
  ThreadPool pool_{2};
};

TEST_F(Quantize, encodes_matrices_and_keeps_vectors) {
  const auto source = model();
  uint64_t last = 0;
  QuantizeOptions o = options("q4_0");
  o.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    last = done;
  };
  const auto report = quantize(*source, folder_ / "out.gguf", o);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(last, report->bytes_from);
  const auto out = open_source(folder_ / "out.gguf");
  ASSERT_TRUE(out) << out.error().message();
  EXPECT_EQ(*(*out)->get_int("general.file_type"), 2);
  const SourceTensor* matrix = (*out)->find_tensor("blk.0.ffn_up.weight");
  ASSERT_EQ(matrix->view.dtype, DType::kQ4_0);
  std::vector<std::byte> want(matrix->view.num_bytes());
  ASSERT_TRUE(
      encode_row(DType::kQ4_0, source->find_tensor("blk.0.ffn_up.weight")->view.as<float>(), want.data(), 64 * 256));
  EXPECT_EQ(std::memcmp(want.data(), matrix->view.data, want.size()), 0);
  EXPECT_EQ((*out)->find_tensor("blk.0.attn_norm.weight")->view.dtype, DType::kF32);
}

TEST_F(Quantize, names_tensor_and_row_of_a_nan_and_leaves_no_file) {
  const auto result = quantize(*model(true), folder_ / "out.gguf", options("Q8_0"));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("blk.0.ffn_up.weight"), std::string::npos) << result.error().message();
  EXPECT_NE(result.error().message().find("row 40"), std::string::npos) << result.error().message();
  EXPECT_FALSE(open_source(folder_ / "out.gguf"));
}

TEST_F(Quantize, refuses_to_quantize_twice_unless_told) {
  ASSERT_TRUE(quantize(*model(), folder_ / "q8.gguf", options("Q8_0")));
  const auto source = open_source(folder_ / "q8.gguf");
  QuantizeOptions o = options("Q4_0");
  EXPECT_EQ(quantize(**source, folder_ / "out.gguf", o).error().code(), Code::kFailedPrecondition);
  o.allow_requantize = true;
  EXPECT_TRUE(quantize(**source, folder_ / "out.gguf", o));
}

TEST_F(Quantize, refuses_importance_of_another_size_and_its_absence_where_it_is_needed) {
  QuantizeOptions o = options("Q4_K_M");
  Imatrix imatrix;
  imatrix.weights["blk.0.ffn_up.weight"] = std::vector<float>(100, 1.0f);
  o.imatrix = &imatrix;
  EXPECT_EQ(quantize(*model(), folder_ / "out.gguf", o).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(quantize(*model(), folder_ / "out.gguf", options("Q2_K_S")).error().code(), Code::kFailedPrecondition);
}

TEST_F(Quantize, refuses_a_pattern_that_does_not_compile) {
  QuantizeOptions o = options("Q4_0");
  o.types.tensor_types = {{"ffn_(", DType::kQ8_0}};
  EXPECT_EQ(quantize(*model(), folder_ / "out.gguf", o).error().code(), Code::kInvalidArgument);
  EXPECT_FALSE(file_type_from_name("Q9_9"));
  EXPECT_EQ(file_type_from_name("q4_k")->name, "Q4_K_M");
}

TEST(ImatrixFiles, damaged_ones_are_refused) {
  std::vector<std::byte> bytes;
  const auto add = [&](const auto& v) {
    const auto raw = std::as_bytes(std::span(&v, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  };
  add(int32_t{1});
  add(int32_t{1});
  add('w');
  add(int32_t{2});
  add(int32_t{3});
  for (float v : {2.0f, 4.0f, 0.0f}) add(v);
  const auto good = parse_imatrix(bytes, "x");
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_EQ(good->weights.at("w"), (std::vector<float>{1, 2, 0}));
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(parse_imatrix(std::span(bytes).first(n), "x")) << n;
  const float bad = -1;
  std::memcpy(bytes.data() + bytes.size() - 4, &bad, 4);
  EXPECT_FALSE(parse_imatrix(bytes, "x"));
}

}  // namespace
}  // namespace ingot::convert
