// HTTP to certificate authorities, DNS services and hooks: small requests, answers up to 1 MiB.
// Thread: any; send() blocks, so never on a worker or the control loop. Owner: the ACME service.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace portero::acme {

// Signs a request to Amazon's services (Signature Version 4), which wants the query sorted.
struct AwsKey {
  std::string id;  // "" = not signed
  std::string secret;
  std::string region;
  std::string service;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string roots;  // PEM file of the roots that vouch for the server; "" = the system's
  std::chrono::milliseconds timeout{30'000};  // of the whole exchange
  AwsKey aws;
  std::string address;    // that is asked instead of the host's own; "" = that of the host
  bool is_probe = false;  // follows redirects, to any certificate. Source: RFC 8555 §8.3
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first value of a header, its name in any case; "" when it is not there.
  std::string_view header(std::string_view name) const noexcept;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // An answer of any status. Errors: a sentence that names the server and what failed.
  virtual Explained<HttpResponse> send(const HttpRequest& request) = 0;
};

}  // namespace portero::acme
