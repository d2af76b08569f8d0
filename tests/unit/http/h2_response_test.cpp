#include "http/h2_response.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::http;

namespace {

std::string text_of(H2Fields fields) {
  std::string text;
  for (const nghttp2_nv& field : fields) {
    text.append(reinterpret_cast<const char*>(field.name), field.namelen).append("=");
    text.append(reinterpret_cast<const char*>(field.value), field.valuelen).append(";");
  }
  return text;
}

struct Made {
  Arena arena;
  Response response{arena};
  H2ResponseOptions options;

  std::string text() { return text_of(make_response_fields(response, options, arena)); }
};

}  // namespace

TEST_CASE("h2_response: writes :status first and names in lower case") {
  Made made;
  made.response.status = 404;
  made.response.headers.add("Content-Type", "text/plain");
  made.response.headers.add("X-Test", " a ");
  CHECK(made.text() == ":status=404;content-type=text/plain;x-test=a;");
}

TEST_CASE("h2_response: leaves connection-specific fields out") {
  Made made;
  for (const char* name : {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
                           "Upgrade", "TE", "HTTP2-Settings", "Content-Length"}) {
    made.response.headers.add(name, "1");
  }
  made.options.content_length = 7;
  CHECK(made.text() == ":status=200;content-length=7;");
}

TEST_CASE("h2_response: leaves out what could be taken for another field") {
  Made made;
  made.response.headers.add("x-one", "a\r\nx-two: b");
  made.response.headers.add(":status", "500");
  made.response.headers.add("x y", "1");
  made.response.headers.add("", "1");
  CHECK(made.text() == ":status=200;");
}

TEST_CASE("h2_response: adds date and server unless they are there") {
  Made made;
  made.options.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  made.options.server = "portero";
  CHECK(made.text() == ":status=200;date=Sun, 06 Nov 1994 08:49:37 GMT;server=portero;");
  made.response.headers.add("Date", "then");
  made.response.headers.add("Server", "other");
  CHECK(made.text() == ":status=200;date=then;server=other;");
}

TEST_CASE("h2_response: interim responses carry their own fields only") {
  Made made;
  made.response.status = 103;
  made.response.headers.add("Link", "</a.css>; rel=preload");
  CHECK(text_of(make_interim_fields(made.response, made.arena)) ==
        ":status=103;link=</a.css>; rel=preload;");
}

TEST_CASE("h2_response: trailers carry no field that decides anything") {
  Made made;
  made.response.trailers.add("X-Checksum", "abc");
  made.response.trailers.add("Content-Length", "5");
  CHECK(text_of(make_trailer_fields(made.response.trailers, made.arena)) == "x-checksum=abc;");
  HeaderList none(made.arena);
  CHECK(make_trailer_fields(none, made.arena).empty());
}
