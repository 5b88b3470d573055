// Versions, configurations and reloads, with a loader that only remembers what it was asked for.
#include "serving/model_repository.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "serving/config/model_settings.h"

namespace ingot::serving {
namespace {

namespace fs = std::filesystem;

class RepositoryFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    for (const char* version : {"1", "2", "10", "03", "x"}) write(std::string("m/") + version + "/model.onnx", "");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    const fs::path path = fs::path(folder_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  // Loads "m" and waits.
  static Result<void> load(ModelRepository& models, const std::string& config = {}) {
    std::promise<Result<void>> done;
    INGOT_TRY(models.load("m", [&](Result<void> r) { done.set_value(std::move(r)); }, config));
    return done.get_future().get();
  }
  ModelSpec spec() const { return model_at(folder_ + "/m", "").value(); }

  const std::string folder_ = fs::temp_directory_path() / fmt::format("ingot_repository_test_{}", ::getpid());
};

Result<Servable> accept(const ModelSpec& spec, const ModelVersion& version) {
  if (spec.settings && spec.settings->instances == 13) return invalid("[test] unlucky");
  return Servable{.name = spec.name, .version = version.number};
}

using Versions = std::vector<int64_t>;

TEST_F(RepositoryFolder, serves_the_latest_version_unless_the_policy_says_otherwise) {
  ModelRepository models(accept);
  ASSERT_TRUE(models.add(spec()));
  EXPECT_EQ(models.find("m").error().code(), Code::kUnavailable);
  ASSERT_TRUE(load(models));
  EXPECT_EQ(models.ready_versions("m"), Versions{10});
  write("m/config.pbtxt", "version_policy { latest { num_versions: 2 } }");
  ASSERT_TRUE(load(models));
  EXPECT_EQ(models.ready_versions("m"), (Versions{2, 10}));
  EXPECT_EQ(models.find("m").value()->version, 10);
  EXPECT_EQ(models.find("m", 2).value()->version, 2);
  EXPECT_EQ(models.find("m", 1).error().code(), Code::kNotFound);
  write("m/config.pbtxt", "version_policy { specific { versions: 1 } }");
  ASSERT_TRUE(load(models));
  EXPECT_EQ(models.ready_versions("m"), Versions{1});
  write("m/config.pbtxt", "version_policy { all {} }");
  ASSERT_TRUE(load(models));
  EXPECT_EQ(models.ready_versions("m"), (Versions{1, 2, 10}));
  EXPECT_EQ(models.index().size(), 3u);
}

TEST_F(RepositoryFolder, a_load_finds_new_versions_and_an_override_counts_once) {
  ModelRepository models(accept);
  ASSERT_TRUE(models.add(spec()));
  write("m/11/model.onnx", "");
  ASSERT_TRUE(load(models));
  EXPECT_EQ(models.ready_versions("m"), Versions{11});
  ASSERT_TRUE(load(models, R"({"version_policy": {"specific": {"versions": [1, 2]}}})"));
  EXPECT_EQ(models.ready_versions("m"), (Versions{1, 2}));
  ASSERT_TRUE(load(models));
  EXPECT_EQ(models.ready_versions("m"), Versions{11});
}

TEST_F(RepositoryFolder, what_answered_before_still_does_after_a_load_that_failed) {
  ModelRepository models(accept);
  ASSERT_TRUE(models.add(spec()));
  ASSERT_TRUE(load(models));
  for (const char* config : {"max_batch_size: -1", "nonsense", "name: \"other\"", "instance_group { count: 13 }",
                             "version_policy { specific { versions: 99 } }"}) {
    write("m/config.pbtxt", config);
    EXPECT_FALSE(load(models)) << config;
    EXPECT_TRUE(models.find("m")) << config;
    EXPECT_FALSE(models.index().front().reason.empty()) << config;
  }
  EXPECT_TRUE(models.ready());
  ASSERT_TRUE(models.unload("m"));
  EXPECT_FALSE(load(models));
  EXPECT_FALSE(models.ready());
  EXPECT_EQ(models.find("m").error().code(), Code::kUnavailable);
}

TEST_F(RepositoryFolder, models_are_found_in_the_folder_when_they_are_asked_for_and_forgotten) {
  ModelRepository models(accept);
  models.set_folder(folder_);
  EXPECT_FALSE(models.knows("m"));
  ASSERT_TRUE(load(models));
  EXPECT_TRUE(models.find("m"));
  models.forget("m");
  EXPECT_FALSE(models.knows("m"));
  EXPECT_EQ(models.load("nothing").error().code(), Code::kNotFound);
}

TEST_F(RepositoryFolder, changes_are_told) {
  ModelRepository models(accept);
  std::atomic<int> told = 0;
  models.on_change([&] { ++told; });
  ASSERT_TRUE(models.add(spec()));
  ASSERT_TRUE(load(models));
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(models.unload("m"));
  EXPECT_EQ(told, 2);
  models.on_change({});
  ASSERT_TRUE(models.unload("m"));
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace ingot::serving
