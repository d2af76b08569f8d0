// Conformance items 1–18: the handshake and its errors.
#include <doctest/doctest.h>

#include "hub/hub_traffic.hpp"
#include "hub/identity.hpp"
#include "unit/hub/hub_harness.hpp"

using namespace portero;
using namespace portero::hub;
using namespace portero::hub::test;

TEST_CASE("hub handshake: 101, then connection_established with a socket id [1, 13]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  CHECK(client.status == 101);
  const json::object greeting = client.only_event();
  CHECK(greeting.at("event") == "pusher:connection_established");
  const json::object& data = greeting.at("data").as_object();
  CHECK(data.at("activity_timeout") == 30);
  CHECK(static_cast<bool>(SocketId::parse(std::string(data.at("socket_id").as_string()))));
}

TEST_CASE("hub handshake: the data of the greeting is a JSON string [1]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key");
  const std::vector<std::string> texts = client.take(Opcode::text);
  REQUIRE(texts.size() == 1);
  CHECK(json::parse(texts[0]).as_object().at("data").is_string());
}

TEST_CASE("hub handshake: socket ids differ [2]") {
  HubHarness hub;
  TestClient a(hub, 0, "reverb-key");
  TestClient b(hub, 0, "reverb-key");
  CHECK(a.id() != b.id());
}

TEST_CASE("hub handshake: an unknown key gets error and Close 4001 [3]") {
  HubHarness hub;
  TestClient client(hub, 0, "nonsense");
  CHECK(client.status == 101);
  CHECK(client.errors() == std::vector<std::int64_t>{4001});
  CHECK(client.close_code() == 4001);
  client.send_close(4001);
  CHECK(client.ended());
  CHECK(hub.total(&Stats::connections) == 0);
}

TEST_CASE("hub handshake: a key of an app that another site serves is unknown") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key", {.apps = {false, {"654321"}}});
  CHECK(client.close_code() == 4001);
}

TEST_CASE("hub handshake: a closed connection that never answers ends by itself") {
  HubHarness hub;
  TestClient client(hub, 0, "nonsense");
  CHECK_FALSE(client.ended());
  hub.advance(HubShard::close_wait + Milliseconds(500));
  CHECK(client.ended());
}

TEST_CASE("hub handshake: the origin decides by host alone [4-8]") {
  HubHarness hub;
  const auto accepted = [&hub](const std::string& origin) {
    TestClient client(hub, 0, "reverb-key-3", {.origin = origin});
    const unsigned code = client.close_code();
    CHECK((code == 0 || code == 4009));
    CHECK(client.errors().size() == (code == 0 ? 0 : 1));
    return code == 0;
  };
  CHECK_FALSE(accepted(""));
  CHECK(accepted("http://laravel.com"));
  CHECK(accepted("https://laravel.com:8443"));
  CHECK(accepted("https://LARAVEL.com"));
  CHECK_FALSE(accepted("http://sub.laravel.com"));
  CHECK_FALSE(accepted("http://laravel.com.evil.example"));
  CHECK_FALSE(accepted("null"));
  hub.app(2).allowed_origins = {"*.laravel.com"};
  hub.adopt();
  CHECK_FALSE(accepted("http://laravel.com"));
  CHECK(accepted("http://sub.laravel.com"));
}

TEST_CASE("hub handshake: a refused origin can do nothing [9]") {
  HubHarness hub;
  TestClient client(hub, 0, "reverb-key-3", {.origin = "http://evil.example"});
  CHECK(client.errors() == std::vector<std::int64_t>{4009});
  client.subscribe("news");
  CHECK(client.names().empty());
  CHECK(client.close_code() == 4009);
  CHECK(hub.total(&Stats::channels) == 0);
}

TEST_CASE("hub handshake: every open socket counts against the app's limit [10-12]") {
  for (const std::size_t workers : {1, 3}) {
    HubHarness hub(workers);
    {
      TestClient first(hub, 0, "reverb-key-2");
      TestClient second(hub, workers - 1, "reverb-key-2");
      CHECK(second.errors() == std::vector<std::int64_t>{4004});
      CHECK(second.close_code() == 4004);
      CHECK(first.close_code() == 0);
    }
    TestClient third(hub, 0, "reverb-key-2");
    CHECK(third.names() == Names{"pusher:connection_established"});
  }
}

TEST_CASE("hub handshake: connections of one address are limited, others not") {
  HubHarness hub(3);
  hub.app().connections_per_ip = 1;
  hub.adopt();
  TestClient first(hub, 0, "reverb-key");
  TestClient other(hub, 1, "reverb-key", {.address = "192.0.2.2"});
  CHECK(other.close_code() == 0);
  {
    TestClient second(hub, 2, "reverb-key");
    CHECK(second.close_code() == 4100);
  }
  first.cut();
  TestClient third(hub, 2, "reverb-key");
  CHECK(third.close_code() == 0);
}

TEST_CASE("ws_upgrade: switches protocols as RFC 6455 says, without a subprotocol [16]") {
  HubHarness hub;
  Handshake handshake;
  handshake.set("Sec-WebSocket-Protocol", "pusher, other");
  handshake.set("Sec-WebSocket-Extensions", "permessage-deflate");
  handshake.answer(hub.shard());
  CHECK(handshake.exchange.status_sent == 101);
  CHECK(handshake.exchange.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(handshake.exchange.header("Upgrade") == "websocket");
  CHECK(handshake.exchange.header("Connection") == "Upgrade");
  CHECK(handshake.exchange.header("Sec-WebSocket-Protocol") == "");
  CHECK(handshake.exchange.header("Sec-WebSocket-Extensions") == "");
  CHECK(handshake.exchange.takeover != nullptr);
}

TEST_CASE("ws_upgrade: a WebSocket over HTTP/2 is answered 200 and needs no key") {
  HubHarness hub;
  Handshake handshake;
  http::Request& request = handshake.exchange.request;
  request.method = http::Method::connect;
  request.version = http::Version::http_2;
  request.protocol = "websocket";
  request.body = http::BodyKind::chunked;
  request.headers.clear();
  request.headers.add("sec-websocket-version", "13");
  handshake.answer(hub.shard());
  CHECK(handshake.exchange.status_sent == 200);
  CHECK(handshake.exchange.fields_sent.empty());
  CHECK(handshake.exchange.takeover != nullptr);
}

TEST_CASE("ws_upgrade: version 12 is answered 426 and the version that works [14]") {
  HubHarness hub;
  Handshake handshake;
  handshake.set("Sec-WebSocket-Version", "12");
  handshake.answer(hub.shard());
  CHECK(handshake.exchange.status_sent == 426);
  CHECK(handshake.exchange.header("Sec-WebSocket-Version") == "13");
  CHECK(handshake.exchange.takeover == nullptr);
}

TEST_CASE("ws_upgrade: a plain GET says in one line what is missing [15]") {
  HubHarness hub;
  Handshake handshake;
  handshake.path("/app/test");
  handshake.exchange.request.headers.clear();
  handshake.answer(hub.shard());
  CHECK(handshake.exchange.status_sent == 426);
  const std::string& body = handshake.exchange.body;
  CHECK(body.find("no WebSocket upgrade") != std::string::npos);
  CHECK(body.find("not the key of any app") != std::string::npos);
  CHECK(body.find('\n') == body.size() - 1);
}

TEST_CASE("ws_upgrade: a key that is not 16 bytes in base64 is named [14]") {
  HubHarness hub;
  for (const char* key : {"test", "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZ===",
                          "dGhlIHNhbXBsZSBub25jZQ== "}) {
    Handshake handshake;
    handshake.path("/app/test");
    handshake.set("Sec-WebSocket-Key", key);
    handshake.answer(hub.shard());
    CHECK(handshake.exchange.status_sent == 400);
    CHECK(handshake.exchange.body.find("Sec-WebSocket-Key must be 16") != std::string::npos);
    CHECK(handshake.exchange.takeover == nullptr);
  }
}

TEST_CASE("ws_upgrade: other methods get 405 with Allow, other paths 404") {
  HubHarness hub;
  Handshake post;
  post.exchange.request.method = http::Method::post;
  post.answer(hub.shard());
  CHECK(post.exchange.status_sent == 405);
  CHECK(post.exchange.header("Allow") == "GET");
  for (const char* path : {"/", "/app", "/app/", "/app/a/b", "/ws/app/reverb-key"}) {
    Handshake handshake;
    handshake.path(path);
    handshake.answer(hub.shard());
    CHECK(handshake.exchange.status_sent == 404);
  }
}

TEST_CASE("hub_traffic: a site keeps its own pages under /app and /apps") {
  HubHarness hub;
  const conf::HubRef all{true, {}};
  const auto is_hub = [&](const char* path, bool upgrade, const char* extra = nullptr) {
    Handshake handshake;
    handshake.path(path);
    if (!upgrade) handshake.exchange.request.headers.clear();
    if (extra != nullptr) handshake.exchange.request.headers.add(extra, "x");
    return is_hub_traffic(handshake.exchange.request, hub.shard(), all);
  };
  CHECK(is_hub("/app/reverb-key", true));
  CHECK(is_hub("/app/unknown", true));
  CHECK(is_hub("/app/reverb-key", false));
  CHECK_FALSE(is_hub("/app/settings", false));
  CHECK(is_hub("/app/settings", false, "Sec-WebSocket-Key"));
  CHECK_FALSE(is_hub("/app/settings/profile", true));
  CHECK_FALSE(is_hub("/application/x", true));
  CHECK(is_hub("/apps/123456/events", false));
  CHECK(is_hub("/apps/123456/channels/news/users", false));
  CHECK_FALSE(is_hub("/apps/1/events", false));
  CHECK_FALSE(is_hub("/apps/123456/other", false));
  CHECK_FALSE(is_hub("/apps", false));
  CHECK_FALSE(is_hub("/up", false));
}

TEST_CASE("hub_traffic: an app that the site does not serve is none of its hub's") {
  HubHarness hub;
  Handshake handshake;
  handshake.path("/apps/123456/events");
  CHECK_FALSE(is_hub_traffic(handshake.exchange.request, hub.shard(), {false, {"654321"}}));
  CHECK(is_hub_traffic(handshake.exchange.request, hub.shard(), {false, {"123456"}}));
}
