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
  Found acquire(const std::string& name) {
    std::promise<Found> done;
    models_.acquire(name, 0, [&](Found found) { done.set_value(std::move(found)); });
    return done.get_future().get();
  }
  std::string loaded() const {
    std::string names;
    for (const auto& model : models_.ready_models()) names += model->name;
    return names;
  }

  const std::string folder_ = fs::temp_directory_path() / fmt::format("ingot_room_test_{}", ::getpid());
  std::atomic<int> loads_{0};
  std::atomic<bool> broken_{false};
  ModelRepository models_{[this](const ModelSpec& spec, const ModelVersion& version, const OnProgress&) {
    ++loads_;
    if (broken_) return Result<Servable>(invalid("[test] broken"));
    return Result<Servable>(Servable{.name = spec.name, .version = version.number});
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
  EXPECT_TRUE(models_.comes_on_demand("b"));
  EXPECT_TRUE(models_.ready());
  EXPECT_EQ(acquire("b").value()->name, "b");
  EXPECT_EQ(loaded(), "bc");
  EXPECT_FALSE(models_.comes_on_demand("b"));
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
  EXPECT_TRUE(models_.comes_on_demand("a"));
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
