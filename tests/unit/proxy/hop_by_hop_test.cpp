#include "proxy/hop_by_hop.hpp"

#include <string>

#include <doctest/doctest.h>

#include "proxy/upstream_request.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

namespace {

std::string names(const http::HeaderList& fields) {
  std::string out;
  for (const http::Field& field : fields) out += std::string(field.name) + " ";
  return out;
}

}  // namespace

TEST_CASE("hop_by_hop: removes what belongs to one connection") {
  Arena arena;
  http::HeaderList fields(arena);
  for (const char* name :
       {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
        "Upgrade", "HTTP2-Settings", "Proxy", "Proxy-Authorization", "Proxy-Authenticate",
        "proxy-something", "Content-Length", "Server"}) {
    fields.add(name, "x");
  }
  for (const char* name : {"Content-Type", "Cookie", "Proxying", "X-Proxy-Thing", "Via", "ETag"}) {
    fields.add(name, "x");
  }
  clean_response_fields(fields, false);
  CHECK(names(fields) == "Content-Type Cookie Proxying X-Proxy-Thing Via ETag ");
}

TEST_CASE("hop_by_hop: removes what Connection nominates, but neither Host nor framing") {
  Arena arena;
  http::HeaderList fields(arena);
  fields.add("X-One", "1");
  fields.add("Connection", "close, X-One , x-TWO, Host, Content-Length,, X-Absent");
  fields.add("X-Two", "2");
  fields.add("Host", "a");
  fields.add("Content-Length", "3");
  fields.add("X-Three", "3");
  const NominatedFields nominated(fields);
  CHECK(nominated.contain({"x-one", "", http::FieldId::other}));
  CHECK(nominated.contain({"X-Two", "", http::FieldId::other}));
  CHECK_FALSE(nominated.contain({"X-Three", "", http::FieldId::other}));
  CHECK_FALSE(nominated.contain({"Host", "a", http::FieldId::host}));
  CHECK_FALSE(nominated.contain({"Content-Length", "3", http::FieldId::content_length}));
  clean_response_fields(fields, false);
  CHECK(names(fields) == "Host X-Three ");
}

TEST_CASE("upstream_request: frames and fields are written anew") {
  struct Case {
    const char* field;
    const char* value;
    bool passes;
  };
  const Case cases[] = {
      {"Accept", "*/*", true},
      {"Authorization", "Basic eA==", true},
      {"Connection", "X-Forwarded-For, Cookie", false},
      {"Cookie", "nominated", false},
      {"TE", "trailers", false},
      {"Proxy", "http://evil", false},
      {"Forwarded", "for=evil", false},
      {"X-Real-IP", "192.0.2.1", false},
      {"X-Forwarded-Prefix", "/evil", false},
      {"X-Forwarded-Port", "1", false},
      {"Transfer-Encoding", "chunked", false},
      {"Content-Length", "7", false},
      {"Host", "other", false},
      {"Upgrade", "h2c", false},
  };
  FakeExchange exchange("GET", "/", "a.example");
  for (const Case& c : cases) exchange.request.headers.add(c.field, c.value);
  net::Loop loop;
  UpstreamSettings settings;
  settings.text = settings.host = "127.0.0.1";
  settings.port = 80;
  const Explained<PoolRef> pool = UpstreamPool::create(loop, settings);
  REQUIRE(pool);
  const UpstreamRequest made = make_upstream_request(exchange, **pool, HeaderEdits(), {});
  for (const Case& c : cases) {
    CAPTURE(c.field);
    bool found = false;
    for (const http::Field& field : made.fields) {
      found = found || (field.name == c.field && field.value == c.value);
    }
    CHECK(found == c.passes);
  }
  CHECK(made.fields.value(http::FieldId::host) == "a.example");
  CHECK(made.fields.value(http::FieldId::x_forwarded_for) == "203.0.113.9");
  CHECK(made.body == http::BodyFraming{});
}

TEST_CASE("upstream_request: an https upstream is called by its own name") {
  net::Loop loop;
  FakeExchange exchange("POST", "/", "a.example");
  UpstreamSettings settings;
  settings.tls = true;
  settings.insecure = true;
  settings.host = "inner.example";
  settings.port = 8443;
  const Explained<PoolRef> pool = UpstreamPool::create(loop, settings);
  REQUIRE(pool);
  const UpstreamRequest made = make_upstream_request(exchange, **pool, HeaderEdits(), {});
  CHECK(made.fields.value(http::FieldId::host) == "inner.example:8443");
  CHECK(made.body == http::BodyFraming{http::BodyKind::length, 0});
}

TEST_CASE("upstream_request: extended CONNECT becomes an upgrade with a key of its own") {
  FakeExchange exchange("CONNECT", "/ws", "a");
  exchange.request.version = http::Version::http_2;
  exchange.request.protocol = "websocket";
  exchange.request.headers.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  const UpgradeRequest upgrade = find_upgrade(exchange);
  CHECK(upgrade.protocol == "websocket");
  CHECK(upgrade.websocket_key.size() == 24);
  http::Response response(exchange.arena);
  response.status = 101;
  response.headers.add("Upgrade", "WebSocket");
  response.headers.add("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK_FALSE(accepts_upgrade(response, upgrade));
  UpgradeRequest known = upgrade;
  known.websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
  CHECK(accepts_upgrade(response, known));
}
