#include "acme/curl_client.hpp"

#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

#include "base/bytes.hpp"

namespace portero::acme {
namespace {

struct FreeHandle {
  void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

using ListPointer = std::unique_ptr<curl_slist, FreeList>;

// Every host is asked at this address; nullptr when there is none.
ListPointer connections_for(const std::string& address) {
  if (address.empty()) return nullptr;
  const bool is_v6 = address.find(':') != std::string::npos;
  const std::string entry = fmt::format("::{}{}{}:", is_v6 ? "[" : "", address, is_v6 ? "]" : "");
  return ListPointer(curl_slist_append(nullptr, entry.c_str()));
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* self) {
  std::string& body = static_cast<HttpResponse*>(self)->body;
  if (body.size() + size * count > CurlClient::answer_bytes_max) return 0;
  body.append(data, size * count);
  return size * count;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* self) {
  const std::string_view line = trim_ows(std::string_view(data, size * count));
  auto& headers = static_cast<HttpResponse*>(self)->headers;
  if (line.starts_with("HTTP/")) headers.clear();  // of a 1xx answer or of a proxy
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view value = trim_ows(line.substr(colon + 1));
    const std::size_t end = value.find_last_not_of("\r\n");
    headers.emplace_back(line.substr(0, colon),
                         end == std::string_view::npos ? "" : value.substr(0, end + 1));
  }
  return size * count;
}

int on_progress(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stop)->load() ? 1 : 0;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (iequals(key, name)) return value;
  }
  return {};
}

CurlClient::CurlClient(const std::atomic<bool>& stop) : stop_(stop) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)initialised;
}

Explained<HttpResponse> CurlClient::send(const HttpRequest& request) {
  thread_local const std::unique_ptr<CURL, FreeHandle> owned(curl_easy_init());
  CURL* const curl = owned.get();
  if (curl == nullptr) return std::string("libcurl cannot start");
  curl_easy_reset(curl);  // keeps the connections
  HttpResponse response;
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    list = curl_slist_append(list, (name + ": " + value).c_str());
  }
  const ListPointer headers(list);
  char problem[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "portero/" PORTERO_VERSION);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const ListPointer connect_to = connections_for(request.address);
  curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to.get());
  if (request.is_probe) {
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  }
  if (!request.aws.id.empty()) {
    const AwsKey& key = request.aws;
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4,
                     fmt::format("aws:amz:{}:{}", key.region, key.service).c_str());
    curl_easy_setopt(curl, CURLOPT_USERNAME, key.id.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, key.secret.c_str());
  }
  if (!request.roots.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.roots.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &response);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stop_);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  const CURLcode done = curl_easy_perform(curl);
  if (done != CURLE_OK) {
    const std::string_view reason = problem[0] != '\0' ? problem : curl_easy_strerror(done);
    const bool is_trust = done == CURLE_PEER_FAILED_VERIFICATION;
    return fmt::format("{}: {}{}", request.url, reason,
                       is_trust ? " (is this machine's clock right, and are the roots that vouch "
                                  "for the server up to date?)"
                                : "");
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  return response;
}

}  // namespace portero::acme
