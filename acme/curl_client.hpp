// HttpClient over libcurl. One connection cache per thread that calls it, so the requests of an
// order share a connection.
// Thread: any. Owner: the ACME service; outlives its threads.
#pragma once

#include <atomic>

#include "acme/http_client.hpp"

namespace portero::acme {

class CurlClient final : public HttpClient {
 public:
  // While `stop` is true, requests end at once, also those under way.
  explicit CurlClient(const std::atomic<bool>& stop);

  // Limits: answers up to answer_bytes_max. Redirects are not followed.
  Explained<HttpResponse> send(const HttpRequest& request) override;
  static constexpr std::size_t answer_bytes_max = 1024 * 1024;

 private:
  const std::atomic<bool>& stop_;
};

}  // namespace portero::acme
