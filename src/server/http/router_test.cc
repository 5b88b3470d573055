// Paths to handlers, percent-escapes, heads of answers and API keys.
#include "server/http/router.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "server/http/api_keys.h"
#include "server/http/response_head.h"

namespace ingot::http {
namespace {

Router router() {
  Router r;
  for (const char* pattern : {"/v2/models/{m}", "/v2/models/stats", "/v2/models/{m}/versions/{v}/infer", "/"})
    r.add({.method = "GET", .pattern = pattern});
  r.add({.method = "POST", .pattern = "/v2/models/{m}"});
  return r;
}

TEST(Router, literal_segments_win_over_placeholders) {
  const Router r = router();
  EXPECT_EQ(r.match("GET", "/v2/models/stats")->route->pattern, "/v2/models/stats");
  EXPECT_EQ(r.match("GET", "/v2/models/other")->route->pattern, "/v2/models/{m}");
  EXPECT_EQ(r.match("GET", "/")->route->pattern, "/");
}

TEST(Router, captures_are_percent_decoded) {
  const auto m = router().match("GET", "/v2/models/a%20b%2Fc/versions/3/infer");
  EXPECT_EQ(m->captures, (std::vector<std::string>{"a b/c", "3"}));
  EXPECT_FALSE(router().match("GET", "/v2/models/%2"));
  EXPECT_FALSE(router().match("GET", "/v2/models/%00"));
}

TEST(Router, tells_which_methods_a_path_has) {
  const Router r = router();
  EXPECT_EQ(r.match("PUT", "/v2/models/x")->allow, "GET, POST");
  EXPECT_NE(r.match("HEAD", "/v2/models/x")->route, nullptr);
  const auto unknown = r.match("GET", "/v2/models/x/");
  EXPECT_EQ(unknown->route, nullptr);
  EXPECT_TRUE(unknown->allow.empty());
  EXPECT_EQ(r.match("GET", "*")->route, nullptr);
  EXPECT_EQ(r.match("GET", "")->route, nullptr);
  EXPECT_EQ(r.match("GET", "/v2/models//versions/1/infer")->route, nullptr);
}

TEST(ResponseHead, values_cannot_end_a_header_line) {
  Response response;
  response.headers.emplace_back("X", "a\r\nSet-Cookie: b");
  const std::vector<std::string> origins;
  const Request request{.id = "i"};
  const std::string head = response_head(response, {.request = request, .cors_origins = origins});
  EXPECT_NE(head.find("X: aSet-Cookie: b\r\n"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(ApiKeys, accept_what_the_file_holds_and_nothing_else) {
  const std::string path = testing::TempDir() + "/keys";
  std::ofstream(path) << "# comment\n\nalpha \nbeta\n";
  ApiKeys keys;
  EXPECT_TRUE(keys.accepts(""));
  ASSERT_TRUE(keys.load(path));
  EXPECT_TRUE(keys.accepts("alpha"));
  EXPECT_TRUE(keys.accepts("Bearer beta"));
  for (const char* wrong : {"", "Bearer ", "alph", "alphaa", "# comment", "Basic alpha"})
    EXPECT_FALSE(keys.accepts(wrong)) << wrong;
  std::ofstream(path) << "gamma\n";
  ASSERT_TRUE(keys.reload());
  EXPECT_TRUE(keys.accepts("gamma"));
  EXPECT_FALSE(keys.accepts("alpha"));
  std::ofstream(path) << "# nothing\n";
  EXPECT_FALSE(keys.reload());
  EXPECT_TRUE(keys.accepts("gamma"));  // those read before stay
  EXPECT_FALSE(ApiKeys().load("/no/such/file"));
}

}  // namespace
}  // namespace ingot::http
