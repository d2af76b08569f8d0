#include "acme/problem.hpp"

#include <doctest/doctest.h>

using namespace portero::acme;

namespace {

HttpResponse refusal(std::string body, std::string retry_after = "") {
  HttpResponse response;
  response.status = 403;
  response.body = std::move(body);
  if (!retry_after.empty()) response.headers.emplace_back("retry-after", retry_after);
  return response;
}

}  // namespace

TEST_CASE("problem: says what the server said and what to do") {
  const AcmeFailure failure = failure_of(
      refusal(R"({"type":"urn:ietf:params:acme:error:caa","detail":"CAA record forbids it"})"),
      "https://ca/order", 0);
  CHECK(failure.type == "caa");
  CHECK(failure.is_validation());
  CHECK(std::string(failure.what()).starts_with("CAA record forbids it (a CAA record of the"));
}

TEST_CASE("problem: subproblems are told with their names") {
  const AcmeFailure failure = failure_of(
      refusal(R"({"type":"urn:ietf:params:acme:error:compound","detail":"two","subproblems":[
                {"type":"urn:ietf:params:acme:error:dns","detail":"no A",
                 "identifier":{"type":"dns","value":"a.example"}}]})"),
      "https://ca/order", 0);
  CHECK(std::string(failure.what()).ends_with("; a.example: no A"));
}

TEST_CASE("problem: an answer that is no problem document is told by its status") {
  const AcmeFailure failure = failure_of(refusal("<html>"), "https://ca/order", 0);
  CHECK(std::string(failure.what()) == "https://ca/order answered 403");
  CHECK(failure.type.empty());
  CHECK_FALSE(failure.is_validation());
}

TEST_CASE("problem: Retry-After is seconds or a date, and bounded") {
  CHECK(retry_after_of(refusal(""), 0).count() == 0);
  CHECK(retry_after_of(refusal("", "120"), 0).count() == 120);
  CHECK(retry_after_of(refusal("", "Sun, 06 Nov 1994 08:49:37 GMT"), 784111700).count() == 77);
  CHECK(retry_after_of(refusal("", "Sun, 06 Nov 1994 08:49:37 GMT"), 800000000).count() == 0);
  CHECK(retry_after_of(refusal("", "99999999999"), 0).count() == 30L * 24 * 3600);
  CHECK(retry_after_of(refusal("", "soon"), 0).count() == 0);
}
