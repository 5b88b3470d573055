// What the commands share, and what `ingot inspect` prints.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/command.h"
#include "cli/infer/infer_inputs.h"
#include "cli/inspect/report.h"
#include "cli/option_checks.h"
#include "cli/suggest.h"
#include "cli/table.h"

namespace ingot::cli {
namespace {

std::string golden(std::string_view name) {
  return std::string(INGOT_SOURCE_DIR) + "/tests/goldens/formats/" + std::string(name);
}

TEST(Suggest, finds_the_nearest_word_and_nothing_far_away) {
  const std::vector<std::string> known = {"inspect", "infer", "tokenize", "run"};
  EXPECT_EQ(nearest("inspct", known), "inspect");
  EXPECT_EQ(nearest("insepct", known), "inspect");
  EXPECT_EQ(nearest("tok", known), "tokenize");
  EXPECT_EQ(nearest("rnu", known), "run");
  EXPECT_EQ(nearest("zzz", known), "");
  EXPECT_EQ(nearest(std::string(100000, 'x'), known), "");
}

TEST(Table, aligns_columns_by_code_points) {
  Table t({"name", ">n"});
  t.add({"ü", "1"});
  t.add({"abcde", "1,000"});
  EXPECT_EQ(t.text(), "name       n\nü          1\nabcde  1,000\n");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(12), "12 B");
  EXPECT_EQ(human_count(268'098'176), "268.1 M");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(123), "123");
}

std::string complaint(const CLI::Validator& check, std::string text) { return check(text); }

TEST(OptionChecks, refuse_integers_that_would_be_cut_or_rounded) {
  const auto check = integer_in(-1, 1024);
  for (const auto* good : {"-1", "0", "+7", "1024"}) EXPECT_EQ(complaint(check, good), "") << good;
  for (const auto* bad : {"", " 1", "1025", "-2", "3.0", "1e2", "0x10", "99999999999999999999", "--1", "+-1"})
    EXPECT_EQ(complaint(check, bad), std::string("'") + bad + "' is not an integer from -1 to 1024");
}

TEST(OptionChecks, refuse_numbers_that_do_not_fit) {
  const auto check = number_in(0, 1);
  for (const auto* good : {"0", "1", "0.5", ".5", "1e-3"}) EXPECT_EQ(complaint(check, good), "") << good;
  for (const auto* bad : {"", "nan", "inf", "1e999", "-0.1", "1.1", "0,5", "abc"})
    EXPECT_EQ(complaint(check, bad), std::string("'") + bad + "' is not a number from 0 to 1");
}

TEST(OptionChecks, name_what_is_allowed_and_what_is_near) {
  const auto check = one_of({"fuse_conv", "fuse_gelu"});
  EXPECT_EQ(complaint(check, "fuse_conv"), "");
  EXPECT_EQ(complaint(check, "fuse_cnov"),
            "'fuse_cnov' is not one of fuse_conv, fuse_gelu (did you mean 'fuse_conv'?)");
}

TEST(OptionChecks, want_every_element_of_a_list) {
  const auto check = list_of(integer_in(0, 9));
  for (const auto* good : {"1", "1,2,3"}) EXPECT_EQ(complaint(check, good), "") << good;
  for (const auto* bad : {"", ",", "1,,2", "1,", ",1"})
    EXPECT_EQ(complaint(check, bad), "'' is not an integer from 0 to 9") << bad;
  EXPECT_EQ(complaint(number_in(-1e300, 1e300), "nan"), "'nan' is not a finite number");
}

TEST(Command, an_error_about_an_option_is_wrong_usage) {
  EXPECT_EQ(exit_code(Status(Code::kInvalidArgument, "[cli] --dim: no")), kExitUsage);
  EXPECT_EQ(exit_code(Status(Code::kInvalidArgument, "[model] no")), kExitFailure);
  EXPECT_EQ(exit_code(Status(Code::kCancelled, "[run] interrupted")), 130);
}

TEST(InferInputs, refuse_json_that_a_type_does_not_hold) {
  EXPECT_TRUE(tensor_from_json("[[1,2],[3,4]]", DType::kU8).has_value());
  EXPECT_TRUE(tensor_from_json("-9223372036854775808", DType::kI64).has_value());
  EXPECT_TRUE(tensor_from_json("18446744073709551615", DType::kU64).has_value());
  EXPECT_EQ(tensor_from_json("1e19", DType::kU64).value().as<uint64_t>()[0], 10000000000000000000u);
  for (const auto* bad : {"[256]", "[-1]", "[1.5]", "[1e300]", "[null]", "[\"1\"]", "[[1],[2,3],[]]", "[1,[2]]"})
    EXPECT_FALSE(tensor_from_json(bad, DType::kU8).has_value()) << bad;
  EXPECT_FALSE(tensor_from_json("9223372036854775808", DType::kI64).has_value());
  EXPECT_FALSE(tensor_from_json("-1", DType::kU64).has_value());
  EXPECT_FALSE(tensor_from_json(R"({"shape":[4294967296],"data":[1]})", DType::kF32).has_value());
}

TEST(Inspect, text_names_types_metadata_and_tensors) {
  const auto source = open_source(golden("types.gguf")).value();
  const std::string text = report_text(make_report(*source), true);
  for (const auto* part : {"GGUF v3", "architecture  llama", "nvfp4", "t.strings", "[\"a\", \"\", \"ü\"]", "[2,3,4,5]"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

TEST(Inspect, json_holds_everything) {
  for (const auto* name : {"types.gguf", "hf", "hf_sharded", "split-00002-of-00003.gguf"}) {
    const auto source = open_source(golden(name)).value();
    const auto root = boost::json::parse(report_json(make_report(*source)));
    EXPECT_EQ(root.at("tensors").as_array().size(), source->tensors().size());
    EXPECT_EQ(root.at("metadata").as_object().size(), source->metadata().size());
    EXPECT_EQ(root.at("files").as_array().size(), source->paths().size());
  }
}

}  // namespace
}  // namespace ingot::cli
