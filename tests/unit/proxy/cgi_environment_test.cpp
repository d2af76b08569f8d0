#include "proxy/cgi_environment.hpp"

#include <map>

#include <doctest/doctest.h>

#include "proxy/fastcgi_codec.hpp"
#include "proxy/forwarded.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;

namespace {

using Variables = std::map<std::string, std::string>;

CgiScript script_of(http::Exchange& exchange) {
  CgiScript script;
  script.target.kind = PhpTarget::Kind::script;
  script.target.script = "/index.php";
  script.target.query = exchange.request.query;
  script.document_root = "/srv/app/public";
  return script;
}

Variables environment(http::Exchange& exchange, const CgiScript& script,
                      const CgiSettings& settings = {}) {
  Buffer params;
  append_cgi_environment(exchange, settings, script, params);
  const std::optional<FastCgiParams> parsed = parse_params(params.readable());
  REQUIRE(parsed);
  Variables variables;
  for (const auto& [name, value] : *parsed) {
    CAPTURE(name);
    CHECK(variables.emplace(name, value).second);  // each only once
  }
  return variables;
}

}  // namespace

TEST_CASE("cgi_environment: a plain request has all that PHP looks for") {
  test::FakeExchange exchange("GET", "/users?page=2", "Shop.example:8080");
  CgiScript script = script_of(exchange);
  Variables seen = environment(exchange, script);
  const Variables expected{{"GATEWAY_INTERFACE", "CGI/1.1"},
                           {"REDIRECT_STATUS", "200"},
                           {"REQUEST_METHOD", "GET"},
                           {"REQUEST_URI", "/users?page=2"},
                           {"QUERY_STRING", "page=2"},
                           {"SCRIPT_NAME", "/index.php"},
                           {"SCRIPT_FILENAME", "/srv/app/public/index.php"},
                           {"DOCUMENT_URI", "/index.php"},
                           {"DOCUMENT_ROOT", "/srv/app/public"},
                           {"SERVER_SOFTWARE", "portero"},
                           {"SERVER_PROTOCOL", "HTTP/1.1"},
                           {"SERVER_NAME", "shop.example"},
                           {"SERVER_PORT", "80"},
                           {"REMOTE_ADDR", "203.0.113.9"},
                           {"REMOTE_PORT", "0"},
                           {"REQUEST_SCHEME", "http"},
                           {"CONTENT_TYPE", ""},
                           {"CONTENT_LENGTH", ""},
                           {"HTTP_HOST", "Shop.example:8080"},
                           {"HTTP_X_FORWARDED_FOR", "203.0.113.9"},
                           {"HTTP_X_FORWARDED_PROTO", "http"},
                           {"HTTP_X_FORWARDED_HOST", "Shop.example:8080"}};
  seen.erase("SERVER_ADDR");
  CHECK(seen == expected);
}

TEST_CASE("cgi_environment: a body gives its length and type, a path behind the script its info") {
  test::FakeExchange exchange("POST", "/index.php/a/b", "a.example");
  exchange.request.headers.add("Content-Type", "text/plain");
  exchange.request.headers.add("Content-Length", "99");
  CgiScript script = script_of(exchange);
  script.target.path_info = "/a/b";
  script.body_bytes = 0;
  script.has_body = true;
  const Variables seen = environment(exchange, script);
  CHECK(seen.at("CONTENT_LENGTH") == "0");
  CHECK(seen.at("CONTENT_TYPE") == "text/plain");
  CHECK(seen.at("PATH_INFO") == "/a/b");
  CHECK(seen.at("PATH_TRANSLATED") == "/srv/app/public/a/b");
  CHECK(seen.at("DOCUMENT_URI") == "/index.php/a/b");
  CHECK_FALSE(seen.contains("HTTP_CONTENT_LENGTH"));
}

TEST_CASE("cgi_environment: REQUEST_URI is what the client sent, before any rewrite") {
  test::FakeExchange exchange("GET", "/new?x", "a.example");
  exchange.request.original_target = "/old/%41?y";
  CHECK(environment(exchange, script_of(exchange)).at("REQUEST_URI") == "/old/%41?y");
}

TEST_CASE("cgi_environment: only names of letters, digits and dashes become variables") {
  test::FakeExchange exchange("GET", "/", "a.example");
  http::HeaderList& headers = exchange.request.headers;
  for (const char* name : {"Remote-User", "X-Fine-2", "Remote_User", "X.Dotted", "Proxy", "PROXY",
                           "X_Forwarded_For", "Connection", "X-Hop", "Keep-Alive", "TE", "X!Odd",
                           "X-Forwarded-Port", "Proxy-Authorization"}) {
    headers.add(name, std::string_view(name) == "Connection" ? "X-Hop" : "v");
  }
  const Variables seen = environment(exchange, script_of(exchange));
  CHECK(seen.at("HTTP_REMOTE_USER") == "v");
  CHECK(seen.at("HTTP_X_FINE_2") == "v");
  for (const char* name :
       {"HTTP_X_DOTTED", "HTTP_PROXY", "HTTP_CONNECTION", "HTTP_X_HOP", "HTTP_KEEP_ALIVE",
        "HTTP_TE", "HTTP_X_FORWARDED_PORT", "HTTP_PROXY_AUTHORIZATION"}) {
    CAPTURE(name);
    CHECK_FALSE(seen.contains(name));
  }
  CHECK(seen.at("HTTP_X_FORWARDED_FOR") == "203.0.113.9");
}

TEST_CASE("cgi_environment: a field that stands several times is one variable") {
  test::FakeExchange exchange("GET", "/", "a.example");
  exchange.request.headers.add("Cookie", "a=1");
  exchange.request.headers.add("X-List", "1");
  exchange.request.headers.add("cookie", "b=2");
  exchange.request.headers.add("x-list", "2");
  const Variables seen = environment(exchange, script_of(exchange));
  CHECK(seen.at("HTTP_COOKIE") == "a=1; b=2");
  CHECK(seen.at("HTTP_X_LIST") == "1, 2");
}

TEST_CASE("cgi_environment: a trusted proxy speaks for its client, any other does not") {
  for (const bool trusted : {true, false}) {
    test::FakeExchange exchange("GET", "/", "a.example");
    exchange.request.headers.add("X-Forwarded-For", "198.51.100.66, 198.51.100.7");
    exchange.request.headers.add("X-Forwarded-Proto", "https");
    identify_client(exchange, trusted ? TrustedProxies({"203.0.113.0/24"}) : TrustedProxies());
    const Variables seen = environment(exchange, script_of(exchange));
    const std::string client = trusted ? "198.51.100.7" : "203.0.113.9";
    CHECK(seen.at("REMOTE_ADDR") == client);
    CHECK(seen.at("HTTP_X_FORWARDED_FOR") == client);
    CHECK(seen.at("REQUEST_SCHEME") == (trusted ? "https" : "http"));
    CHECK(seen.contains("HTTPS") == trusted);
  }
}

TEST_CASE("cgi_environment: env of the site file adds and replaces, headers_up changes fields") {
  test::FakeExchange exchange("GET", "/", "a.example");
  exchange.request.headers.add("X-Old", "1");
  CgiSettings settings;
  settings.env.emplace_back("APP_ENV", Template("production"));
  settings.env.emplace_back("SERVER_NAME", Template("from {host}"));
  conf::HeaderEdit edit;
  edit.set.emplace_back("X-Tenant", "{host}");
  edit.remove.emplace_back("X-Old");
  settings.headers_up = HeaderEdits(edit);
  const Variables seen = environment(exchange, script_of(exchange), settings);
  CHECK(seen.at("APP_ENV") == "production");
  CHECK(seen.at("SERVER_NAME") == "from a.example");
  CHECK(seen.at("HTTP_X_TENANT") == "a.example");
  CHECK_FALSE(seen.contains("HTTP_X_OLD"));
}
