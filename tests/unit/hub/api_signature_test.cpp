#include "hub/api_signature.hpp"

#include <string>

#include <doctest/doctest.h>

#include "net/crypto.hpp"

using portero::Arena;
using namespace portero::hub;

namespace {

constexpr std::int64_t signed_at = 1353088179;

App make_test_app() {
  App app;
  app.id = "3";
  app.key = "278d425bdf160c739803";
  app.secret = "7ad3773142a6692b25b8";
  return app;
}

const std::string event_body =
    R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})";
const std::string event_query =
    "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
    "&body_md5=ec365a775a4cd0599faeb73354201b6f"
    "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";

struct Call {
  std::string method = "POST";
  std::string path = "/apps/3/events";
  std::string whole_path = "/apps/3/events";
  std::string decoded_path = "/apps/3/events";
  std::string query = event_query;
  std::int64_t now = signed_at;
};

std::string fault_of(const Call& call) {
  Arena arena;
  const App app = make_test_app();
  const std::optional<ApiQuery> query = ApiQuery::parse(call.query, arena);
  REQUIRE(query);
  return find_signature_fault(
      app, {call.method, call.path, call.whole_path, call.decoded_path, *query}, call.now * 1000);
}

std::string body_fault_of(std::string_view text, std::string_view body) {
  Arena arena;
  const std::optional<ApiQuery> query = ApiQuery::parse(text, arena);
  REQUIRE(query);
  return find_body_fault(*query, body);
}

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// A query without its signature, signed.
std::string sign(const std::string& method, const std::string& path, const std::string& sorted) {
  return sorted + "&auth_signature=" +
         portero::net::hmac_sha256_hex("7ad3773142a6692b25b8",
                                       method + "\n" + path + "\n" + sorted);
}

}  // namespace

TEST_CASE("api_signature: accepts the vectors of the Pusher HTTP API") {
  CHECK(fault_of({}) == "");
  CHECK(body_fault_of(event_query, event_body) == "");

  Call channels;
  channels.method = "GET";
  channels.path = channels.whole_path = channels.decoded_path = "/apps/3/channels";
  channels.query =
      "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
      "&filter_by_prefix=presence-&info=user_count"
      "&auth_signature=16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291";
  CHECK(fault_of(channels) == "");
}

TEST_CASE("api_signature: the order and the case of parameter names do not matter") {
  Call call;
  call.query =
      "auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
      "&body_md5=ec365a775a4cd0599faeb73354201b6f&AUTH_VERSION=1.0"
      "&Auth_Timestamp=1353088179&auth_key=278d425bdf160c739803";
  CHECK(fault_of(call) == "");
}

TEST_CASE("api_signature: signs decoded values") {
  Call call;
  call.method = "GET";
  const std::string sorted =
      "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&filter_by_prefix=a,b@c d";
  call.query = sign("GET", "/apps/3/events", sorted);
  call.query = replaced(call.query, "a,b@c d", "a%2Cb%40c+d");
  CHECK(fault_of(call) == "");
}

TEST_CASE("api_signature: accepts a path signed with its prefix, without it, or decoded") {
  const std::string sorted = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179";
  for (const char* path :
       {"/apps/3/users/a%20b/terminate_connections", "/ws/apps/3/users/a%20b/terminate_connections",
        "/apps/3/users/a b/terminate_connections"}) {
    Call call;
    call.path = "/apps/3/users/a%20b/terminate_connections";
    call.whole_path = "/ws/apps/3/users/a%20b/terminate_connections";
    call.decoded_path = "/apps/3/users/a b/terminate_connections";
    call.query = sign("POST", path, sorted);
    CAPTURE(path);
    CHECK(fault_of(call) == "");
    call.query = sign("POST", std::string("/x") + path, sorted);
    CHECK(mentions(fault_of(call), "auth_signature is wrong"));
  }
}

TEST_CASE("api_signature: refuses a signature for another method, path or parameter") {
  Call method;
  method.method = "GET";
  Call path;
  path.path = path.whole_path = path.decoded_path = "/apps/3/batch_events";
  Call added;
  added.query += "&info=user_count";
  Call md5;
  md5.query = replaced(event_query, "ec365a", "ec365b");
  Call short_one;
  short_one.query = replaced(event_query, "57e6c", "57e6");
  Call upper;
  upper.query = replaced(event_query, "da454824c97", "DA454824C97");
  for (const Call& call : {method, path, added, md5, short_one, upper}) {
    CAPTURE(call.query);
    CHECK(mentions(fault_of(call), "auth_signature is wrong: compare REVERB_APP_SECRET"));
  }
}

TEST_CASE("api_signature: shows the text to sign, never the secret or the right signature") {
  Call call;
  call.query = replaced(event_query, "da454824", "00000000");
  const std::string fault = fault_of(call);
  CHECK(mentions(fault, "POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp="));
  CHECK_FALSE(mentions(fault, "7ad3773142a6692b25b8"));
  CHECK_FALSE(mentions(fault, "da454824"));
}

TEST_CASE("api_signature: tells which parameter is missing") {
  for (const char* name : {"auth_key", "auth_timestamp", "auth_signature"}) {
    Call call;
    call.query = replaced(event_query, name, "x");
    CAPTURE(name);
    CHECK(mentions(fault_of(call), std::string(name) + " is missing"));
  }
  Call call;
  call.query = "";
  CHECK(mentions(fault_of(call), "auth_key is missing"));
}

TEST_CASE("api_signature: names a foreign key") {
  Call call;
  call.query = replaced(event_query, "278d425bdf160c739803", "abc");
  CHECK(fault_of(call) == "auth_key \"abc\" is not the key of app 3: compare REVERB_APP_KEY");
}

TEST_CASE("api_signature: accepts a clock that is 600 s off and refuses 601 s, either way") {
  for (const std::int64_t off : {-600, -1, 0, 1, 600}) {
    Call call;
    call.now = signed_at + off;
    CHECK(fault_of(call) == "");
  }
  Call late;
  late.now = signed_at + 601;
  CHECK(mentions(fault_of(late), "601 s behind the clock"));
  Call early;
  early.now = signed_at - 601;
  CHECK(mentions(fault_of(early), "601 s ahead of the clock"));
}

TEST_CASE("api_signature: refuses a timestamp that is no number and a version that is not 1.0") {
  for (const char* text : {"abc", "", "-1353088179", "1353088179.5", "13530881790000000000000"}) {
    Call call;
    call.query =
        replaced(event_query, "auth_timestamp=1353088179", std::string("auth_timestamp=") + text);
    CAPTURE(text);
    CHECK(mentions(fault_of(call), "is not a number of seconds"));
  }
  Call far;
  far.query = replaced(event_query, "1353088179", "9223372036854775807");
  CHECK(mentions(fault_of(far), "ahead of the clock"));
  Call version;
  version.query = replaced(event_query, "auth_version=1.0", "auth_version=2.0");
  CHECK(mentions(fault_of(version), "auth_version \"2.0\" is not known"));
}

TEST_CASE("api_signature: a body must be the one whose MD5 is signed") {
  CHECK(mentions(body_fault_of("", "{}"), "body_md5 is missing"));
  CHECK(mentions(body_fault_of(event_query, event_body + " "), "is not the MD5"));
  CHECK(mentions(body_fault_of(event_query, ""), "is not the MD5"));
  CHECK(mentions(body_fault_of("body_md5=", "{}"), "is not the MD5"));
  CHECK(body_fault_of("", "") == "");
  CHECK(body_fault_of("body_md5=d41d8cd98f00b204e9800998ecf8427e", "") == "");
}

TEST_CASE("api_signature: bounds what it quotes") {
  Call call;
  call.query = replaced(event_query, "278d425bdf160c739803", std::string(9000, 'k'));
  CHECK(fault_of(call).size() < 1000);
  Call long_query;
  long_query.query = event_query + "&x=" + std::string(9000, 'x');
  CHECK(fault_of(long_query).size() < 1000);
}
