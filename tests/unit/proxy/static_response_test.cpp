#include "proxy/static_response.hpp"

#include <doctest/doctest.h>

#include "proxy/header_edits.hpp"
#include "proxy/redirect.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;
using portero::proxy::test::handle;

namespace {

std::string location(const char* to, const char* target) {
  FakeExchange exchange("GET", target, "www.example");
  Redirect redirect(conf::Redirect{to, 308});
  handle(redirect, exchange);
  CHECK(exchange.status == 308);
  return exchange.header("Location");
}

}  // namespace

TEST_CASE("static_response: answers with status, fields and text") {
  conf::Respond settings;
  settings.status = 418;
  settings.body = "no {method} for {client_ip}";
  settings.headers = {{"X-Path", "{path}"}};
  StaticResponse handler(settings);
  FakeExchange exchange("GET", "/tea", "a");
  handle(handler, exchange);
  CHECK(exchange.status == 418);
  CHECK(exchange.body == "no GET for 203.0.113.9");
  CHECK(exchange.header("X-Path") == "/tea");
  CHECK(exchange.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(exchange.ended);

  FakeExchange head("HEAD", "/tea", "a");
  handle(handler, head);
  CHECK(head.body.empty());
}

TEST_CASE("static_response: a client's words are no markup in a page") {
  conf::Respond settings;
  settings.body = "<p>{query.q}</p>";
  settings.headers = {{"content-type", "text/html"}};
  StaticResponse handler(settings);
  FakeExchange exchange("GET", "/?q=%3Cscript%3E", "a");
  handle(handler, exchange);
  CHECK(exchange.body == "<p>&lt;script&gt;</p>");
}

TEST_CASE("redirect: keeps path and query as they were sent") {
  CHECK(location("https://example{uri}", "/a%20b?c=%2F") == "https://example/a%20b?c=%2F");
  CHECK(location("/new{path}", "/a%20b?c") == "/new/a%20b");
  CHECK(location("https://{host}:8443{uri}", "/") == "https://www.example:8443/");
}

TEST_CASE("redirect: a path that looks like a host leads nowhere else") {
  CHECK(location("{uri}", "//evil.example/x") == "/evil.example/x");
  CHECK(location("{uri}", "/\\evil.example") == "/evil.example");
  CHECK(location("{uri}", "///\\/evil.example") == "/evil.example");
  CHECK(location("{path}", "/%2Fevil.example") == "/evil.example");
}

TEST_CASE("headers: removes, sets and adds, in this order") {
  conf::HeaderEdit edit;
  edit.remove = {"X-Powered-By", "server"};
  edit.set = {{"X-Old", "was {header.X-Sent}"}, {"Vary", "a"}};
  edit.add = {{"Vary", "b"}};
  const ResponseHeaders step(edit);
  FakeExchange exchange("GET", "/", "a");
  exchange.request.headers.add("X-Sent", "1");
  http::Response response(exchange.arena);
  response.headers.add("X-Powered-By", "PHP");
  response.headers.add("x-powered-by", "PHP");
  response.headers.add("X-Old", "0");
  step.apply(exchange, response);
  std::string out;
  for (const http::Field& field : response.headers) {
    out += std::string(field.name) + "=" + std::string(field.value) + ";";
  }
  CHECK(out == "X-Old=was 1;Vary=a;Vary=b;");
  CHECK_FALSE(response.server_header);
}
