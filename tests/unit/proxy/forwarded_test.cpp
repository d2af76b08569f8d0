#include "proxy/forwarded.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

namespace {

http::ConnectionInfo peer(const char* address) {
  http::ConnectionInfo info;
  info.peer = *IpAddress::parse(address);
  return info;
}

const std::vector<std::string> private_networks = {"10.0.0.0/8", "fd00::/8"};

std::string client_of(const http::ConnectionInfo& info, const std::vector<std::string>& values) {
  FakeExchange exchange("GET", "/", "a", info);
  for (const std::string& value : values) exchange.request.headers.add("X-Forwarded-For", value);
  identify_client(exchange, TrustedProxies(private_networks));
  return exchange.request.client_ip.to_string();
}

}  // namespace

TEST_CASE("forwarded: the client is the right-most address that nobody vouches for") {
  const http::ConnectionInfo stranger = peer("203.0.113.9");
  const http::ConnectionInfo balancer = peer("10.0.0.1");
  CHECK(client_of(stranger, {"192.0.2.1"}) == "203.0.113.9");
  CHECK(client_of(balancer, {}) == "10.0.0.1");
  CHECK(client_of(balancer, {"192.0.2.1"}) == "192.0.2.1");
  CHECK(client_of(balancer, {"198.51.100.7, 192.0.2.1"}) == "192.0.2.1");
  CHECK(client_of(balancer, {"198.51.100.7, 192.0.2.1, 10.9.9.9"}) == "192.0.2.1");
  CHECK(client_of(balancer, {"192.0.2.1", "10.9.9.9"}) == "192.0.2.1");
  CHECK(client_of(balancer, {"10.1.1.1, 10.2.2.2"}) == "10.1.1.1");
  CHECK(client_of(balancer, {"192.0.2.1:4711"}) == "192.0.2.1");
  CHECK(client_of(balancer, {"[2001:db8::1]:4711"}) == "2001:db8::1");
  CHECK(client_of(balancer, {"2001:db8::1"}) == "2001:db8::1");
  CHECK(client_of(balancer, {"192.0.2.1, unknown"}) == "10.0.0.1");
  CHECK(client_of(balancer, {"192.0.2.1, unknown, 10.3.3.3"}) == "10.3.3.3");
  CHECK(client_of(balancer, {" , 192.0.2.1 , "}) == "192.0.2.1");
}

TEST_CASE("forwarded: what a stranger says about itself is replaced") {
  FakeExchange exchange("GET", "/", "a.example:81");
  exchange.request.headers.add("X-Forwarded-For", "192.0.2.1");
  exchange.request.headers.add("X-Forwarded-Proto", "https");
  exchange.request.headers.add("X-Forwarded-Host", "evil");
  identify_client(exchange, TrustedProxies(private_networks));
  http::HeaderList up(exchange.arena);
  add_forwarded_fields(exchange, up);
  CHECK(up.value(http::FieldId::x_forwarded_for) == "203.0.113.9");
  CHECK(up.value(http::FieldId::x_forwarded_proto) == "http");
  CHECK(up.value(http::FieldId::x_forwarded_host) == "a.example:81");
}

TEST_CASE("forwarded: what a trusted proxy says is kept, and it is added to the list") {
  const http::ConnectionInfo info = peer("10.0.0.1");
  FakeExchange exchange("GET", "/", "inner", info);
  exchange.request.headers.add("X-Forwarded-For", "192.0.2.1");
  exchange.request.headers.add("X-Forwarded-For", "10.5.5.5");
  exchange.request.headers.add("X-Forwarded-Proto", "https");
  exchange.request.headers.add("X-Forwarded-Host", "shop.example");
  identify_client(exchange, TrustedProxies(private_networks));
  http::HeaderList up(exchange.arena);
  add_forwarded_fields(exchange, up);
  CHECK(up.value(http::FieldId::x_forwarded_for) == "192.0.2.1, 10.5.5.5, 10.0.0.1");
  CHECK(up.value(http::FieldId::x_forwarded_proto) == "https");
  CHECK(up.value(http::FieldId::x_forwarded_host) == "shop.example");
}
