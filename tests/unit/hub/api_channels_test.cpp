#include "hub/api_channels.hpp"

#include <string>

#include <doctest/doctest.h>

#include "hub/api_connections.hpp"
#include "hub/api_events.hpp"
#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

constexpr std::string_view app = "123456";
constexpr std::string_view key = "reverb-key";

ApiQuery parse_query(std::string_view text, Arena& arena) {
  const std::optional<ApiQuery> query = ApiQuery::parse(text, arena);
  REQUIRE(query);
  return *query;
}

std::string channels_body(HubHarness& hub, std::string_view query) {
  Arena arena;
  const ApiQuery parsed = parse_query(query, arena);
  return await_in(hub, get_channels(hub.shard(), app, parsed)).body;
}

std::string channel_body(HubHarness& hub, std::string_view name, std::string_view query = {}) {
  Arena arena;
  const ApiQuery parsed = parse_query(query, arena);
  return await_in(hub, get_channel(hub.shard(), app, name, parsed)).body;
}

ApiAnswer users(HubHarness& hub, std::string_view name) {
  return await_in(hub, get_channel_users(hub.shard(), app, name));
}

std::string publish_body(HubHarness& hub, std::string_view body) {
  return await_in(hub, post_event(hub.shard(), app, body)).body;
}

}  // namespace

TEST_CASE("api_channels: lists what is occupied on any worker, by prefix, with info") {
  HubHarness hub(3);
  CHECK(channels_body(hub, "") == R"({"channels":{}})");
  TestClient a(hub, 1, key);
  TestClient b(hub, 2, key);
  a.subscribe("news");
  a.join("presence-room", "1");
  b.join("presence-room", "\"1\"");
  CHECK(channels_body(hub, "filter_by_prefix=n") == R"({"channels":{"news":{}}})");
  CHECK(channels_body(hub, "filter_by_prefix=presence-&info=user_count") ==
        R"({"channels":{"presence-room":{"user_count":1}}})");
  CHECK(channels_body(hub, "filter_by_prefix=n&info=user_count,subscription_count") ==
        R"({"channels":{"news":{"subscription_count":1}}})");
  const std::string all = channels_body(hub, "");
  CHECK(all.find("\"news\":{}") != std::string::npos);
  CHECK(all.find("\"presence-room\":{}") != std::string::npos);
}

TEST_CASE("api_channels: tells the attributes that fit the channel's kind") {
  HubHarness hub(2);
  TestClient a(hub, 0, key);
  TestClient b(hub, 1, key);
  for (TestClient* client : {&a, &b}) {
    client->subscribe("news");
    client->join("presence-room", "7");
  }
  const std::string_view both = "info=user_count,subscription_count";
  CHECK(channel_body(hub, "news") == R"({"occupied":true})");
  CHECK(channel_body(hub, "news", both) == R"({"occupied":true,"subscription_count":2})");
  CHECK(channel_body(hub, "presence-room", both) == R"({"occupied":true,"user_count":1})");
  CHECK(channel_body(hub, "nobody", both) == R"({"occupied":false})");
}

TEST_CASE("api_channels: a channel is unoccupied once its last subscriber has left") {
  HubHarness hub(2);
  TestClient a(hub, 1, key);
  a.subscribe("news");
  CHECK(channel_body(hub, "news") == R"({"occupied":true})");
  a.unsubscribe("news");
  CHECK(channel_body(hub, "news") == R"({"occupied":false})");
  CHECK(channels_body(hub, "") == R"({"channels":{}})");
}

TEST_CASE("api_channels: lists users once, with ids as the clients gave them") {
  HubHarness hub(2);
  TestClient a(hub, 0, key);
  TestClient b(hub, 1, key);
  a.join("presence-room", "7");
  b.join("presence-room", "7");
  CHECK(users(hub, "presence-room").body == R"({"users":[{"id":7}]})");
  b.unsubscribe("presence-room");
  b.join("presence-room", R"("a\"b")");
  const std::string body = users(hub, "presence-room").body;
  CHECK(body.find(R"({"id":7})") != std::string::npos);
  CHECK(body.find(R"({"id":"a\"b"})") != std::string::npos);
  CHECK(users(hub, "presence-nobody").status == 404);
  CHECK(users(hub, "news").status == 400);
}

TEST_CASE("api_events: tells counts after publishing") {
  HubHarness hub(3);
  TestClient a(hub, 1, key);
  a.subscribe("news");
  a.join("presence-room", "1");
  a.names();
  CHECK(publish_body(hub, R"({"name":"e","data":"d","channels":["news","presence-room"],)"
                          R"("info":"subscription_count,user_count"})") ==
        R"({"channels":{"news":{"subscription_count":1},"presence-room":{"user_count":1}}})");
  CHECK(a.names() == Names{"e", "e"});
}

TEST_CASE("api_events: delivers data verbatim and leaves out the author") {
  HubHarness hub(2);
  TestClient author(hub, 0, key);
  TestClient reader(hub, 1, key);
  const std::string author_id = author.id();
  for (TestClient* client : {&author, &reader}) {
    client->subscribe("news");
    client->names();
  }
  CHECK(publish_body(hub, R"({"name":"App\\Paid","data":"{\"a\": 1.0}","channel":"news",)"
                          R"("socket_id":")" +
                              author_id + "\"}") == "{}");
  CHECK(author.names().empty());
  const json::object event = reader.only_event();
  CHECK(event.at("event") == "App\\Paid");
  CHECK(event.at("channel") == "news");
  CHECK(event.at("data").as_object().at("a") == 1.0);
}

TEST_CASE("api_events: publishes nothing of a batch that has a fault") {
  HubHarness hub;
  TestClient a(hub, 0, key);
  a.subscribe("news");
  a.names();
  const ApiAnswer answer = await_in(
      hub, post_batch(hub.shard(), app,
                      R"({"batch":[{"name":"e","data":"d","channel":"news"},{"name":"f"}]})"));
  CHECK(answer.status == 422);
  CHECK(a.names().empty());
}

TEST_CASE("api_connections: counts sockets and ends those of a user on every worker") {
  HubHarness hub(2);
  TestClient a(hub, 0, key);
  TestClient b(hub, 1, key);
  TestClient other(hub, 1, key);
  a.subscribe("news");
  a.join("presence-room", "456");
  b.join("presence-other", "\"456\"");
  other.join("presence-room", "4567");
  CHECK(await_in(hub, get_connections(hub.shard(), app)).body == R"({"connections":3})");
  CHECK(await_in(hub, get_connections(hub.shard(), "654321")).body == R"({"connections":0})");
  const ApiAnswer answer = await_in(hub, post_terminate_user(hub.shard(), app, "456"));
  CHECK(answer.status == 200);
  CHECK(answer.body == "{}");
  CHECK(await_in(hub, post_terminate_user(hub.shard(), app, "nobody")).body == "{}");
}
