// What appears and changes in a folder that is followed, also at the very beginning.
#include "serving/repository_watcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

namespace ingot::serving {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class Watcher : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, size_t bytes) const {
    std::ofstream(folder_ + "/" + name) << std::string(bytes, 'x');
  }
  static void wait_until(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  const std::string folder_ = fs::temp_directory_path() / fmt::format("ingot_watcher_test_{}", ::getpid());
  // After what is in the folder now was looked at, twice for certain.
  void wait_for_two_looks() {
    for (const char* name : {"first_look.onnx", "second_look.onnx"}) {
      write(name, 1);
      wait_until([&] { return models_.find(fs::path(name).stem().string()).has_value(); });
    }
  }

  std::atomic<int> loads_{0};
  ModelRepository models_{[this](const ModelSpec& spec, const ModelVersion& version, const OnProgress&) {
    ++loads_;
    return Result<Servable>(Servable{.name = spec.name, .version = version.number});
  }};
};

TEST_F(Watcher, a_model_that_came_after_the_first_look_at_the_folder_is_loaded) {
  write("known.onnx", 1);
  const std::vector<ModelSpec> found = scan_models(folder_).value();
  for (const ModelSpec& spec : found) ASSERT_TRUE(models_.add(spec));
  write("late.onnx", 1);  // nobody knows it when the watcher begins
  const RepositoryWatcher watcher(models_, folder_, milliseconds(1));
  wait_until([&] { return models_.find("late").has_value(); });
  EXPECT_FALSE(models_.find("known"));  // its first load is not the watcher's matter
}

TEST_F(Watcher, new_changed_and_removed_models_are_followed) {
  const RepositoryWatcher watcher(models_, folder_, milliseconds(1));
  write("m.onnx", 1);
  wait_until([&] { return models_.find("m").has_value(); });
  const int before = loads_;
  write("m.onnx", 2);
  wait_until([&] { return loads_ > before; });
  fs::remove(folder_ + "/m.onnx");
  wait_until([&] { return !models_.knows("m"); });
}

TEST_F(Watcher, a_model_from_elsewhere_stays_when_the_folder_gets_and_loses_one_of_its_name) {
  const std::string elsewhere = folder_ + "_m.onnx";
  std::ofstream(elsewhere) << "x";
  ASSERT_TRUE(models_.add(model_at(elsewhere, "m").value()));
  std::promise<void> loaded;
  ASSERT_TRUE(models_.load("m", [&](Result<void>) { loaded.set_value(); }));
  loaded.get_future().wait();
  const auto before = models_.find("m").value();
  const RepositoryWatcher watcher(models_, folder_, milliseconds(1));
  write("m.onnx", 2);
  wait_for_two_looks();
  fs::remove(folder_ + "/m.onnx");
  fs::remove(folder_ + "/second_look.onnx");
  wait_until([&] { return !models_.knows("second_look"); });
  EXPECT_EQ(models_.find("m").value(), before);  // not even loaded again
  fs::remove(elsewhere);
}

}  // namespace
}  // namespace ingot::serving
