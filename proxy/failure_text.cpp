#include "proxy/failure_text.hpp"

#include <cerrno>

namespace portero::proxy {
namespace {

constexpr int bad_gateway = 502;
constexpr int unavailable = 503;

// What follows "upstream NAME ".
std::string_view complaint(const Error& error, bool is_unix) noexcept {
  if (is_unix && error.os_error == ENOENT) {
    return "cannot be reached: the socket file does not exist. Is it running?";
  }
  if (is_unix && error.os_error == EACCES) {
    return "cannot be reached: the socket file may not be used. Does portero's user have write "
           "permission?";
  }
  switch (error.code) {
    case Errc::connection_refused:
      return is_unix ? "refused the connection: is it running?"
                     : "refused the connection: is it running, is the port right?";
    case Errc::host_unreachable:
      return "cannot be reached: is the address right, does a firewall stand between?";
    case Errc::name_not_found:
      return "has a name that does not resolve: is it spelled right, is the container up?";
    case Errc::timeout_connect:
      return "did not accept the connection in time: is it up, does a firewall drop packets?";
    case Errc::timeout_response:
      return "did not answer in time: what is it busy with? (timeouts: {response: …})";
    case Errc::upstream_pool_full:
      return "is busy: as many requests as max_concurrent allows are under way";
    case Errc::bad_upstream_response:
      return "sent something that is no valid HTTP answer: is it an HTTP server on that port?";
    case Errc::tls_certificate:
      return "has a certificate that was not accepted: check its names, its dates and tls.ca";
    case Errc::tls_handshake:
    case Errc::tls_protocol: return "could not agree on TLS: does it speak https on that port?";
    case Errc::too_many_descriptors:
      return "could not be connected to: too many open files, raise LimitNOFILE";
    case Errc::end_of_stream:
    case Errc::connection_reset:
    case Errc::upstream_truncated: return "closed the connection without an answer: see its log";
    default: return "failed";
  }
}

}  // namespace

int failure_status(Errc code) noexcept {
  const int status = error_info(code).http_status;
  return status >= bad_gateway ? status : bad_gateway;
}

std::string_view failure_text(const Error& error, const UpstreamPool& pool, Arena& arena) {
  return arena.concat("upstream ", pool.settings().text, " ",
                      complaint(error, !pool.settings().unix_path.empty()), "\n");
}

Task<Result<>> answer_failure(http::Exchange& exchange, Error error, const UpstreamPool& pool) {
  http::Response response(exchange.arena);
  response.status = failure_status(error.code);
  if (response.status == unavailable) response.headers.add("Retry-After", "1");
  const std::string_view text = failure_text(error, pool, exchange.arena);
  co_return co_await http::respond_error(exchange, response, text);
}

Task<Result<>> end_with_failure(http::Exchange& exchange, Error error, const UpstreamPool& pool) {
  if (!exchange.head_sent()) co_return co_await answer_failure(exchange, error, pool);
  const Result<> flushed = co_await exchange.send_body({}, http::Last::no);
  exchange.reset(flushed ? error.code : flushed.error().code);
  co_return error;
}

}  // namespace portero::proxy
