// Conformance items 44–47 and 57–68: presence channels.
#include "hub/presence.hpp"

#include <doctest/doctest.h>

#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

const std::string room = "presence-room";

json::object success_of(TestClient& client) {
  const std::vector<json::object> events = client.events();
  REQUIRE(!events.empty());
  const json::object& last = events.back();
  REQUIRE(last.at("event") == "pusher_internal:subscription_succeeded");
  return last.at("data").as_object().at("presence").as_object();
}

}  // namespace

TEST_CASE("hub presence: success shows count, ids and hash [44]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient client(hub, 0, "reverb-key");
    client.greeted().join(room, R"("7")");
    const json::object roster = success_of(client);
    CHECK(roster.at("count") == 1);
    CHECK(roster.at("ids") == json::array{"7"});
    CHECK(roster.at("hash") == json::object{{"7", json::object{{"name", "N"}}}});
  }
}

TEST_CASE("hub presence: channel_data altered after signing is refused [45]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  const std::string auth = client.auth(room, R"({"user_id":"1"})");
  client.send_text(R"({"event":"pusher:subscribe","data":{"channel":"presence-room","auth":)" +
                   quote(auth) + R"(,"channel_data":"{\"user_id\":\"2\"}"}})");
  CHECK(client.errors() == std::vector<std::int64_t>{4009});
}

TEST_CASE("hub presence: a member must have a user id [46]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe_signed(room);
  CHECK(client.errors() == std::vector<std::int64_t>{4009});
  for (const char* data : {R"({})", R"({"user_id":null})", R"({"user_id":""})",
                           R"({"user_id":[1]})", R"({"user_info":{"a":1}})"}) {
    client.subscribe_signed(room, data);
    const std::vector<json::object> events = client.events();
    REQUIRE(events.size() == 2);
    CHECK(events[0].at("data").as_object().at("code") == 4009);
    CHECK(events[1].at("data").as_object().at("status") == 401);
  }
  client.join(room, quote(std::string(129, 'u')));
  CHECK(client.errors() == std::vector<std::int64_t>{4009});
  CHECK(hub.total(&Stats::channels) == 0);
}

TEST_CASE("hub presence: channel_data must be a string of JSON [47]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const char* data : {R"({"user_id":1})", "5", R"("not json")", R"("[1]")", R"("")"}) {
    client.send_text(
        R"({"event":"pusher:subscribe","data":{"channel":"presence-room","auth":"a:b",)"
        R"("channel_data":)" +
        std::string(data) + "}}");
    CHECK(client.errors() == std::vector<std::int64_t>{4200});
  }
}

TEST_CASE("hub presence: others hear of a new user, the user does not [57, 58]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient one(hub, 0, "reverb-key");
    one.greeted().join(room, "1");
    one.events();
    TestClient two(hub, workers / 2, "reverb-key");
    two.greeted().join(room, "2");
    const json::object added = one.only_event();
    CHECK(added.at("event") == "pusher_internal:member_added");
    CHECK(added.at("channel") == "presence-room");
    CHECK(added.at("data") ==
          json::object{{"user_id", 2}, {"user_info", json::object{{"name", "N"}}}});
    CHECK(two.names() == Names{"pusher_internal:subscription_succeeded"});

    TestClient again(hub, workers - 1, "reverb-key");
    again.greeted().join(room, "2");
    CHECK(success_of(again).at("count") == 2);
    CHECK(one.names().empty());
    CHECK(two.names().empty());
  }
}

TEST_CASE("hub presence: a user has left when the last of their sockets has [59, 60]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient watcher(hub, 0, "reverb-key");
    TestClient first(hub, workers / 2, "reverb-key");
    TestClient second(hub, workers - 1, "reverb-key");
    watcher.greeted().join(room, "1");
    first.greeted().join(room, "3");
    second.greeted().join(room, "3");
    watcher.events();
    first.send_close(1000);
    CHECK(first.ended());
    CHECK(watcher.names().empty());
    second.cut();  // item 62: a reset is a leave
    const json::object removed = watcher.only_event();
    CHECK(removed.at("event") == "pusher_internal:member_removed");
    CHECK(removed.at("data") == json::object{{"user_id", 3}});
    CHECK(await_in(hub, hub.shard().channel("123456", room)).user_count == 1);
  }
}

TEST_CASE("hub presence: 1 and \"1\" are one user, 10 and 1e1 are two, 0 is one [61, 63]") {
  HubHarness hub(3);
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 1, "reverb-key");
  a.greeted().join(room, "1");
  b.greeted().join(room, R"("1")");
  CHECK(success_of(b).at("count") == 1);
  TestClient c(hub, 2, "reverb-key");
  TestClient d(hub, 2, "reverb-key");
  c.greeted().join(room, R"("10")");
  d.greeted().join(room, R"("1e1")");
  CHECK(success_of(d).at("count") == 3);
  a.events();
  {
    TestClient zero(hub, 0, "reverb-key");
    zero.greeted().join(room, R"("0")");
    CHECK(success_of(zero).at("count") == 4);
    CHECK(a.names() == Names{"pusher_internal:member_added"});
    TestClient zero_again(hub, 0, "reverb-key");
    zero_again.greeted().join(room, R"("0")");
    CHECK(a.names().empty());
  }
  CHECK(a.names() == Names{"pusher_internal:member_removed"});
}

TEST_CASE("hub presence: user_info may be absent [64]") {
  HubHarness hub;
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 0, "reverb-key");
  a.greeted().join(room, "1");
  a.events();
  b.greeted().subscribe_signed(room, R"({"user_id":"2"})");
  CHECK(success_of(b).at("hash").as_object().at("2").is_null());
  CHECK(a.only_event().at("data") == json::object{{"user_id", "2"}});
}

TEST_CASE("hub presence: an empty roster has an object as hash [65]") {
  CHECK(Roster().to_json() == R"({"count":0,"ids":[],"hash":{}})");
}

TEST_CASE("hub presence: a full channel refuses new users but not known ones [66]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    hub.app().presence_members = 2;
    hub.adopt();
    TestClient a(hub, 0, "reverb-key");
    TestClient b(hub, workers / 2, "reverb-key");
    TestClient c(hub, workers - 1, "reverb-key");
    a.greeted().join(room, "1");
    b.greeted().join(room, "2");
    a.events();
    c.greeted().join(room, "3");
    const json::object refusal = c.only_event();
    CHECK(refusal.at("event") == "pusher:subscription_error");
    CHECK(refusal.at("data").as_object().at("status") == 4100);
    CHECK(a.names().empty());
    c.client_event(room, "client-x", "{}");
    CHECK(c.errors() == std::vector<std::int64_t>{4009});
    c.join(room, "2");
    CHECK(success_of(c).at("count") == 2);
    b.cut();
    c.cut();
    TestClient d(hub, 0, "reverb-key");
    d.greeted().join(room, "3");
    CHECK(success_of(d).at("count") == 2);
  }
}

TEST_CASE("hub presence: a member that is too big is refused [67]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  const std::string big = R"({"user_id":"1","user_info":")" + std::string(2'100, 'x') + R"("})";
  client.greeted().subscribe_signed(room, big);
  const json::object refusal = client.only_event();
  CHECK(refusal.at("event") == "pusher:subscription_error");
  CHECK(refusal.at("data").as_object().at("status") == 4301);
}

TEST_CASE("hub presence: unsubscribing is leaving [68]") {
  HubHarness hub(3);
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 1, "reverb-key");
  a.greeted().join(room, "1");
  b.greeted().join(room, "2");
  a.events();
  b.unsubscribe(room);
  CHECK(a.names() == Names{"pusher_internal:member_removed"});
}

TEST_CASE("hub presence: subscribing again shows the roster again, changing nothing") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient a(hub, 0, "reverb-key");
    TestClient b(hub, workers - 1, "reverb-key");
    a.greeted().join(room, "1");
    b.greeted().join(room, "2");
    a.events();
    b.events();
    b.join(room, "2");
    CHECK(success_of(b).at("count") == 2);
    CHECK(a.names().empty());
    b.cut();
    CHECK(a.names() == Names{"pusher_internal:member_removed"});
  }
}

TEST_CASE("hub presence: subscribing again as another user is leaving and joining") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient a(hub, 0, "reverb-key");
    TestClient b(hub, workers - 1, "reverb-key");
    a.greeted().join(room, "1");
    b.greeted().join(room, "2");
    a.events();
    b.events();
    b.join(room, "3");
    CHECK(success_of(b).at("count") == 2);
    CHECK(a.names() == Names{"pusher_internal:member_removed", "pusher_internal:member_added"});
  }
}

TEST_CASE("hub presence: a socket that leaves before the home has answered is not counted") {
  HubHarness hub(3);
  // A channel whose home is not worker 0.
  std::string away = room;
  while (hub.hub->home_of(0, away) == 0) away += 'x';
  TestClient watcher(hub, 1, "reverb-key");
  watcher.greeted().join(away, "1");
  watcher.events();
  TestClient client(hub, 0, "reverb-key");
  client.id();
  client.auto_settle = false;
  client.join(away, "2");
  hub.run();
  client.unsubscribe(away);
  hub.run();
  client.join(away, "2");
  hub.run();
  client.unsubscribe(away);
  hub.settle();
  CHECK(client.names() == Names(2, "pusher_internal:subscription_succeeded"));
  CHECK(await_in(hub, hub.shard().channel("123456", away)).subscription_count == 1);
  client.auto_settle = true;
  client.join(away, "2");
  CHECK(success_of(client).at("count") == 2);
}
