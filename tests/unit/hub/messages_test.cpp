// Conformance items 17–29 and 89–95: frames, pings and malformed messages.
#include <doctest/doctest.h>

#include "hub/pusher_protocol.hpp"
#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

namespace {

using Codes = std::vector<std::int64_t>;

void check_usable(TestClient& client) {
  client.send_text(R"({"event":"pusher:ping"})");
  CHECK(client.names() == Names{"pusher:pong"});
  CHECK(client.close_code() == 0);
}

}  // namespace

TEST_CASE("hub frames: PING is answered by PONG with its payload [17]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.send_frame(Opcode::ping, "x");
  client.send_frame(Opcode::ping, "");
  CHECK(client.take(Opcode::pong) == std::vector<std::string>{"x", ""});
}

TEST_CASE("hub frames: an event is encoded once, whatever sockets and workers get it") {
  HubHarness hub(3);
  TestClient first(hub, 0, "reverb-key");
  TestClient second(hub, 0, "reverb-key");
  TestClient far(hub, 2, "reverb-key");
  for (TestClient* client : {&first, &second, &far}) {
    client->greeted().subscribe("c");
    client->events();
  }
  first.wire.room = 0;  // its frame waits, so a frame of another's cannot stand in its place
  hub.publish(1, {"c"}, "e", "{}");
  first.make_room();
  CHECK(first.names() == Names{"e"});
  CHECK(first.wire.last_written == second.wire.last_written);
  CHECK(first.wire.last_written == far.wire.last_written);
}

TEST_CASE("hub frames: an unsolicited PONG is ignored [18]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_frame(Opcode::pong, "late");
  CHECK(client.wire.to_client.empty());
  check_usable(client);
}

TEST_CASE("hub frames: violations close with the code of RFC 6455 [19-21, 24]") {
  HubHarness hub;
  const auto code_after = [&hub](const std::string& bytes) {
    TestClient client(hub, 0, "reverb-key");
    client.send_raw(bytes);
    CHECK(client.wire.hub_ended);  // our half is closed behind the Close frame
    const unsigned code = client.close_code();
    client.end();
    CHECK(client.ended());
    return code;
  };
  CHECK(code_after(std::string("\x81\x01x", 3)) == 1002);
  CHECK(code_after(masked_frame(Opcode::text, "\xff")) == 1007);
  CHECK(code_after(masked_frame(Opcode::text, std::string(10'100, ' '))) == 1009);
  const std::string half(6'000, ' ');
  CHECK(code_after(masked_frame(Opcode::text, half, false) +
                   masked_frame(Opcode::continuation, half)) == 1009);
}

TEST_CASE("hub frames: an app may accept larger messages [22]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key-2");
  client.greeted().send_text(R"({"event":"pusher:subscribe","data":{"channel":"c","pad":")" +
                             std::string(20'000, 'x') + R"("}})");
  CHECK(client.names() == Names{"pusher_internal:subscription_succeeded"});
}

TEST_CASE("hub frames: a message in three fragments with a PING between [23]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_frame(Opcode::text, R"({"event":)", false);
  client.send_frame(Opcode::continuation, R"("pusher:)", false);
  client.send_frame(Opcode::ping, "p");
  client.send_frame(Opcode::continuation, R"(ping"})");
  CHECK(client.take(Opcode::pong) == std::vector<std::string>{"p"});
  CHECK(client.names() == Names{"pusher:pong"});
}

TEST_CASE("hub frames: a binary frame is read as JSON too [25]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_frame(Opcode::binary, R"({"event":"pusher:ping"})");
  CHECK(client.names() == Names{"pusher:pong"});
}

TEST_CASE("hub frames: Close is echoed, the connection ends [26]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.subscribe("c");
  client.send_close(1000);
  CHECK(client.close_code() == 1000);
  CHECK(client.ended());
  CHECK(hub.total(&Stats::subscriptions) == 0);
  TestClient without_code(hub, 0, "reverb-key");
  without_code.send_frame(Opcode::close, "");
  CHECK(without_code.close_code() == 1005);
  CHECK(without_code.ended());
}

TEST_CASE("hub frames: bytes behind a Close are not read") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_raw(masked_frame(Opcode::close, "") +
                            masked_frame(Opcode::text, R"({"event":"pusher:ping"})"));
  CHECK(client.names().empty());
}

TEST_CASE("hub frames: whatever a client sends byte by byte is read like the whole") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const char byte : masked_frame(Opcode::text, R"({"event":"pusher:ping"})")) {
    client.send_raw({&byte, 1});
  }
  CHECK(client.names() == Names{"pusher:pong"});
}

TEST_CASE("hub messages: pusher:ping is answered, with or without data [27, 28]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const char* data : {"", R"(,"data":{})", R"(,"data":"{}")", R"(,"data":"")"}) {
    client.send_text(R"({"event":"pusher:ping")" + std::string(data) + "}");
    CHECK(client.names() == Names{"pusher:pong"});
  }
}

TEST_CASE("hub messages: pusher:pong has no answer [29]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_text(R"({"event":"pusher:pong","data":{}})");
  CHECK(client.names().empty());
}

TEST_CASE("hub messages: what is no message gets 4200 and the socket stays [89-92]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (const char* text :
       {"Hi", "", "5", R"("x")", "[]", "null", "{}", R"({"event":[]})", R"({"event":""})",
        R"({"event":"pusher:subscribe"})", R"({"event":"pusher:subscribe","data":"sfsfsfs"})",
        R"({"event":"pusher:subscribe","data":{"channel":[]}})",
        R"({"event":"pusher:subscribe","data":{"channel":null}})",
        R"({"event":"pusher:subscribe","data":{"channel":"c","auth":[]}})",
        R"({"event":"pusher:unsubscribe","data":{}})", R"({"event":"pusher:foo"})",
        R"({"event":"pusher:signin","data":{"auth":"a:b","user_data":"{}"}})",
        R"({"event":"pusher:ping"} trailing)"}) {
    CAPTURE(text);
    client.send_text(text);
    CHECK(client.errors() == Codes{4200});
  }
  check_usable(client);
}

TEST_CASE("hub messages: the data of an error is an object with code and message") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_text("Hi");
  CHECK(client.take(Opcode::text) ==
        std::vector<std::string>{
            R"({"event":"pusher:error","data":{"code":4200,"message":"Invalid message format"}})"});
}

TEST_CASE("hub messages: deeply nested JSON is refused [93]") {
  HubHarness hub;
  hub.app().max_message_size = 100'000;
  hub.adopt();
  TestClient client(hub, 0, "reverb-key");
  client.greeted().send_text(std::string(10'000, '['));
  client.send_text(R"({"event":"client-x","channel":"c","data":)" + std::string(10'000, '[') +
                   std::string(10'000, ']') + "}");
  CHECK(client.errors() == Codes{4200, 4200});
  check_usable(client);
}

TEST_CASE("hub messages: over the rate limit every message is answered 4301 [94]") {
  HubHarness hub;
  hub.app().messages = {3, Milliseconds(60'000)};
  hub.adopt();
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (int i = 0; i < 5; ++i) client.subscribe("c" + std::to_string(i));
  const std::vector<json::object> events = client.events();
  REQUIRE(events.size() == 5);
  CHECK(events[2].at("event") == "pusher_internal:subscription_succeeded");
  CHECK(events[3].at("data").as_object().at("code") == 4301);
  CHECK(events[4].at("data").as_object().at("code") == 4301);
  client.send_frame(Opcode::ping, "free");
  CHECK(client.take(Opcode::pong).size() == 1);
  coarse_clock().monotonic_ms += 60'000;
  check_usable(client);
}

TEST_CASE("hub messages: an app may close who is over the rate limit [94]") {
  HubHarness hub;
  hub.app().messages = {3, Milliseconds(60'000)};
  hub.app().close_over_messages = true;
  hub.adopt();
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (int i = 0; i < 5; ++i) client.send_text(R"({"event":"pusher:ping"})");
  CHECK(client.errors() == Codes{4301});
  CHECK(client.close_code() == 4301);
  CHECK(await_in(hub, hub.shard().connections("123456")) == 0);
}

TEST_CASE("hub messages: without a rate limit all are answered [95]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  client.greeted();
  for (int i = 0; i < 10; ++i) client.subscribe("c" + std::to_string(i));
  CHECK(client.names() == Names(10, "pusher_internal:subscription_succeeded"));
}

TEST_CASE("pusher_protocol: channel kinds go by prefix with its dash [56]") {
  CHECK(channel_kind("news") == ChannelKind::open);
  CHECK(channel_kind("private-x") == ChannelKind::private_);
  CHECK(channel_kind("private-encrypted-x") == ChannelKind::private_);
  CHECK(channel_kind("private-cache-x") == ChannelKind::private_);
  CHECK(channel_kind("presence-x") == ChannelKind::presence);
  CHECK(channel_kind("privateer") == ChannelKind::open);
  CHECK(channel_kind("presence") == ChannelKind::open);
}

TEST_CASE("pusher_protocol: a member keeps its JSON as it was") {
  InboundParser parser;
  MemberData member;
  CHECK(parser.parse_member(R"({"user_id":"a\"b","user_info":{"n":[1,true,null]},"x":1})",
                            member) == MemberCheck::ok);
  CHECK(member.key == "a\"b");
  CHECK(member.id == R"("a\"b")");
  CHECK(member.info == R"({"n":[1,true,null]})");
  CHECK(parser.parse_member(R"({"user_id":12345678901234567890})", member) == MemberCheck::ok);
  CHECK(member.key == "12345678901234567890");
  CHECK(member.info == "");
  CHECK(parser.parse_member("{", member) == MemberCheck::malformed);
  CHECK(parser.parse_member(R"({"user_id":true})", member) == MemberCheck::no_user_id);
}
