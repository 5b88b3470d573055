// What the commands share, and what `ingot inspect` prints.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/inspect/report.h"
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
