// The access log: lines in order, a reader that stalls, rotation.
#include "server/http/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace ingot::http {
namespace {

struct Folder {
  std::filesystem::path path = std::filesystem::path(testing::TempDir()) / fmt::format("access_log_{}", ::getpid());
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
};

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(AccessLog, writes_a_line_for_each_request_in_order) {
  const Folder folder;
  {
    AccessLog log;
    ASSERT_TRUE(log.open(folder.file("a")));
    log.write({.id = "first", .method = "GET", .path = "/x", .status = 200});
    log.write({.id = "second"});
  }
  const std::string text = read(folder.file("a"));
  EXPECT_LT(text.find("first"), text.find("second"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
}

TEST(AccessLog, a_reader_that_stalls_holds_nobody_up) {
  const Folder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::signal(SIGPIPE, SIG_IGN);                     // as a server does: what hangs is woken when the pipe goes
  const int stalled = ::open(pipe.c_str(), O_RDWR);  // never reads
  {
    AccessLog log;
    ASSERT_TRUE(log.open(pipe));
    for (size_t i = 0; i < kLogLinesMax + 5000; ++i) log.write({.id = "request"});
    EXPECT_GT(log.dropped(), 0u);
  }
  ::close(stalled);
}

TEST(AccessLog, goes_on_in_a_new_file_when_the_old_one_was_moved) {
  const Folder folder;
  {
    AccessLog log;
    ASSERT_TRUE(log.open(folder.file("a")));
    std::filesystem::rename(folder.file("a"), folder.file("b"));
    ASSERT_TRUE(log.reopen());
    log.write({.id = "later"});
  }
  EXPECT_NE(read(folder.file("a")).find("later"), std::string::npos);
  EXPECT_FALSE(AccessLog().open("/no/such/folder/log"));
}

}  // namespace
}  // namespace ingot::http
