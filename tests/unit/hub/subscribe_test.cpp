// Conformance items 35–56: subscribing to public, private and encrypted channels.
#include <doctest/doctest.h>

#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

const std::string succeeded = "pusher_internal:subscription_succeeded";

// A frame that answers a subscription well.
void check_success(TestClient& client, std::string_view channel) {
  const json::object event = client.only_event();
  CHECK(event.at("event") == json::string_view(succeeded.data(), succeeded.size()));
  CHECK(event.at("channel") == json::string_view(channel.data(), channel.size()));
  CHECK(event.at("data") == json::object());
}

// A refusal: pusher:error 4009 and subscription_error 401, the socket open and not subscribed.
void check_unauthorized(HubHarness& hub, TestClient& client, std::string_view channel,
                        std::string_view hint) {
  const std::vector<json::object> events = client.events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].at("event") == "pusher:error");
  const json::object& error = events[0].at("data").as_object();
  CHECK(error.at("code") == 4009);
  CHECK(std::string(error.at("message").as_string()).find(hint) != std::string::npos);
  CHECK(events[1].at("event") == "pusher:subscription_error");
  CHECK(events[1].at("channel") == json::string_view(channel.data(), channel.size()));
  CHECK(events[1].at("data").as_object().at("status") == 401);
  CHECK(events[1].at("data").as_object().at("type") == "AuthError");
  hub.publish(0, {std::string(channel)}, "e", "x");
  client.send_text(R"({"event":"pusher:ping"})");
  CHECK(client.names() == Names{"pusher:pong"});
}

}  // namespace

TEST_CASE("hub subscribe: a public channel, with data {} as a string [35]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient client(hub, 0, "reverb-key");
    client.greeted().subscribe("test-channel");
    const std::vector<std::string> texts = client.take(Opcode::text);
    REQUIRE(texts.size() == 1);
    CHECK(texts[0] == R"({"event":"pusher_internal:subscription_succeeded","data":"{}",)"
                      R"("channel":"test-channel"})");
  }
}

TEST_CASE("hub subscribe: auth on a public channel is not looked at [36]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const char* auth : {R"("")", R"("junk")", "null"}) {
    client.send_text(R"({"event":"pusher:subscribe","data":{"channel":"c","auth":)" +
                     std::string(auth) + "}}");
    check_success(client, "c");
  }
}

TEST_CASE("hub subscribe: data may be a JSON string [37]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_text(
      R"({"event":"pusher:subscribe","data":"{\"channel\":\"test-channel\"}"})");
  check_success(client, "test-channel");
}

TEST_CASE("hub subscribe: a private channel with the right signature [38]") {
  HubHarness hub(3);
  TestClient client(hub, 1, "reverb-key");
  client.greeted().subscribe_signed("private-chat");
  check_success(client, "private-chat");
}

TEST_CASE("hub subscribe: a wrong signature is refused, the socket stays [39, 42]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient client(hub, 0, "reverb-key");
    TestClient other(hub, 0, "reverb-key");
    client.greeted().subscribe_signed("private-chat", {}, "wrong-secret");
    check_unauthorized(hub, client, "private-chat",
                       "Expected HMAC SHA256 hex digest of '" + client.id() + ":private-chat'");
    const auto subscribe_with = [&client](const std::string& auth) {
      client.send_text(R"({"event":"pusher:subscribe","data":{"channel":"private-chat","auth":)" +
                       quote(auth) + "}}");
    };
    subscribe_with(other.auth("private-chat"));  // made for another socket
    check_unauthorized(hub, client, "private-chat", "Invalid signature");
    subscribe_with(client.auth("private-other"));  // made for another channel
    check_unauthorized(hub, client, "private-chat", "Invalid signature");
    subscribe_with("no-colon");
    check_unauthorized(hub, client, "private-chat", "Invalid signature");
  }
}

TEST_CASE("hub subscribe: no auth at all is refused [40]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe("private-chat");
  check_unauthorized(hub, client, "private-chat", "no auth");
  client.send_text(R"({"event":"pusher:subscribe","data":{"channel":"private-chat","auth":null}})");
  check_unauthorized(hub, client, "private-chat", "no auth");
}

TEST_CASE("hub subscribe: the key half must be the app's [41]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  std::string auth = client.auth("private-chat");
  auth.replace(0, auth.find(':'), "other-key");
  client.send_text(R"({"event":"pusher:subscribe","data":{"channel":"private-chat","auth":)" +
                   quote(auth) + "}}");
  check_unauthorized(hub, client, "private-chat",
                     "Invalid key in subscription auth data: 'other-key'");
}

TEST_CASE("hub subscribe: an encrypted channel is private and relayed untouched [43]") {
  HubHarness hub(3);
  TestClient client(hub, 2, "reverb-key");
  client.greeted().subscribe("private-encrypted-x");
  CHECK(client.errors() == std::vector<std::int64_t>{4009});
  client.subscribe_signed("private-encrypted-x");
  check_success(client, "private-encrypted-x");
  const std::string data = R"({"nonce":"n+/=","ciphertext":"c\\u0041"})";
  hub.publish(0, {"private-encrypted-x"}, "secret", data);
  const std::vector<std::string> texts = client.take(Opcode::text);
  REQUIRE(texts.size() == 1);
  CHECK(json::parse(texts[0]).as_object().at("data").as_string() ==
        json::string_view(data.data(), data.size()));
}

TEST_CASE("hub subscribe: twice is answered twice and delivered once [48]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient client(hub, 0, "reverb-key");
    client.greeted().subscribe("c");
    check_success(client, "c");
    client.subscribe("c");
    check_success(client, "c");
    hub.publish(0, {"c"}, "e", "x");
    CHECK(client.names() == Names{"e"});
    client.unsubscribe("c");
    hub.publish(0, {"c"}, "e", "x");
    CHECK(client.names().empty());
    CHECK(hub.total(&Stats::subscriptions) == 0);
  }
}

TEST_CASE("hub subscribe: channels of one socket are independent [49]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient client(hub, 0, "reverb-key");
    client.greeted();
    for (int i = 0; i < 10; ++i) {
      client.subscribe("c" + std::to_string(i));
      check_success(client, "c" + std::to_string(i));
    }
    for (int i = 0; i < 10; i += 2) client.unsubscribe("c" + std::to_string(i));
    for (int i = 0; i < 10; ++i) {
      hub.publish(0, {"c" + std::to_string(i)}, "e" + std::to_string(i), "x");
    }
    CHECK(client.names() == Names{"e1", "e3", "e5", "e7", "e9"});
  }
}

TEST_CASE("hub subscribe: unsubscribing is silent and final [50, 51]") {
  HubHarness hub(3);
  TestClient client(hub, 0, "reverb-key");
  client.greeted().unsubscribe("never-joined");
  CHECK(client.names().empty());
  client.subscribe("c");
  check_success(client, "c");
  client.unsubscribe("c");
  hub.publish(1, {"c"}, "e", "x");
  CHECK(client.names().empty());
  CHECK(client.close_code() == 0);
}

TEST_CASE("hub subscribe: the last to leave leaves no channel behind [52]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient a(hub, 0, "reverb-key");
    {
      TestClient b(hub, workers - 1, "reverb-key");
      a.subscribe("c");
      b.subscribe("c");
      CHECK(await_in(hub, hub.shard().channel("123456", "c")).subscription_count == 2);
    }
    CHECK(await_in(hub, hub.shard().channel("123456", "c")).subscription_count == 1);
    a.unsubscribe("c");
    CHECK_FALSE(await_in(hub, hub.shard().channel("123456", "c")).occupied);
    CHECK(hub.total(&Stats::channels) == 0);
    CHECK(await_in(hub, hub.shard().channels("123456", "")).empty());
  }
}

TEST_CASE("hub subscribe: refused subscriptions leave nothing behind [53]") {
  HubHarness hub(3);
  TestClient client(hub, 0, "reverb-key");
  client.auto_settle = false;
  for (int i = 0; i < 10'000; ++i) client.subscribe("private-" + std::to_string(i));
  hub.settle();
  CHECK(client.errors().size() == 10'000);
  for (auto& shard : hub.shards) CHECK(shard->find_app_state("reverb-key")->channels.empty());
}

TEST_CASE("hub subscribe: a bad channel name is a subscription_error [54]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const std::string& name : {std::string(201, 'x'), std::string("a b"), std::string(""),
                                  std::string("caf\xc3\xa9"), std::string("a/b")}) {
    client.subscribe(name);
    const json::object event = client.only_event();
    CHECK(event.at("event") == "pusher:subscription_error");
    CHECK(event.at("data").as_object().at("status") == 4009);
  }
  CHECK(hub.total(&Stats::channels) == 0);
  client.subscribe(std::string(200, 'x'));
  check_success(client, std::string(200, 'x'));
  client.subscribe("aZ09_-=@,.;");
  check_success(client, "aZ09_-=@,.;");
}

TEST_CASE("hub subscribe: a user's channel needs signin [55]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe("#server-to-user-1");
  const json::object event = client.only_event();
  CHECK(event.at("event") == "pusher:subscription_error");
  CHECK(event.at("data").as_object().at("status") == 401);
  CHECK(hub.total(&Stats::channels) == 0);
}

TEST_CASE("hub subscribe: prefixes count with their dash [56]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const char* name : {"privateer", "presence", "cachefoo", "cache-x"}) {
    client.subscribe(name);
    check_success(client, name);
  }
}

TEST_CASE("hub subscribe: the number of channels of one socket is limited") {
  HubHarness hub;
  hub.app().max_message_size = 1'000'000;
  hub.adopt();
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  client.auto_settle = false;
  for (std::size_t i = 0; i <= HubShard::memberships_max; ++i) {
    client.subscribe("c" + std::to_string(i));
  }
  hub.settle();
  const Names names = client.names();
  CHECK(names.size() == HubShard::memberships_max + 1);
  CHECK(names.back() == "pusher:subscription_error");
}

TEST_CASE("hub publish: an event carries the publisher's string and the channel [97, 98]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient a(hub, 0, "reverb-key");
    TestClient b(hub, workers - 1, "reverb-key");
    a.greeted().subscribe("one");
    b.greeted().subscribe("two");
    check_success(a, "one");
    check_success(b, "two");
    hub.publish(0, {"one", "two"}, "App\\Events\\TestEvent", R"({"foo":"bar"})");
    const std::vector<std::string> texts = a.take(Opcode::text);
    REQUIRE(texts.size() == 1);
    CHECK(texts[0] == R"({"event":"App\\Events\\TestEvent","data":"{\"foo\":\"bar\"}",)"
                      R"("channel":"one"})");
    CHECK(b.only_event().at("channel") == "two");
  }
}

TEST_CASE("hub publish: the excluded socket is skipped on all channels [99]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient a(hub, 0, "reverb-key");
    TestClient b(hub, workers - 1, "reverb-key");
    for (TestClient* client : {&a, &b}) {
      client->greeted().subscribe("one");
      client->subscribe("two");
      client->names();
    }
    hub.publish(0, {"one", "two"}, "e", "x", b.id());
    CHECK(a.names() == Names{"e", "e"});
    CHECK(b.names().empty());
    hub.publish(0, {"one"}, "e", "x", "1.1");
    hub.publish(0, {"one"}, "e", "x", "not an id");
    CHECK(b.names() == Names{"e", "e"});
  }
}

TEST_CASE("hub publish: apps do not hear each other [80]") {
  HubHarness hub;
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 0, "reverb-key-2");
  a.greeted().subscribe("c");
  b.greeted().subscribe("c");
  a.names();
  b.names();
  hub.publish(0, {"c"}, "e", "x");
  CHECK(a.names() == Names{"e"});
  CHECK(b.names().empty());
}
