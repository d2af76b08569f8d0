// What the DNS services with JSON over HTTP have in common.
// Thread: the ACME threads; blocks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "acme/http_client.hpp"

namespace portero::acme {

class DnsApi {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // `service` is its name in errors.
  DnsApi(HttpClient& http, std::string service, std::string base, Headers headers);

  struct Answer {
    int status = 0;
    boost::json::object body;
    std::string text;

    bool is_good() const { return status >= 200 && status < 300; }
  };

  // Throws AcmeFailure only when the service cannot be reached.
  Answer send(const std::string& method, const std::string& path,
              const boost::json::object& body = {});
  // Throws AcmeFailure with what the service said unless the answer is good.
  Answer demand(const std::string& method, const std::string& path,
                const boost::json::object& body = {});
  [[noreturn]] void refuse(const Answer& answer) const;

 private:
  HttpClient& http_;
  std::string service_;
  std::string base_;
  Headers headers_;
};

std::string url_encoded(std::string_view text);

}  // namespace portero::acme
