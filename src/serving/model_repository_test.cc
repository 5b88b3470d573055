// Loading and unloading: callers join, unloading wins, versions, configurations and reloads; with loaders that only
// remember what they were asked for.
#include "serving/model_repository.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include "serving/config/model_settings.h"

namespace ingot::serving {
namespace {

namespace fs = std::filesystem;

ModelSpec lone(const std::string& name) { return {.name = name, .versions = {{1, "/no/file"}}}; }

// Loads when it is told to.
struct Gate {
  std::promise<void> begun, open;
  std::atomic<int> loads{0};
  Loader loader() {
    return [this](const ModelSpec& spec, const ModelVersion& version, const OnProgress&) -> Result<Servable> {
      if (++loads == 1) {
        begun.set_value();
        open.get_future().wait();
      }
      return Servable{.name = spec.name, .version = version.number};
    };
  }
};

std::future<Result<void>> load(ModelRepository& models, const std::string& name, std::string config = {}) {
  auto told = std::make_shared<std::promise<Result<void>>>();
  const auto tell = [told](Result<void> done) { told->set_value(std::move(done)); };
  EXPECT_TRUE(models.load(name, tell, std::move(config)));
  return told->get_future();
}

TEST(ModelRepository, callers_join_the_load_that_waits) {
  Gate gate;
  ModelRepository models(gate.loader());
  ASSERT_TRUE(models.add(lone("m")));
  std::vector<std::future<Result<void>>> all;
  all.push_back(load(models, "m"));
  gate.begun.get_future().wait();
  for (int i = 0; i < 50; ++i) all.push_back(load(models, "m"));
  gate.open.set_value();
  for (auto& done : all) EXPECT_TRUE(done.get());
  EXPECT_EQ(gate.loads, 2);  // the one that ran, and one for all that came meanwhile
}

TEST(ModelRepository, unloading_during_a_load_wins) {
  Gate gate;
  ModelRepository models(gate.loader());
  ASSERT_TRUE(models.add(lone("m")));
  auto first = load(models, "m");
  gate.begun.get_future().wait();
  auto second = load(models, "m");
  ASSERT_TRUE(models.unload("m"));
  gate.open.set_value();
  EXPECT_EQ(first.get().error().code(), Code::kAborted);
  EXPECT_EQ(second.get().error().code(), Code::kAborted);
  EXPECT_FALSE(models.find("m"));
  EXPECT_EQ(models.index().front().reason, "unloaded");
  EXPECT_TRUE(load(models, "m").get());
  EXPECT_TRUE(models.find("m"));
}

TEST(ModelRepository, a_load_with_a_configuration_of_its_own_is_its_own) {
  Gate gate;
  ModelRepository models(gate.loader());
  ASSERT_TRUE(models.add(lone("m")));
  std::vector<std::future<Result<void>>> all;
  all.push_back(load(models, "m"));
  gate.begun.get_future().wait();
  all.push_back(load(models, "m"));
  for (int i = 0; i < 3; ++i) all.push_back(load(models, "m", R"({"max_batch_size": 0})"));
  for (int i = 0; i < 5; ++i) all.push_back(load(models, "m"));  // behind those: theirs must not stay
  gate.open.set_value();
  for (auto& done : all) EXPECT_TRUE(done.get());
  EXPECT_EQ(gate.loads, 6);
  EXPECT_FALSE(models.find("m").value()->settings);
}

TEST(ModelRepository, few_loads_of_a_model_wait) {
  Gate gate;
  ModelRepository models(gate.loader());
  ASSERT_TRUE(models.add(lone("m")));
  std::vector<std::future<Result<void>>> all;
  all.push_back(load(models, "m"));
  gate.begun.get_future().wait();
  const std::string config = R"({"max_batch_size": 0})";
  for (int i = 0; i < 32; ++i) all.push_back(load(models, "m", config));
  EXPECT_EQ(models.load("m", {}, config).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(models.load("m").error().code(), Code::kResourceExhausted);
  gate.open.set_value();
  for (auto& done : all) EXPECT_TRUE(done.get());
}

TEST(ModelRepository, forgetting_during_a_load_wins_also_over_a_namesake) {
  Gate gate;
  ModelRepository models(gate.loader());
  ASSERT_TRUE(models.add(lone("m")));
  auto first = load(models, "m");
  gate.begun.get_future().wait();
  models.forget("m");
  EXPECT_FALSE(models.knows("m"));
  ASSERT_TRUE(models.add(lone("m")));
  gate.open.set_value();
  EXPECT_EQ(first.get().error().code(), Code::kAborted);
  EXPECT_FALSE(models.find("m"));
  EXPECT_TRUE(models.index().front().never_loaded);
}

TEST(ModelRepository, is_ready_when_what_loads_has_loaded) {
  ModelRepository models([](const ModelSpec& spec, const ModelVersion&, const OnProgress&) -> Result<Servable> {
    if (spec.name == "bad") return invalid("broken");
    return Servable{.name = spec.name};
  });
  for (const char* name : {"bad", "good"}) ASSERT_TRUE(models.add(lone(name)));
  EXPECT_FALSE(load(models, "bad").get());
  EXPECT_FALSE(models.ready());  // nothing answers
  EXPECT_TRUE(load(models, "good").get());
  EXPECT_TRUE(models.ready());
  EXPECT_FALSE(load(models, "bad").get());
  EXPECT_TRUE(models.ready());
}

TEST(ModelRepository, tells_how_far_a_load_is) {
  std::promise<void> half, open;
  ModelRepository models([&](const ModelSpec& spec, const ModelVersion&, const OnProgress& on_progress) {
    on_progress(50, 200);
    half.set_value();
    open.get_future().wait();
    return Result<Servable>(Servable{.name = spec.name});
  });
  ASSERT_TRUE(models.add(lone("m")));
  auto done = load(models, "m");
  half.get_future().wait();
  EXPECT_EQ(models.index().front().progress, 0.25);
  open.set_value();
  EXPECT_TRUE(done.get());
  EXPECT_EQ(models.index().front().progress, 1);
}

TEST(ModelRepository, a_model_that_memory_does_not_hold_is_refused_with_both_numbers) {
  const fs::path file = fs::path(testing::TempDir()) / fmt::format("huge_{}.onnx", ::getpid());
  std::ofstream(file) << "x";
  fs::resize_file(file, uintmax_t{1} << 40);  // holes
  ModelRepository models(
      [](const ModelSpec&, const ModelVersion&, const OnProgress&) -> Result<Servable> { return Servable{}; });
  ASSERT_TRUE(models.add(model_at(file.string(), "huge").value()));
  const auto done = load(models, "huge").get();
  fs::remove(file);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kResourceExhausted);
  EXPECT_NE(done.error().message().find("needs 1048576 MiB"), std::string::npos) << done.error().message();
}

TEST(ModelRepository, clients_change_nothing_unless_that_is_allowed) {
  ModelRepository models({});
  EXPECT_EQ(models.may_change().error().code(), Code::kUnavailable);
  models.allow_changes(true);
  EXPECT_TRUE(models.may_change());
}

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

Result<Servable> accept(const ModelSpec& spec, const ModelVersion& version, const OnProgress&) {
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
  EXPECT_TRUE(models.ready());  // the server is, once it was
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

TEST_F(RepositoryFolder, unloading_during_a_load_wins_over_every_version) {
  std::promise<void> second, open;
  ModelRepository models([&](const ModelSpec& spec, const ModelVersion& version, const OnProgress&) {
    if (version.number == 2) {
      second.set_value();
      open.get_future().wait();
    }
    return Result<Servable>(Servable{.name = spec.name, .version = version.number});
  });
  write("m/config.pbtxt", "version_policy { all {} }");
  ASSERT_TRUE(models.add(spec()));
  auto done = std::async(std::launch::async, [&] { return load(models); });
  second.get_future().wait();
  EXPECT_EQ(models.ready_versions("m"), Versions{1});
  EXPECT_FALSE(models.ready());
  ASSERT_TRUE(models.unload("m"));
  open.set_value();
  EXPECT_EQ(done.get().error().code(), Code::kAborted);
  EXPECT_TRUE(models.ready_versions("m").empty());
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
