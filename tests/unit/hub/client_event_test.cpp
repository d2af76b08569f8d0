// Conformance items 69–81: events that clients send to each other.
#include <doctest/doctest.h>

#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

// Two members of one private channel, and one of a presence channel each.
struct Room {
  explicit Room(std::size_t workers)
      : hub(workers), a(hub, 0, "reverb-key"), b(hub, workers - 1, "reverb-key") {
    for (TestClient* client : {&a, &b}) {
      client->greeted().subscribe_signed("private-chat");
      client->join("presence-room", client == &a ? "7" : R"("8")");
    }
    a.events();
    b.events();
  }
  HubHarness hub;
  TestClient a;
  TestClient b;
};

}  // namespace

TEST_CASE("hub client event: goes to the other members with its data as a string [69]") {
  for (const std::size_t workers : {1, 3}) {
    Room room(workers);
    room.a.client_event("private-chat", "client-typing", R"({"name":"A"})");
    const std::vector<std::string> texts = room.b.take(Opcode::text);
    REQUIRE(texts.size() == 1);
    CHECK(texts[0] == R"({"event":"client-typing","data":"{\"name\":\"A\"}",)"
                      R"("channel":"private-chat"})");
    CHECK(room.a.names().empty());
  }
}

TEST_CASE("hub client event: presence members carry their signed user id [70]") {
  Room room(3);
  room.a.client_event("presence-room", "client-x", "{}");
  CHECK(room.b.only_event().at("user_id") == 7);
  room.b.client_event("presence-room", "client-x", "{}");
  CHECK(room.a.only_event().at("user_id") == "8");
}

TEST_CASE("hub client event: forged and unknown keys are not relayed [71, 79]") {
  Room room(1);
  room.a.send_text(R"({"event":"client-x","channel":"presence-room","data":{},"user_id":"1",)"
                   R"("channels":["private-chat","other"],"extra":true})");
  const json::object event = room.b.only_event();
  CHECK(event.at("user_id") == 7);
  CHECK(event.at("channel") == "presence-room");
  CHECK(event.size() == 4);
}

TEST_CASE("hub client event: only members may send [72]") {
  Room room(3);
  TestClient stranger(room.hub, 1, "reverb-key");
  stranger.greeted().client_event("private-chat", "client-x", "{}");
  CHECK(stranger.errors() == std::vector<std::int64_t>{4009});
  CHECK(room.a.names().empty());
  CHECK(room.b.names().empty());
}

TEST_CASE("hub client event: an app may forbid them [73]") {
  Room room(1);
  room.hub.app().client_events = conf::ClientEvents::none;
  room.hub.adopt();
  room.a.client_event("private-chat", "client-x", "{}");
  CHECK(room.a.errors() == std::vector<std::int64_t>{4301});
  CHECK(room.b.names().empty());
}

TEST_CASE("hub client event: data may be missing or any JSON [74, 77]") {
  Room room(1);
  room.a.send_text(R"({"event":"client-x","channel":"private-chat"})");
  CHECK(room.b.only_event().at("data").is_null());
  room.a.client_event("private-chat", "client-x", R"("{\"a\":1}")");
  CHECK(room.b.only_event().at("data") == json::object{{"a", 1}});
  room.a.client_event("private-chat", "client-x", R"("plain")");
  CHECK(room.b.only_event().at("data") == "plain");
  room.a.client_event("private-chat", "client-x", "[1,2]");
  CHECK(room.b.only_event().at("data") == json::array{1, 2});
  CHECK(room.a.names().empty());
}

TEST_CASE("hub client event: other names are ignored [75]") {
  Room room(1);
  room.a.send_text(R"({"event":"foo","channel":"private-chat","data":{}})");
  room.a.send_text(R"({"event":"pusher_internal:member_added","channel":"private-chat"})");
  CHECK(room.a.names().empty());
  CHECK(room.b.names().empty());
}

TEST_CASE("hub client event: the channel must be a string [76]") {
  Room room(1);
  for (const char* text : {R"({"event":"client-x","data":{}})",
                           R"({"event":"client-x","channel":["private-chat"],"data":{}})",
                           R"({"event":"client-x","channel":null,"data":{}})"}) {
    room.a.send_text(text);
    CHECK(room.a.errors() == std::vector<std::int64_t>{4200});
  }
}

TEST_CASE("hub client event: public channels only when the app accepts all [78]") {
  HubHarness hub;
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 0, "reverb-key");
  for (TestClient* client : {&a, &b}) {
    client->greeted().subscribe("open");
    client->events();
  }
  a.client_event("open", "client-x", "{}");
  CHECK(a.errors() == std::vector<std::int64_t>{4301});
  CHECK(b.names().empty());
  hub.app().client_events = conf::ClientEvents::all;
  hub.adopt();
  a.client_event("open", "client-x", "{}");
  CHECK(b.names() == Names{"client-x"});
  a.client_event("not-joined", "client-x", "{}");
  CHECK(a.errors() == std::vector<std::int64_t>{4009});
}

TEST_CASE("hub client event: an unsigned user id is never relayed [81]") {
  HubHarness hub;
  hub.app().client_events = conf::ClientEvents::all;
  hub.adopt();
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 0, "reverb-key");
  b.greeted().subscribe("open");
  b.events();
  a.greeted().send_text(R"({"event":"pusher:subscribe","data":{"channel":"open",)"
                        R"("channel_data":"{\"user_id\":\"X\"}"}})");
  a.client_event("open", "client-x", "{}");
  CHECK(b.only_event().if_contains("user_id") == nullptr);
}

TEST_CASE("hub client event: name and data have limits") {
  Room room(1);
  room.hub.app().max_message_size = 100'000;
  room.hub.adopt();
  room.a.client_event("private-chat", "client-" + std::string(194, 'x'), "{}");
  CHECK(room.a.errors() == std::vector<std::int64_t>{4301});
  room.a.client_event("private-chat", "client-x", quote(std::string(10 * 1024 + 1, 'x')));
  CHECK(room.a.errors() == std::vector<std::int64_t>{4301});
  CHECK(room.b.names().empty());
  room.a.client_event("private-chat", "client-" + std::string(193, 'x'),
                      quote(std::string(10 * 1024, 'x')));
  CHECK(room.b.names().size() == 1);
}
