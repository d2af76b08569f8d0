// Conformance items 30–34, 62, 96, 113, 119: sockets that fall silent, read too slowly, or must go.
#include <doctest/doctest.h>

#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;
using namespace std::chrono_literals;

TEST_CASE("hub liveness: a silent socket is pinged with a control frame [30, 32, 33]") {
  HubHarness hub;
  TestClient subscribed(hub, 0, "reverb-key");
  TestClient idle(hub, 0, "reverb-key");
  subscribed.subscribe("c");
  subscribed.events();
  idle.events();
  hub.advance(59s);
  CHECK(subscribed.wire.to_client.empty());
  hub.advance(2s);
  for (TestClient* client : {&subscribed, &idle}) {
    CHECK(client->take(Opcode::ping).size() == 1);
    CHECK(client->names().empty());
  }
}

TEST_CASE("hub liveness: without an answer it is closed within one more interval [30, 62]") {
  HubHarness hub(3);
  TestClient watcher(hub, 0, "reverb-key");
  watcher.greeted().join("presence-room", "1");
  TestClient dead(hub, 1, "reverb-key");
  dead.greeted().join("presence-room", "2");
  watcher.events();
  dead.events();
  for (int i = 0; i < 12; ++i) {
    hub.advance(10s);
    watcher.send_frame(Opcode::pong, "");
  }
  hub.advance(1s);
  CHECK(dead.errors() == std::vector<std::int64_t>{4201});
  CHECK(dead.close_code() == 4201);
  CHECK(watcher.names() == Names{"pusher_internal:member_removed"});
  hub.advance(HubShard::close_wait + 1s);
  CHECK(dead.ended());
  CHECK_FALSE(watcher.ended());
  CHECK(hub.total(&Stats::liveness_closed) == 1);
}

TEST_CASE("hub liveness: any answer keeps a socket alive [31, 34]") {
  HubHarness hub;
  TestClient with_frame(hub, 0, "reverb-key");
  TestClient with_event(hub, 0, "reverb-key");
  TestClient with_anything(hub, 0, "reverb-key");
  for (int minute = 0; minute < 10; ++minute) {
    hub.advance(61s);
    with_frame.send_frame(Opcode::pong, "");
    with_event.send_text(R"({"event":"pusher:pong"})");
    with_anything.send_raw(masked_frame(Opcode::text, "{}").substr(0, 1));
    with_anything.send_raw(masked_frame(Opcode::text, "{}").substr(1));
  }
  CHECK(with_frame.close_code() == 0);
  CHECK(with_event.close_code() == 0);
  CHECK(with_anything.close_code() == 0);
}

TEST_CASE("hub liveness: the interval of a reloaded configuration counts") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.events();
  hub.advance(61s);
  CHECK(client.take(Opcode::ping).size() == 1);
  client.send_frame(Opcode::pong, "");
  hub.app().ping_interval = 10s;
  hub.adopt();
  hub.advance(61s);
  CHECK(client.take(Opcode::ping).size() == 1);
  client.send_frame(Opcode::pong, "");
  hub.advance(11s);
  CHECK(client.take(Opcode::ping).size() == 1);
}

TEST_CASE("hub liveness: no timer runs without sockets") {
  HubHarness hub;
  CHECK(hub.wheels[0]->armed_count() == 0);
  {
    TestClient client(hub, 0, "reverb-key");
    CHECK(hub.wheels[0]->armed_count() == 1);
  }
  CHECK(hub.wheels[0]->armed_count() == 0);
}

TEST_CASE("hub slow consumer: is closed at its byte limit, others notice nothing [96]") {
  HubHarness hub(3);
  TestClient slow(hub, 0, "reverb-key");
  TestClient good(hub, 0, "reverb-key");
  TestClient far(hub, 2, "reverb-key");
  for (TestClient* client : {&slow, &good, &far}) {
    client->greeted().subscribe("c");
    client->events();
  }
  slow.wire.room = 100'000;
  const std::string data(10'000, 'x');
  for (int i = 0; i < 200; ++i) hub.publish(1, {"c"}, "e", data);
  CHECK(good.names() == Names(200, "e"));
  CHECK(far.names() == Names(200, "e"));
  CHECK(hub.total(&Stats::slow_consumers_closed) == 1);
  CHECK(hub.total(&Stats::subscriptions) == 2);
  CHECK_FALSE(slow.ended());
  // It gets whole frames up to the cut, then Close.
  slow.make_room();
  const Names got = slow.names();
  CHECK(got.size() < 20);
  CHECK(slow.close_code() == 4100);
  slow.send_close(4100);
  CHECK(slow.ended());
}

TEST_CASE("hub slow consumer: one that never reads again is cut") {
  HubHarness hub;
  TestClient slow(hub, 0, "reverb-key");
  slow.greeted().subscribe("c");
  slow.events();
  slow.wire.room = 0;
  for (int i = 0; i < 120; ++i) hub.publish(0, {"c"}, "e", std::string(10'000, 'x'));
  CHECK(hub.total(&Stats::slow_consumers_closed) == 1);
  hub.advance(HubShard::close_wait + 1s);
  CHECK(slow.ended());
}

TEST_CASE("hub slow consumer: one who talks but never reads is closed within two intervals") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe("c");
  client.events();
  client.wire.room = 0;
  hub.publish(0, {"c"}, "e", "x");
  for (int i = 0; i < 13; ++i) {
    hub.advance(10s);
    client.send_frame(Opcode::pong, "");
  }
  hub.advance(HubShard::close_wait + 1s);
  CHECK(client.ended());
  CHECK(hub.total(&Stats::slow_consumers_closed) == 1);
}

TEST_CASE("hub slow consumer: a burst in one turn is no offence for one who reads") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe("c");
  client.events();
  const std::string data(100'000, 'x');
  for (int i = 0; i < 50; ++i) {
    hub.shard().publish({"123456", {"c"}, "e", data, ""});  // 5 MB before the turn's end
  }
  hub.settle();
  CHECK(client.names() == Names(50, "e"));
  CHECK(hub.total(&Stats::slow_consumers_closed) == 0);
}

TEST_CASE("hub slow consumer: one who catches up gets everything in order") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe("c");
  client.events();
  client.wire.room = 0;
  Names expected;
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = i % 7 == 0 ? 5'000 : 20;  // copied and uncopied frames mixed
    hub.publish(0, {"c"}, "e" + std::to_string(i), std::string(size, 'x'));
    expected.push_back("e" + std::to_string(i));
    if (i % 3 == 0) client.make_room(1 + static_cast<std::size_t>(i) * 37 % 4'001);
  }
  client.make_room();
  CHECK(client.names() == expected);
}

TEST_CASE("hub sockets: the frames of a turn are one write") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().subscribe("c");
  client.events();
  client.wire.writes = 0;
  for (int i = 0; i < 50; ++i) hub.shard().publish({"123456", {"c"}, "e", "x", ""});
  hub.settle();
  CHECK(client.names().size() == 50);
  CHECK(client.wire.writes == 1);
}

TEST_CASE("hub sockets: one who floods is read in turns with others") {
  HubHarness hub;
  hub.app().max_message_size = 1'000'000;
  hub.adopt();
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  client.auto_settle = false;
  std::string flood;
  for (int i = 0; i < 40'000; ++i) flood += masked_frame(Opcode::pong, "0123456789");
  client.send_raw(flood);
  hub.run();
  CHECK(hub.has_mail(0));  // it asked to go on in the next turn
  CHECK(client.wire.to_hub.size() == flood.size() - 4 * HubShard::read_buffer_bytes);
  hub.settle();
  CHECK(client.wire.to_hub.empty());
}

TEST_CASE("hub terminate_user: closes the user's sockets on all workers, in whatever order [113]") {
  HubHarness hub(3);
  TestClient first(hub, 0, "reverb-key");
  TestClient second(hub, 1, "reverb-key");
  TestClient other(hub, 2, "reverb-key");
  first.greeted().subscribe("public-first");
  first.join("presence-room", "456");
  second.greeted().join("presence-room", R"("456")");
  other.greeted().join("presence-room", "457");
  CHECK(await_in(hub, hub.shard(2).terminate_user("123456", "456")) == 2);
  CHECK(first.close_code() == 4009);
  CHECK(second.close_code() == 4009);
  CHECK(other.close_code() == 0);
  CHECK(await_in(hub, hub.shard(2).terminate_user("123456", "nobody")) == 0);
  CHECK(await_in(hub, hub.shard(2).terminate_user("nowhere", "456")) == 0);
}

TEST_CASE("hub queries: channels, users and connections from any worker [109-112]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    TestClient a(hub, 0, "reverb-key");
    TestClient b(hub, workers - 1, "reverb-key");
    a.greeted().subscribe("news");
    b.greeted().subscribe("news");
    a.join("presence-room", "1");
    b.join("presence-room", R"("2")");
    b.subscribe_signed("presence-room", R"({"user_id":"2"})");
    HubShard& asked = hub.shard(workers / 2);
    CHECK(await_in(hub, asked.channels("123456", "")).size() == 2);
    const std::vector<ChannelInfo> presence = await_in(hub, asked.channels("123456", "presence-"));
    REQUIRE(presence.size() == 1);
    CHECK(presence[0].name == "presence-room");
    CHECK(presence[0].user_count == 2);
    CHECK(await_in(hub, asked.channel("123456", "news")).subscription_count == 2);
    CHECK_FALSE(await_in(hub, asked.channel("123456", "empty")).occupied);
    std::vector<std::string> users = await_in(hub, asked.channel_users("123456", "presence-room"));
    std::sort(users.begin(), users.end());
    CHECK(users == std::vector<std::string>{R"("2")", "1"});
    CHECK(await_in(hub, asked.connections("123456")) == 2);
    CHECK(await_in(hub, asked.connections("654321")) == 0);
    CHECK(await_in(hub, asked.channels("nowhere", "")).empty());
  }
}

TEST_CASE("hub drain: every socket gets Close 4200, spread over the time [119]") {
  HubHarness hub;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<TestClient>(hub, 0, "reverb-key"));
  }
  const auto closed = [&clients] {
    std::size_t count = 0;
    for (auto& client : clients) count += client->close_code() == 4200 ? 1 : 0;
    return count;
  };
  hub.shard().begin_drain(10s);
  hub.advance(5s);
  CHECK(closed() > 40);
  CHECK(closed() < 60);
  TestClient late(hub, 0, "reverb-key");
  CHECK(late.close_code() == 4100);
  hub.advance(6s);
  CHECK(closed() == 100);
  for (auto& client : clients) client->send_close(4200);
  late.send_close(4100);
  CHECK(hub.shard().open_sockets() == 0);
}

TEST_CASE("hub drain: without time all go at once, and abort_all cuts what stays") {
  HubHarness hub;
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 0, "reverb-key");
  b.wire.room = 0;
  hub.shard().begin_drain(0s);
  hub.settle();
  CHECK(a.close_code() == 4200);
  a.send_close(4200);
  CHECK(hub.shard().open_sockets() == 1);
  hub.shard().abort_all();
  hub.settle();
  CHECK(hub.shard().open_sockets() == 0);
}

TEST_CASE("hub queries: end when the shard is aborted, though others have stopped") {
  HubHarness hub(3);
  std::optional<std::vector<ChannelInfo>> result;
  spawn(store_result(hub.shard(0).channels("123456", ""), result));
  hub.run();
  CHECK_FALSE(result.has_value());
  hub.shard(0).abort_all();
  hub.run();
  CHECK(result.has_value());
  result.reset();
  spawn(store_result(hub.shard(0).channels("123456", ""), result));
  hub.run();
  CHECK(result.has_value());  // nor do later ones wait
  hub.settle();               // late answers are for nobody
}

TEST_CASE("hub adopt: only the sockets of a vanished app are closed") {
  HubHarness hub(3);
  TestClient a(hub, 0, "reverb-key");
  TestClient c(hub, 1, "reverb-key-3");
  a.greeted().subscribe("c");
  a.events();
  hub.app().secret = "another";
  hub.settings.apps.pop_back();
  hub.adopt();
  CHECK(c.close_code() == 4001);
  CHECK(a.close_code() == 0);
  CHECK(hub.shard().find_app_by_key("reverb-key-3") == nullptr);
  CHECK(hub.shard().find_app_by_id("123456")->secret == "another");
  hub.publish(2, {"c"}, "e", "x");
  CHECK(a.names() == Names{"e"});
  c.send_close(4001);
  CHECK(await_in(hub, hub.shard().connections("123456")) == 1);
}

TEST_CASE("hub adopt: a shard that has not adopted yet serves as a home already") {
  HubHarness hub(3);
  conf::Hub more = hub.settings;
  more.apps.push_back(more.apps[0]);
  more.apps.back().id = "new";
  more.apps.back().key = "new-key";
  hub.shard(0).adopt(std::make_shared<const conf::Hub>(more));
  TestClient client(hub, 0, "new-key");
  client.greeted();
  for (int i = 0; i < 20; ++i) client.subscribe("c" + std::to_string(i));
  CHECK(client.names() == Names(20, "pusher_internal:subscription_succeeded"));
}
