#include "base/error.hpp"

#include <cerrno>
#include <set>
#include <string_view>

#include <doctest/doctest.h>

using namespace portero;

namespace {

template <class Visit>
void for_each_error(Visit visit) {
  for (int i = 0; i < static_cast<int>(Errc::count_); ++i) {
    visit(error_info(static_cast<Errc>(i)));
  }
}

}  // namespace

TEST_CASE("error: every row has a unique name and a text") {
  std::set<std::string_view> names;
  for_each_error([&](const ErrorInfo& info) {
    CAPTURE(info.name);
    CHECK(names.insert(info.name).second);
    CHECK_FALSE(info.text.empty());
  });
}

TEST_CASE("error: statuses and close codes are ones that may be sent") {
  for_each_error([](const ErrorInfo& info) {
    CAPTURE(info.name);
    const bool answers = info.http_status >= 200 && info.http_status <= 599;
    CHECK((info.http_status == 0 || answers));
    CHECK(info.close_code >= 1000);
    CHECK(info.close_code <= 1015);
  });
}

TEST_CASE("error: a request is tried again only for what an upstream or a dead connection caused") {
  for_each_error([](const ErrorInfo& info) {
    CAPTURE(info.name);
    if (info.side == Side::upstream && info.retry == Retry::always) CHECK(info.http_status >= 502);
    if (info.http_status >= 400 && info.http_status < 500) CHECK(info.retry == Retry::never);
  });
}

TEST_CASE("error: upstream failures answer 502, its silence 504, a full pool 503") {
  CHECK(error_info(Errc::connection_refused).http_status == 502);
  CHECK(error_info(Errc::bad_upstream_response).http_status == 502);
  CHECK(error_info(Errc::timeout_connect).http_status == 504);
  CHECK(error_info(Errc::timeout_response).http_status == 504);
  CHECK(error_info(Errc::upstream_pool_full).http_status == 503);
}

TEST_CASE("error: a response timeout is never retried, a refused connection always") {
  CHECK(error_info(Errc::timeout_response).retry == Retry::never);
  CHECK(error_info(Errc::connection_refused).retry == Retry::always);
  CHECK(error_info(Errc::connection_reset).retry == Retry::reused_only);
}

TEST_CASE("error: errno maps to what the socket call meant and is kept") {
  CHECK(error_from_errno(EAGAIN) == Errc::would_block);
  CHECK(error_from_errno(EINPROGRESS) == Errc::would_block);
  CHECK(error_from_errno(ECONNREFUSED) == Errc::connection_refused);
  CHECK(error_from_errno(ENOENT) == Errc::connection_refused);
  CHECK(error_from_errno(ENETUNREACH) == Errc::host_unreachable);
  CHECK(error_from_errno(EMFILE) == Errc::too_many_descriptors);
  CHECK(error_from_errno(EPIPE) == Errc::connection_reset);
  CHECK(error_from_errno(EPIPE).os_error == EPIPE);
}
