#include "hub/http_api.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "hub/hub.hpp"
#include "net/crypto.hpp"

using namespace portero;
using namespace portero::hub;

namespace {

constexpr std::int64_t now_seconds = 1'800'000'000;

// One request and what was answered to it.
class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(const std::string& method, const std::string& target,
               std::vector<std::string> pieces = {})
      : Exchange(info_), pieces_(std::move(pieces)) {
    request.method_text = arena.copy(method);
    request.method = http::identify_method(method);
    request.target = arena.copy(target);
    request.authority = "hub.test";
    REQUIRE(http::normalise_target(request, arena) == http::TargetCheck::ok);
    if (pieces_.empty()) return;
    request.body = http::BodyKind::length;
    for (const std::string& piece : pieces_) request.content_length += piece.size();
  }

  Task<Result<Bytes>> read_body() override {
    ++reads;
    if (fail_read != Errc::ok) co_return fail_read;
    if (next_ == pieces_.size()) {
      whole_body_read = true;
      co_return Bytes();
    }
    last_ = pieces_[next_++];
    co_return Bytes(last_);
  }
  Task<Result<>> send_interim(http::Response&) override { co_return Result<>(); }
  Task<Result<>> write_body(Bytes piece, http::Last last) override {
    body.append(piece);
    complete = last == http::Last::yes;
    co_return Result<>();
  }
  void reset(Errc) noexcept override {}
  bool client_gone() const noexcept override { return false; }

  int reads = 0;
  bool whole_body_read = false;
  bool complete = false;
  bool close = false;
  Errc fail_read = Errc::ok;
  std::uint64_t content_length = 0;
  std::string body;
  std::string content_type;
  std::string allow;

 protected:
  Task<Result<>> write_head(http::Response& response) override {
    content_length = response.content_length;
    close = response.close;
    content_type = response.headers.value(http::FieldId::content_type).value_or("");
    const http::Field* const field = response.headers.find("Allow");
    if (field != nullptr) allow = field->value;
    co_return Result<>();
  }

 private:
  http::ConnectionInfo info_;
  std::vector<std::string> pieces_;
  std::string last_;
  std::size_t next_ = 0;
};

struct NoWaker final : Waker {
  void wake() noexcept override {}
};

Task<> handle_into(http::Handler& handler, http::Exchange& exchange, Errc& error, bool& done) {
  const Result<> handled = co_await handler.handle(exchange);
  error = handled ? Errc::ok : handled.error().code;
  done = true;
}

struct Fixture {
  Hub hub{1};
  NoWaker waker;
  TimerWheel timers;
  HubShard shard{hub, 0, waker, timers};

  Fixture() {
    coarse_clock().unix_ms = now_seconds * 1000;
    auto settings = std::make_shared<conf::Hub>();
    settings->apps.resize(2);
    settings->apps[0].id = "3";
    settings->apps[0].key = "key";
    settings->apps[0].secret = "secret";
    settings->apps[1].id = "4";
    settings->apps[1].key = "key-4";
    settings->apps[1].secret = "secret-4";
    shard.adopt(std::move(settings));
  }

  // The error that the handler returned, Errc::ok when it has answered.
  Errc serve(FakeExchange& exchange, conf::HubRef apps = {true, {}}) {
    HttpApi api(shard, std::move(apps));
    Errc error = Errc::internal;
    bool done = false;
    spawn(handle_into(api, exchange, error, done));
    run_queue().run();
    REQUIRE(done);
    if (error == Errc::ok) {
      CHECK(exchange.complete);
      CHECK(exchange.content_type == "application/json");
    }
    return error;
  }
};

std::string signed_target(const std::string& method, const std::string& path,
                          const std::string& body = {}, const std::string& more = {}) {
  std::string query =
      "auth_key=key&auth_timestamp=" + std::to_string(now_seconds) + "&auth_version=1.0";
  if (!body.empty()) query += "&body_md5=" + net::md5_hex(body);
  query += more;
  const std::string text = method + "\n" + path + "\n" + query;
  return path + "?" + query + "&auth_signature=" + net::hmac_sha256_hex("secret", text);
}

FakeExchange signed_post(const std::string& path, const std::string& body) {
  return {"POST", signed_target("POST", path, body), {body}};
}

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

const std::string event = R"({"name":"e","data":"d","channel":"c"})";

}  // namespace

TEST_CASE("http_api: publishes a signed event and answers {}") {
  Fixture fixture;
  FakeExchange exchange("POST", signed_target("POST", "/apps/3/events", event), {event});
  CHECK(fixture.serve(exchange) == Errc::ok);
  CHECK(exchange.status_sent == 200);
  CHECK(exchange.body == "{}");
  CHECK(exchange.content_length == 2);
  CHECK_FALSE(exchange.close);
  CHECK(exchange.whole_body_read);
}

TEST_CASE("http_api: takes a body in many pieces") {
  Fixture fixture;
  std::vector<std::string> pieces;
  for (char c : event) pieces.emplace_back(1, c);
  FakeExchange exchange("POST", signed_target("POST", "/apps/3/events", event), pieces);
  exchange.request.body = http::BodyKind::chunked;
  exchange.request.content_length = 0;
  CHECK(fixture.serve(exchange) == Errc::ok);
  CHECK(exchange.status_sent == 200);
}

TEST_CASE("http_api: answers what is asked about channels nobody is in") {
  Fixture fixture;
  const std::pair<const char*, const char*> rows[] = {
      {"/apps/3/channels", R"({"channels":{}})"},
      {"/apps/3/channels/c", R"({"occupied":false})"},
      {"/apps/3/connections", R"({"connections":0})"},
  };
  for (const auto& [path, body] : rows) {
    CAPTURE(path);
    FakeExchange exchange("GET", signed_target("GET", path));
    CHECK(fixture.serve(exchange) == Errc::ok);
    CHECK(exchange.status_sent == 200);
    CHECK(exchange.body == body);
    CHECK(exchange.content_length == exchange.body.size());
  }
  FakeExchange users("GET", signed_target("GET", "/apps/3/channels/presence-c/users"));
  fixture.serve(users);
  CHECK(users.status_sent == 404);
  FakeExchange open("GET", signed_target("GET", "/apps/3/channels/c/users"));
  fixture.serve(open);
  CHECK(open.status_sent == 400);
  CHECK(mentions(open.body, "only presence channels have users"));
}

TEST_CASE("http_api: answers info by channel, also for unoccupied ones") {
  Fixture fixture;
  const std::string body =
      R"({"name":"e","data":"d","channels":["a","presence-b"],"info":"subscription_count"})";
  FakeExchange exchange = signed_post("/apps/3/events", body);
  fixture.serve(exchange);
  CHECK(exchange.body == R"({"channels":{"a":{},"presence-b":{}}})");
}

TEST_CASE("http_api: answers a batch without info by an empty map, with info by index") {
  Fixture fixture;
  FakeExchange plain = signed_post("/apps/3/batch_events", "{\"batch\":[" + event + "]}");
  fixture.serve(plain);
  CHECK(plain.body == R"({"batch":{}})");
  const std::string asking = R"({"name":"e","data":"d","channel":"c","info":"user_count"})";
  FakeExchange info =
      signed_post("/apps/3/batch_events", "{\"batch\":[" + event + "," + asking + "]}");
  fixture.serve(info);
  CHECK(info.body == R"({"batch":[{},{}]})");
}

TEST_CASE("http_api: ends the connections of a user, known or not") {
  Fixture fixture;
  FakeExchange exchange = signed_post("/apps/3/users/7/terminate_connections", "{}");
  fixture.serve(exchange);
  CHECK(exchange.status_sent == 200);
  CHECK(exchange.body == "{}");
}

TEST_CASE("http_api: tells its health without a signature") {
  Fixture fixture;
  FakeExchange exchange("GET", "/up");
  fixture.serve(exchange);
  CHECK(exchange.status_sent == 200);
  CHECK(exchange.body == R"({"health":"OK"})");
  FakeExchange head("HEAD", "/up");
  fixture.serve(head);
  CHECK(head.content_length == 15);
  CHECK(head.body == "");
}

TEST_CASE("http_api: 401 names what is wrong with the signature") {
  Fixture fixture;
  FakeExchange unsigned_one("POST", "/apps/3/events", {event});
  fixture.serve(unsigned_one);
  CHECK(unsigned_one.status_sent == 401);
  CHECK(mentions(unsigned_one.body, R"({"error":"auth_key is missing)"));
  CHECK(unsigned_one.whole_body_read);
  CHECK_FALSE(unsigned_one.close);

  FakeExchange other_key("POST", "/apps/3/events?auth_key=abc", {event});
  fixture.serve(other_key);
  CHECK(
      other_key.body ==
      R"({"error":"auth_key \"abc\" is not the key of app 3: compare REVERB_APP_KEY","code":401})");

  FakeExchange changed("POST", signed_target("POST", "/apps/3/events", event), {event + " "});
  fixture.serve(changed);
  CHECK(changed.status_sent == 401);
  CHECK(mentions(changed.body, "body_md5 is not the MD5"));

  coarse_clock().unix_ms = (now_seconds + 601) * 1000;
  FakeExchange late = signed_post("/apps/3/events", event);
  fixture.serve(late);
  CHECK(late.status_sent == 401);
  CHECK(mentions(late.body, "601 s behind"));
}

TEST_CASE("http_api: every resource of an app asks for a signature") {
  Fixture fixture;
  const std::pair<const char*, const char*> rows[] = {
      {"POST", "/apps/3/events"},
      {"POST", "/apps/3/batch_events"},
      {"GET", "/apps/3/channels"},
      {"GET", "/apps/3/channels/c"},
      {"GET", "/apps/3/channels/presence-c/users"},
      {"GET", "/apps/3/connections"},
      {"POST", "/apps/3/users/1/terminate_connections"},
  };
  for (const auto& [method, path] : rows) {
    CAPTURE(path);
    FakeExchange exchange(method, path);
    fixture.serve(exchange);
    CHECK(exchange.status_sent == 401);
    FakeExchange other_app(method, signed_target(method, "/apps/4/events"));
    fixture.serve(other_app);
    CHECK(other_app.status_sent >= 400);
  }
}

TEST_CASE("http_api: 404 names the app it does not know, also one served elsewhere") {
  Fixture fixture;
  FakeExchange unknown("POST", signed_target("POST", "/apps/5/events", event), {event});
  fixture.serve(unknown);
  CHECK(unknown.status_sent == 404);
  CHECK(mentions(unknown.body, "no app has the id \\\"5\\\" here"));
  FakeExchange elsewhere("GET", signed_target("GET", "/apps/3/channels"));
  fixture.serve(elsewhere, {false, {"4"}});
  CHECK(elsewhere.status_sent == 404);
  FakeExchange here("GET", signed_target("GET", "/apps/3/channels"));
  fixture.serve(here, {false, {"4", "3"}});
  CHECK(here.status_sent == 200);
  FakeExchange nowhere("GET", "/apps/3/nothing");
  fixture.serve(nowhere);
  CHECK(nowhere.status_sent == 404);
}

TEST_CASE("http_api: 405 says which method is allowed") {
  Fixture fixture;
  FakeExchange get("GET", "/apps/3/events");
  fixture.serve(get);
  CHECK(get.status_sent == 405);
  CHECK(get.allow == "POST");
  FakeExchange erase("DELETE", "/apps/3/channels");
  fixture.serve(erase);
  CHECK(erase.status_sent == 405);
  CHECK(erase.allow == "GET, HEAD");
  FakeExchange up("POST", "/up", {"x"});
  fixture.serve(up);
  CHECK(up.status_sent == 405);
  CHECK(up.whole_body_read);
}

TEST_CASE("http_api: 413 names the limit and the key, and reads no further") {
  Fixture fixture;
  const std::string big(api_body_bytes_max + 1, ' ');
  FakeExchange announced("POST", signed_target("POST", "/apps/3/events", "x"), {big});
  fixture.serve(announced);
  CHECK(announced.status_sent == 413);
  CHECK(announced.reads == 0);
  CHECK(announced.close);
  CHECK(mentions(announced.body, "1048576 bytes"));
  CHECK(mentions(announced.body, "api_body_bytes_max"));

  const std::string half(api_body_bytes_max / 2 + 1, ' ');
  FakeExchange chunked("POST", signed_target("POST", "/apps/3/events", "x"), {half, half, half});
  chunked.request.body = http::BodyKind::chunked;
  chunked.request.content_length = 0;
  fixture.serve(chunked);
  CHECK(chunked.status_sent == 413);
  CHECK(chunked.reads == 2);
  CHECK(chunked.close);
}

TEST_CASE("http_api: takes a body of exactly the limit") {
  Fixture fixture;
  const std::string head = R"({"name":"e","channel":"c","data":")";
  const std::string body = head + std::string(api_body_bytes_max - head.size() - 2, 'd') + "\"}";
  REQUIRE(body.size() == api_body_bytes_max);
  FakeExchange exchange = signed_post("/apps/3/events", body);
  fixture.serve(exchange);
  CHECK(exchange.status_sent == 200);
}

TEST_CASE("http_api: a refused client that waits for 100 (Continue) need not send its body") {
  Fixture fixture;
  FakeExchange exchange("POST", "/apps/3/events", {event});
  exchange.request.expects_continue = true;
  fixture.serve(exchange);
  CHECK(exchange.status_sent == 401);
  CHECK(exchange.reads == 0);
  CHECK(exchange.close);
}

TEST_CASE("http_api: hands an error while reading to the connection, unanswered") {
  Fixture fixture;
  for (const bool is_signed : {true, false}) {
    FakeExchange exchange(
        "POST", is_signed ? signed_target("POST", "/apps/3/events", event) : "/apps/3/events",
        {event});
    exchange.fail_read = Errc::timeout_body;
    CHECK(fixture.serve(exchange) == Errc::timeout_body);
    CHECK_FALSE(exchange.head_sent());
  }
}

TEST_CASE("http_api: a body that is no event is 400 or 422, never 500") {
  Fixture fixture;
  const std::pair<const char*, int> rows[] = {
      {"null", 400}, {"{", 400}, {"[1]", 400}, {"{}", 422}, {R"({"batch":5})", 422}};
  for (const auto& [body, status] : rows) {
    CAPTURE(body);
    FakeExchange one = signed_post("/apps/3/events", body);
    fixture.serve(one);
    CHECK(one.status_sent == status);
    FakeExchange batch = signed_post("/apps/3/batch_events", body);
    fixture.serve(batch);
    CHECK(batch.status_sent == status);
  }
  FakeExchange empty("POST", signed_target("POST", "/apps/3/events"));
  fixture.serve(empty);
  CHECK(empty.status_sent == 400);
}

TEST_CASE("http_api: a query that can be read in two ways is 400") {
  Fixture fixture;
  FakeExchange exchange("GET", signed_target("GET", "/apps/3/channels") + "&x=%0A");
  fixture.serve(exchange);
  CHECK(exchange.status_sent == 400);
}

TEST_CASE("http_api: accepts a prefix before /apps/, signed with or without it") {
  Fixture fixture;
  FakeExchange without("GET", "/ws" + signed_target("GET", "/apps/3/channels"));
  fixture.serve(without);
  CHECK(without.status_sent == 200);
  FakeExchange with("GET", signed_target("GET", "/ws/apps/3/channels"));
  fixture.serve(with);
  CHECK(with.status_sent == 200);
}
