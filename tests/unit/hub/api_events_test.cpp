#include "hub/api_events.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero::hub;

namespace {

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

ApiAnswer fault_of(std::string_view body) {
  const ApiEvents parsed = parse_event(body, "3");
  return parsed.fault.value_or(ApiAnswer{});
}

std::string channels_of(std::size_t count) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) list += ',';
    list += "\"c" + std::to_string(i) + "\"";
  }
  return R"({"name":"e","data":"d","channels":[)" + list + "]}";
}

std::string batch_of(std::size_t count) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) list += ',';
    list += R"({"name":"e","data":"d","channel":"c"})";
  }
  return "{\"batch\":[" + list + "]}";
}

}  // namespace

TEST_CASE("api_events: reads an event with its data verbatim") {
  const ApiEvents parsed = parse_event(
      R"({"name":"App\\Events\\Paid","data":"{\"a\": \"\u00e9\\n\"}","channels":["a","private-b"],)"
      R"("socket_id":"1.2","info":"subscription_count,user_count,other"})",
      "3");
  REQUIRE_FALSE(parsed.fault);
  REQUIRE(parsed.events.size() == 1);
  const ApiEvent& event = parsed.events.front();
  CHECK(event.publish.app_id == "3");
  CHECK(event.publish.event == R"(App\Events\Paid)");
  CHECK(event.publish.data == "{\"a\": \"\u00e9\\n\"}");
  CHECK(event.publish.channels == std::vector<std::string>{"a", "private-b"});
  CHECK(event.publish.except_socket_id == "1.2");
  CHECK(event.info.subscription_count);
  CHECK(event.info.user_count);
}

TEST_CASE("api_events: channels wins over channel, and a channel counts once") {
  const ApiEvents both =
      parse_event(R"({"name":"e","data":"","channel":"x","channels":["a","b","a"]})", "3");
  REQUIRE_FALSE(both.fault);
  CHECK(both.events[0].publish.channels == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(both.events[0].info.any());

  const ApiEvents one = parse_event(R"({"name":"e","data":"","channel":"#server-to-user-7"})", "3");
  REQUIRE_FALSE(one.fault);
  CHECK(one.events[0].publish.channels == std::vector<std::string>{"#server-to-user-7"});
}

TEST_CASE("api_events: null for socket_id or info is as good as none") {
  const ApiEvents parsed =
      parse_event(R"({"name":"e","data":"d","channel":"c","socket_id":null,"info":null})", "3");
  REQUIRE_FALSE(parsed.fault);
  CHECK(parsed.events[0].publish.except_socket_id == "");
}

TEST_CASE("api_events: names the field that is wrong, 422") {
  struct Row {
    const char* body;
    const char* text;
  };
  const Row rows[] = {
      {R"({"data":"d","channel":"c"})", R"("name":["is required and must be a string"])"},
      {R"({"name":5,"data":"d","channel":"c"})", R"("name":["is required)"},
      {R"({"name":"","data":"d","channel":"c"})", R"("name":["is required)"},
      {R"({"name":"e","channel":"c"})", R"("data":["is required and must be a string: encode)"},
      {R"({"name":"e","data":{"a":1},"channel":"c"})", R"("data":["is required and must be)"},
      {R"({"name":"e","data":null,"channel":"c"})", R"("data":["is required and must be)"},
      {R"({"name":"e","data":"d"})", R"("channels":["or channel is required"])"},
      {R"({"name":"e","data":"d","channels":[]})", R"("channels":["must be a list)"},
      {R"({"name":"e","data":"d","channels":"c"})", R"("channels":["must be a list)"},
      {R"({"name":"e","data":"d","channels":["a",1]})", R"("channels":["must be a channel name)"},
      {R"({"name":"e","data":"d","channel":["c"]})", R"("channel":["must be a channel name)"},
      {R"({"name":"e","data":"d","channel":""})", R"("channel":["must be a channel name)"},
      {R"({"name":"e","data":"d","channel":"a b"})", R"("channel":["must be a channel name)"},
      {R"({"name":"e","data":"d","channel":"#other"})", R"("channel":["must be a channel name)"},
      {R"({"name":"e","data":"d","channel":"#server-to-user-"})", R"("channel":["must be a)"},
      {R"({"name":"e","data":"d","channel":"c","socket_id":5})", R"("socket_id":["must be a)"},
      {R"({"name":"e","data":"d","channel":"c","info":["user_count"]})", R"("info":["must be a)"},
      {R"({})", R"("name":["is required)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const ApiAnswer answer = fault_of(row.body);
    CHECK(answer.status == 422);
    CHECK(mentions(answer.body, row.text));
    CHECK(mentions(answer.body, R"("code":422)"));
  }
}

TEST_CASE("api_events: tells all fields that are wrong at once") {
  const ApiAnswer answer = fault_of("{}");
  CHECK(mentions(answer.body, R"("name":[)"));
  CHECK(mentions(answer.body, R"("data":[)"));
  CHECK(mentions(answer.body, R"("channels":[)"));
}

TEST_CASE("api_events: a body that is no JSON object is 400 and tells where") {
  for (const char* body : {"", "null", "5", "\"x\"", "[]", "{", "{\"name\":}", "{} {}",
                           "{\"a\":1,}", "{\"name\":\"\xff\"}", "\xef\xbb\xbf{}"}) {
    CAPTURE(body);
    CHECK(fault_of(body).status == 400);
  }
  CHECK(mentions(fault_of("{\"name\":}").body, "at byte 8"));
  CHECK(mentions(fault_of("[]").body, "must be a JSON object"));
}

TEST_CASE("api_events: refuses JSON that is nested without end") {
  const std::string deep(100'000, '[');
  CHECK(fault_of(deep).status == 400);
  CHECK(fault_of(R"({"name":)" + deep).status == 400);
}

TEST_CASE("api_events: takes 100 channels and a name of 200 bytes and no more") {
  CHECK_FALSE(parse_event(channels_of(100), "3").fault);
  CHECK(mentions(fault_of(channels_of(101)).body, "at most 100"));

  const auto named = [](std::size_t size) {
    return R"({"data":"d","channel":"c","name":")" + std::string(size, 'n') + "\"}";
  };
  CHECK_FALSE(parse_event(named(200), "3").fault);
  CHECK(mentions(fault_of(named(201)).body, "at most 200 bytes"));

  const auto at = [](std::size_t size) {
    return R"({"data":"d","name":"e","channel":")" + std::string(size, 'c') + "\"}";
  };
  CHECK_FALSE(parse_event(at(200), "3").fault);
  CHECK(fault_of(at(201)).status == 422);
}

TEST_CASE("api_events: reads a batch and names the event that is wrong") {
  const ApiEvents two =
      parse_batch(R"({"batch":[{"name":"a","data":"1","channel":"x"},)"
                  R"({"name":"b","data":"2","channel":"y","info":"user_count"}]})",
                  "3");
  REQUIRE_FALSE(two.fault);
  REQUIRE(two.events.size() == 2);
  CHECK(two.events[1].publish.event == "b");
  CHECK(two.events[1].info.user_count);

  const auto fault = [](std::string_view body) {
    return parse_batch(body, "3").fault.value_or(ApiAnswer{});
  };
  const ApiAnswer second =
      fault(R"({"batch":[{"name":"a","data":"1","channel":"x"},{"name":"b","channel":"x"}]})");
  CHECK(second.status == 422);
  CHECK(mentions(second.body, R"("batch.1.data":["is required)"));
  CHECK(mentions(fault(R"({"batch":[5]})").body, R"("batch.0":["must be an event"])"));
  CHECK(fault(R"({"batch":[]})").status == 422);
  CHECK(fault(R"({"batch":{}})").status == 422);
  CHECK(fault("{}").status == 422);
  CHECK(fault("null").status == 400);
}

TEST_CASE("api_events: takes a batch of 1000 events and no more") {
  const ApiEvents most = parse_batch(batch_of(1000), "3");
  CHECK_FALSE(most.fault);
  CHECK(most.events.size() == 1000);
  CHECK(parse_batch(batch_of(1001), "3").fault->status == 422);
}
