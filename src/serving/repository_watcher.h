// Follows a folder of models: new ones are loaded, changed ones loaded again, removed ones unloaded.
//
// Looks every so often, on a thread of its own; a model has changed when a file of it has another time or size.
// Ownership: borrows the repository. Thread-safety: none; the thread is its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "serving/model_repository.h"

namespace ingot::serving {

class RepositoryWatcher {
 public:
  // What is in the folder now counts as known to the repository.
  RepositoryWatcher(ModelRepository& models, std::string folder, std::chrono::milliseconds interval);
  ~RepositoryWatcher();
  RepositoryWatcher(const RepositoryWatcher&) = delete;
  RepositoryWatcher& operator=(const RepositoryWatcher&) = delete;

 private:
  void run();
  void look();

  ModelRepository& models_;
  const std::string folder_;
  const std::chrono::milliseconds interval_;
  std::map<std::string, uint64_t> seen_;  // name to what its files look like
  std::set<std::string> refused_;         // names that others have: told once
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace ingot::serving
