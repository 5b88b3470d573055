// Models under a memory budget: who goes, who stays, who comes back, and that nobody loses a model that is in use.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "serving/config/model_settings.h"
#include "serving/model_repository.h"

namespace ingot::serving {
namespace {

namespace fs = std::filesystem;
using Found = Result<std::shared_ptr<Servable>>;

class Room : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    for (const char* name : {"a", "b", "c", "d"}) {
      const std::string path = folder_ + "/" + name + ".onnx";
      std::ofstream(path) << std::string(100, 'x');
      ASSERT_TRUE(models_.add(model_at(path, name).value()));
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<void> load(const std::string& name, LoadCause cause = LoadCause::kAsked) {
    std::promise<Result<void>> done;
    INGOT_TRY(models_.load(name, [&](Result<void> r) { done.set_value(std::move(r)); }, {}, cause));
    return done.get_future().get();
  }
  Found acquire(const std::string& name, int64_t version = 0) {
    std::promise<Found> done;
    models_.acquire(name, version, [&](Found found) { done.set_value(std::move(found)); });
    return done.get_future().get();
  }
  bool comes(const std::string& name, int64_t version = 0) const {
    bool comes = false;
    (void)models_.find(name, version, &comes);
    return comes;
  }
  // A model of versions of 60 bytes each; config: of its config.pbtxt.
  void write_versions(const std::string& name, const std::vector<int>& versions, const std::string& config = "") const {
    for (const int v : versions) {
      fs::create_directories(fmt::format("{}/{}/{}", folder_, name, v));
      std::ofstream(fmt::format("{}/{}/{}/model.onnx", folder_, name, v)) << std::string(60, 'x');
    }
    if (!config.empty()) std::ofstream(folder_ + "/" + name + "/config.pbtxt") << config;
  }
  std::string loaded() const {
    std::string names;
    for (const auto& model : models_.ready_models()) names += model->name;
    return names;
  }

  const std::string folder_ = fs::temp_directory_path() / fmt::format("ingot_room_test_{}", ::getpid());
  std::atomic<int> loads_{0};
  std::atomic<bool> broken_{false};
  std::atomic<size_t> bytes_known_{0};
  ModelRepository models_{[this](const ModelSpec& spec, const ModelVersion& version, const OnProgress&) {
    ++loads_;
    if (broken_) return Result<Servable>(invalid("[test] broken"));
    return Result<Servable>(Servable{.name = spec.name, .version = version.number, .bytes = bytes_known_});
  }};
};

TEST_F(Room, who_was_not_used_for_longest_goes_first_and_comes_back_when_it_is_named) {
  models_.set_room({.bytes_max = 250});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  EXPECT_TRUE(models_.use("a", 0));
  ASSERT_TRUE(load("c"));
  EXPECT_EQ(loaded(), "ac");
  EXPECT_FALSE(models_.find("b"));
  EXPECT_TRUE(comes("b"));
  EXPECT_TRUE(models_.ready());
  EXPECT_EQ(acquire("b").value()->name, "b");
  EXPECT_EQ(loaded(), "bc");
  EXPECT_FALSE(comes("b"));
  const RoomStats s = models_.room_stats();
  EXPECT_EQ(s.bytes_loaded, 200u);
  EXPECT_EQ(s.idle_unloads, 2u);
  EXPECT_EQ(s.demand_loads, 1u);
}

TEST_F(Room, a_model_in_use_stays_and_who_finds_no_room_is_told) {
  models_.set_room({.bytes_max = 200});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  auto a = models_.use("a", 0).value();
  ASSERT_TRUE(load("c"));  // b was used later, but a is in use
  EXPECT_EQ(loaded(), "ac");
  const auto c = models_.use("c", 0).value();
  auto waits = std::async(std::launch::async, [&] { return acquire("b"); });
  while (models_.index()[1].state != ModelState::kLoading) std::this_thread::yield();
  EXPECT_EQ(loaded(), "ac");
  a.reset();  // its last answer ended
  EXPECT_TRUE(waits.get());
  EXPECT_EQ(loaded(), "bc");
}

TEST_F(Room, a_model_larger_than_the_budget_is_refused_with_both_numbers) {
  models_.set_room({.bytes_max = 99});
  const auto done = load("a");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kResourceExhausted);
  EXPECT_NE(done.error().message().find("--memory-budget"), std::string::npos);
}

TEST_F(Room, at_start_nobody_is_put_away_and_who_finds_no_room_comes_later) {
  models_.set_room({.bytes_max = 250});
  EXPECT_TRUE(load("a", LoadCause::kAtStart));
  EXPECT_TRUE(load("b", LoadCause::kAtStart));
  EXPECT_EQ(load("c", LoadCause::kAtStart).error().code(), Code::kAborted);
  EXPECT_EQ(loaded(), "ab");
  EXPECT_TRUE(models_.ready());
  EXPECT_TRUE(acquire("c"));
  EXPECT_EQ(loaded(), "bc");
}

TEST_F(Room, a_reload_replaces_itself_and_puts_nobody_away) {
  models_.set_room({.bytes_max = 200});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  ASSERT_TRUE(load("a"));
  EXPECT_EQ(loaded(), "ab");
}

TEST_F(Room, a_new_version_takes_the_place_of_the_old_one_and_of_others) {
  models_.set_room({.bytes_max = 100});
  write_versions("m", {1});
  ASSERT_TRUE(models_.add(model_at(folder_ + "/m", "m").value()));
  ASSERT_TRUE(load("m", LoadCause::kAtStart));
  write_versions("m", {2});
  ASSERT_TRUE(load("m", LoadCause::kAtStart));  // as the watcher does
  EXPECT_EQ(models_.ready_versions("m"), std::vector<int64_t>{2});
  models_.set_room({.bytes_max = 200});
  ASSERT_TRUE(load("a"));
  write_versions("m", {3});
  std::ofstream(folder_ + "/m/3/model.onnx") << std::string(150, 'x');
  ASSERT_TRUE(load("m", LoadCause::kAtStart));
  EXPECT_EQ(models_.ready_versions("m"), std::vector<int64_t>{3});
  EXPECT_TRUE(comes("a"));
}

TEST_F(Room, a_version_comes_where_it_is_one_of_the_model_and_others_of_it_are_kept) {
  models_.set_room({.bytes_max = 200});
  write_versions("m", {1, 2}, "version_policy { all {} }");
  ASSERT_TRUE(models_.add(model_at(folder_ + "/m", "m").value()));
  ASSERT_TRUE(load("a"));
  EXPECT_EQ(load("m", LoadCause::kAtStart).error().code(), Code::kAborted);
  EXPECT_EQ(models_.ready_versions("m"), std::vector<int64_t>{1});
  EXPECT_TRUE(comes("m", 2));
  EXPECT_FALSE(comes("m", 99));
  const auto first = models_.find("m", 1).value();
  EXPECT_EQ(acquire("m", 2).value()->version, 2);
  EXPECT_EQ(models_.find("m", 1).value(), first);
  EXPECT_FALSE(comes("m", 2));
  EXPECT_TRUE(comes("a"));
}

TEST_F(Room, versions_that_never_fit_together_are_refused_and_not_tried_again) {
  models_.set_room({.bytes_max = 100});
  write_versions("m", {1, 2}, "version_policy { all {} }");
  ASSERT_TRUE(models_.add(model_at(folder_ + "/m", "m").value()));
  const auto done = load("m", LoadCause::kAtStart);
  EXPECT_EQ(done.error().code(), Code::kResourceExhausted);
  EXPECT_NE(done.error().message().find("with its other versions"), std::string::npos);
  EXPECT_FALSE(comes("m", 2));
  const int before = loads_;
  EXPECT_EQ(acquire("m", 2).error().code(), Code::kUnavailable);
  EXPECT_EQ(loads_, before);
  EXPECT_TRUE(acquire("m"));
}

TEST_F(Room, a_request_does_not_undo_an_unload_that_came_before_it) {
  models_.set_room({.bytes_max = 100});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  ASSERT_TRUE(comes("a"));  // a request was told so, then
  ASSERT_TRUE(models_.unload("a"));
  EXPECT_EQ(load("a", LoadCause::kDemand).error().code(), Code::kUnavailable);
  EXPECT_EQ(loaded(), "b");
  EXPECT_TRUE(load("b", LoadCause::kDemand));  // it is there already
}

TEST_F(Room, what_the_loader_knows_to_be_more_than_the_files_counts) {
  models_.set_room({.bytes_max = 250});
  bytes_known_ = 150;
  ASSERT_TRUE(load("a"));
  EXPECT_EQ(models_.room_stats().bytes_loaded, 150u);
  ASSERT_TRUE(load("b"));
  EXPECT_EQ(loaded(), "b");
}

TEST(ModelBytes, are_those_of_all_files_that_belong_to_a_model) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("ingot_bytes_test_{}", ::getpid());
  fs::create_directories(folder);
  size_t bytes = 1;
  for (const char* name : {"m.onnx", "m.onnx.data", "m.onnx_data_1", "m2.onnx", "s-00001-of-00002.gguf",
                           "s-00002-of-00002.gguf", "s-00001-of-00003.gguf", "t-00001-of-00002.gguf", "one.gguf"}) {
    std::ofstream(folder / name) << std::string(bytes, 'x');
    bytes *= 2;
  }
  const auto of = [&](const char* name) { return model_bytes((folder / name).string()); };
  EXPECT_EQ(of("m.onnx"), 1u + 2 + 4);
  EXPECT_EQ(of("m2.onnx"), 8u);
  EXPECT_EQ(of("s-00001-of-00002.gguf"), 16u + 32);
  EXPECT_EQ(of("s-00002-of-00002.gguf"), 16u + 32);
  EXPECT_EQ(of("one.gguf"), 256u);
  EXPECT_EQ(of(""), bytes - 1);
  EXPECT_EQ(of("none.gguf"), 0u);
  fs::remove_all(folder);
}

TEST_F(Room, many_who_name_a_model_at_once_have_it_loaded_once) {
  models_.set_room({.bytes_max = 100});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  const int before = loads_;
  std::vector<std::future<Found>> all;
  for (int i = 0; i < 8; ++i) all.push_back(std::async(std::launch::async, [&] { return acquire("a"); }));
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_EQ(loads_, before + 1);
}

TEST_F(Room, requests_that_wait_for_different_models_are_served_in_turn) {
  models_.set_room({.bytes_max = 100});
  for (const char* name : {"a", "b", "c", "d"}) (void)load(name, LoadCause::kAtStart);
  std::vector<std::promise<bool>> all(40);
  for (size_t i = 0; i < all.size(); ++i)  // none waits for the one before
    models_.acquire(std::string(1, static_cast<char>('a' + i % 4)), 0,
                    [&told = all[i]](const Found& found) { told.set_value(found.has_value()); });
  for (auto& one : all) EXPECT_TRUE(one.get_future().get());
}

TEST_F(Room, what_a_client_unloaded_stays_away_and_what_is_broken_is_not_tried_again) {
  models_.set_room({.bytes_max = 100});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  ASSERT_TRUE(models_.unload("a"));
  EXPECT_EQ(acquire("a").error().code(), Code::kUnavailable);
  ASSERT_TRUE(load("a"));
  broken_ = true;
  EXPECT_EQ(acquire("b").error().code(), Code::kUnavailable);
  const int before = loads_;
  EXPECT_EQ(acquire("b").error().code(), Code::kUnavailable);
  EXPECT_EQ(loads_, before);
}

TEST_F(Room, a_model_that_nobody_uses_is_put_away_after_its_time) {
  models_.set_room({.idle_max = std::chrono::milliseconds(20)});
  ASSERT_TRUE(load("a"));
  ASSERT_TRUE(load("b"));
  const auto kept = acquire("b").value();
  while (loaded() != "b") std::this_thread::yield();
  EXPECT_TRUE(comes("a"));
  EXPECT_TRUE(acquire("a"));
}

TEST_F(Room, a_configuration_brought_by_a_load_comes_back_with_the_model) {
  models_.set_room({.bytes_max = 100});
  std::promise<void> done;
  ASSERT_TRUE(models_.load("a", [&](Result<void>) { done.set_value(); }, R"({"max_batch_size": 0})"));
  done.get_future().wait();
  ASSERT_TRUE(load("b"));
  EXPECT_TRUE(acquire("a").value()->settings);
}

TEST_F(Room, under_load_every_request_gets_its_model) {
  models_.set_room({.bytes_max = 300});
  for (const char* name : {"a", "b", "c", "d"}) (void)load(name, LoadCause::kAtStart);
  std::vector<std::future<int>> all;
  // Each holds one model at a time: of those that are loaded there is always one that may go.
  for (int t = 0; t < 3; ++t)
    all.push_back(std::async(std::launch::async, [&, t] {
      int lost = 0;
      for (int i = 0; i < 200; ++i) {
        const std::string name(1, static_cast<char>('a' + (i * 7 + t) % 4));
        const auto found = acquire(name);
        lost += !found || (*found)->name != name;
      }
      return lost;
    }));
  for (auto& one : all) EXPECT_EQ(one.get(), 0);
}

TEST_F(Room, an_alias_is_another_name_of_a_model) {
  ASSERT_TRUE(models_.add_alias("other", "a"));
  EXPECT_EQ(models_.add_alias("other", "b").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(models_.add_alias("a", "b").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(models_.add_alias("x", "nothing").error().code(), Code::kNotFound);
  EXPECT_EQ(models_.add_alias("x/y", "a").error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(models_.knows("other"));
  ASSERT_TRUE(load("other"));
  EXPECT_EQ(models_.find("other").value()->name, "a");
  EXPECT_EQ(models_.ready_versions("other"), std::vector<int64_t>{1});
  EXPECT_EQ(models_.add({.name = "other", .versions = {{1, "/no/file"}}}).error().code(), Code::kAlreadyExists);
  models_.forget("a");
  EXPECT_FALSE(models_.find("other"));
  EXPECT_TRUE(models_.aliases().empty());
}

}  // namespace
}  // namespace ingot::serving
