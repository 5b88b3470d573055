// Loading and unloading by hand: callers join, unloading wins, versions are looked for again.
#include "serving/model_repository.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <latch>

namespace ingot::serving {
namespace {

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

std::future<Result<void>> load(ModelRepository& models, const std::string& name) {
  auto told = std::make_shared<std::promise<Result<void>>>();
  EXPECT_TRUE(models.load(name, [told](Result<void> done) { told->set_value(std::move(done)); }));
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

TEST(ModelRepository, a_reload_finds_the_version_that_came) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / fmt::format("repository_{}", ::getpid());
  const auto add_version = [&](const char* number) {
    fs::create_directories(root / "m" / number);
    std::ofstream(root / "m" / number / "model.onnx") << "x";
  };
  add_version("1");
  ModelRepository models([](const ModelSpec& spec, const ModelVersion& version, const OnProgress&) -> Result<Servable> {
    return Servable{.name = spec.name, .version = version.number};
  });
  ASSERT_TRUE(models.add(model_at((root / "m").string(), "").value()));
  EXPECT_TRUE(load(models, "m").get());
  EXPECT_EQ(models.find("m").value()->version, 1);
  add_version("4");
  EXPECT_TRUE(load(models, "m").get());
  EXPECT_EQ(models.find("m").value()->version, 4);
  EXPECT_EQ(models.index().front().version, 4);
  fs::remove_all(root);
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
  namespace fs = std::filesystem;
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

}  // namespace
}  // namespace ingot::serving
