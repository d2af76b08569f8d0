// `proxy: {http2: true}`: the HTTP/2 connections of one worker to an upstream, and one request over
// them. Changes of protocol (WebSocket) go over HTTP/1.1, as do their pools.
// Thread: the worker's.
#pragma once

#include <optional>
#include <vector>

#include "http/h2_client.hpp"
#include "proxy/proxy_call.hpp"

namespace portero::proxy {

// Connections to one upstream: another one when all are full; those without requests go after the
// pool's idle time. Owner: the ReverseProxy.
class H2Upstream {
 public:
  explicit H2Upstream(PoolRef pool);
  H2Upstream(const H2Upstream&) = delete;
  H2Upstream& operator=(const H2Upstream&) = delete;
  ~H2Upstream();

  // A connection that takes a request. Errors: as UpstreamPool::connect; tls_protocol when the
  // upstream does not speak HTTP/2.
  Task<Result<http::H2ClientPointer>> connection(Milliseconds timeout);
  const PoolRef& pool() const noexcept { return pool_; }

 private:
  struct Kept {
    http::H2ClientPointer connection;
    std::int64_t idle_since_ms = 0;  // 0 = has requests
  };
  static void sweep(void* self);

  PoolRef pool_;
  std::vector<Kept> connections_;
  Timer sweep_timer_;
};

// One attempt to have an upstream answer over HTTP/2. Owner: the frame of the handler.
class H2Call {
 public:
  // `place`: of UpstreamPool::reserve().
  H2Call(http::Exchange& exchange, Lease place, http::H2ClientPointer connection,
         const ProxySettings& settings, const ProxyCall::Surroundings& around);
  H2Call(const H2Call&) = delete;
  H2Call& operator=(const H2Call&) = delete;

  // As ProxyCall::run.
  Task<Result<>> run();
  bool may_retry() const noexcept { return may_retry_; }
  bool upstream_failed() const noexcept { return upstream_failed_; }

 private:
  Result<> begin();
  Task<> upload();
  Task<Result<>> upload_pieces();
  Task<Result<>> converse();
  Task<Result<>> await_news();
  Task<Result<>> pass_head();
  Task<Result<>> relay_body();
  Task<Result<>> conclude_failure(Error error);

  http::Exchange& exchange_;
  Lease place_;  // one of those that max_concurrent allows
  http::H2ClientStream stream_;
  const ProxySettings& settings_;
  const ProxyCall::Surroundings around_;
  Timer patience_;
  std::int64_t due_ms_ = 0;
  bool has_body_ = false;
  bool uploading_ = false;
  bool stop_upload_ = false;
  Errc request_failure_ = Errc::ok;
  WaitPoint upload_ended_;
  bool client_failed_ = false;
  bool may_retry_ = false;
  bool upstream_failed_ = false;
};

}  // namespace portero::proxy
