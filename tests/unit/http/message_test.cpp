#include "http/message.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::http;

namespace {

struct Normalised {
  Arena arena;
  Request request{arena};
  TargetCheck check;

  explicit Normalised(std::string_view target, std::string_view authority = "a.test") {
    request.target = target;
    request.authority = authority;
    check = normalise_target(request, arena);
  }
};

}  // namespace

TEST_CASE("message: a path is decoded once and its dot segments are resolved") {
  struct Case {
    std::string_view target;
    std::string_view path;
    std::string_view query;
  };
  const Case cases[] = {
      {"/", "/", ""},
      {"/a/b.html?x=y", "/a/b.html", "x=y"},
      {"/?", "/", ""},
      {"/a?b?c", "/a", "b?c"},
      {"/?/../..", "/", "/../.."},
      {"/%61%2Fb", "/a/b", ""},
      {"/%2561", "/%61", ""},
      {"/a%3Fb?c", "/a?b", "c"},
      {"/a%23", "/a#", ""},
      {"/%C3%A9", "/\xc3\xa9", ""},
      {"/.", "/", ""},
      {"/./", "/", ""},
      {"/./a", "/a", ""},
      {"/a/.", "/a/", ""},
      {"/a/..", "/", ""},
      {"/a/../", "/", ""},
      {"/a/b/..", "/a/", ""},
      {"/a/b/../c", "/a/c", ""},
      {"/a/./b/../../c/", "/c/", ""},
      {"/a/%2e%2E/b", "/b", ""},
      {"/a%2f..", "/", ""},
      {"/a%2F%2e%2e%2fb", "/b", ""},
      {"//a//b/", "/a/b/", ""},
      {"/a//..", "/", ""},
      {"/a//../b", "/b", ""},
      {"/a%2F%2Fb", "/a/b", ""},
      {"/%2Fa", "/a", ""},
      {"/a///", "/a/", ""},
      {"//", "/", ""},
      {"/...", "/...", ""},
      {"/..a", "/..a", ""},
      {"/.well-known/x", "/.well-known/x", ""},
      {"/a..b", "/a..b", ""},
      {"/a\\..\\b", "/a\\..\\b", ""},
      {"*", "*", ""},
  };
  for (const Case& one : cases) {
    CAPTURE(one.target);
    const Normalised result(one.target);
    CHECK(result.check == TargetCheck::ok);
    CHECK(result.request.path == one.path);
    CHECK(result.request.query == one.query);
  }
}

TEST_CASE("message: a target that could be taken for another path is sent in its normal form") {
  struct Case {
    std::string_view target;
    std::string_view sent;
  };
  const Case cases[] = {
      {"/a/../b?c=/../d", "/b?c=/../d"},
      {"/a/../b?", "/b?"},
      {"/./admin", "/admin"},
      {"/a%2f..%2fb", "/b"},
      {"/%2e%2E/../a", ""},
      {"//..", ""},
      {"//admin/x", "/admin/x"},
      {"/%2Fadmin/x", "/admin/x"},
      {"//x/..", "/"},
      {"/a%20b%22%5C%C3%A9/./c%3Fd", "/a%20b%22%5C%C3%A9/c%3Fd"},
      // What others may rely on stays: encoded slashes, slashes in a row further on.
      {"/group%2Fproject", "/group%2Fproject"},
      {"/plain/https://a.test/x", "/plain/https://a.test/x"},
      {"/%61?%2e%2e/", "/%61?%2e%2e/"},
      {"/.well-known/x", "/.well-known/x"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.target);
    const Normalised result(one.target);
    if (one.sent.empty()) {
      CHECK(result.check == TargetCheck::bad_target);
      continue;
    }
    CHECK(result.request.target == one.sent);
    CHECK(result.request.target.starts_with(result.request.raw_path));
    const bool changed = one.sent != one.target;
    CHECK(result.request.original_target == (changed ? one.target : std::string_view()));
    // Whoever reads what is sent decides as we did.
    CHECK(Normalised(result.request.target).request.path == result.request.path);
  }
}

TEST_CASE("message: a plain path is not copied") {
  const std::string_view target = "/build/assets/app.3f2a.js?v=1";
  const Normalised result(target);
  CHECK(result.request.path.data() == target.data());
}

TEST_CASE("message: refuses targets that hide something or leave the root") {
  const std::string_view bad[] = {
      "",        "a",       "/..",    "/../a",        "/a/../..",  "/a/../../b",
      "/%2e%2e", "/%2e./a", "/..%2f", "/a%2f..%2f..", "/%00",      "/a%00.txt",
      "/%0a",    "/%0D",    "/%1f",   "/%7F",         "/%",        "/%2",
      "/%g0",    "/%0g",    "/a b",   "/a\x7f",       "/\xc3\xa9", "/a?\xc3\xa9",
      "/a#b",    "/a?b#c",  "/a?b c", "/a\tb",        "?x",        "*x",
  };
  for (const std::string_view target : bad) {
    CAPTURE(target);
    CHECK(Normalised(target).check == TargetCheck::bad_target);
  }
  CHECK(Normalised(std::string_view("/a\0b", 4)).check == TargetCheck::bad_target);
}

TEST_CASE("message: the host is lower case and without port and trailing dot") {
  CHECK(Normalised("/", "Example.COM:8443").request.host == "example.com");
  CHECK(Normalised("/", "example.com.").request.host == "example.com");
  CHECK(Normalised("/", "example.com.:80").request.host == "example.com");
  CHECK(Normalised("/", "example.com:").request.host == "example.com");
  CHECK(Normalised("/", "[2001:DB8::1]:80").request.host == "[2001:db8::1]");
  CHECK(Normalised("/", "192.0.2.1").request.host == "192.0.2.1");
  CHECK(Normalised("/", "").check == TargetCheck::ok);
}

TEST_CASE("message: refuses hosts that are not one host") {
  for (const std::string_view authority :
       {"a b",  "a,b",    "a@b", "user:pw@a", "a/b",   "a?b",     ":80",
        ".",    "..",     ".a",  "a..",       "a:b",   "a:99999", "a:1:2",
        "[::1", "[::1]a", "[a]", "[]",        "a%20b", "a\x7f",   "\xc3\xa9"}) {
    CAPTURE(authority);
    CHECK(Normalised("/", authority).check == TargetCheck::bad_host);
  }
}

TEST_CASE("message: knows the methods and which may be repeated") {
  for (const std::string_view text : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    CHECK(identify_method(text) != Method::other);
    CHECK(is_idempotent(identify_method(text)));
  }
  for (const std::string_view text : {"POST", "PATCH", "CONNECT", "get", "PURGE", ""}) {
    CHECK(!is_idempotent(identify_method(text)));
  }
  CHECK(identify_method("get") == Method::other);
}

TEST_CASE("message: reasons and versions") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(299).empty());
  CHECK(version_text(Version::http_1_0) == "HTTP/1.0");
}

TEST_CASE("message: recognises a WebSocket upgrade in both versions") {
  Arena arena;
  Request request(arena);
  request.headers.add("Connection", "keep-alive, Upgrade");
  CHECK(!request.is_websocket_upgrade());
  request.headers.add("Upgrade", "WebSocket");
  CHECK(request.is_websocket_upgrade());
  request.method = Method::post;
  CHECK(!request.is_websocket_upgrade());
  request.method = Method::get;
  request.version = Version::http_1_0;
  CHECK(!request.is_websocket_upgrade());

  Request second(arena);
  second.version = Version::http_2;
  second.method = Method::connect;
  CHECK(!second.is_websocket_upgrade());
  second.protocol = "websocket";
  CHECK(second.is_websocket_upgrade());
}
