// A site block: names, TLS, log, limits of time and its routes. Part of conf::Config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "conf/config_acme.hpp"
#include "conf/config_route.hpp"
#include "conf/config_values.hpp"

namespace portero::conf {

// One name of a site block: "example.com", "*.example.com", "http://plain.example.com", ":8080",
// "localhost:8443".
struct SiteName {
  std::string host;         // lower case, "*.example.com", or "" for any host
  std::uint16_t port = 0;   // 0 = http_port or https_port
  bool plain_http = false;  // no TLS: http://, http_port, `tls: off`, or a port alone without `tls`
  std::string text;         // as written
  bool by_acme = false;     // its certificate comes from the site's issuers
};

// `automatic` only when one of the site's names is public; `off` also when all are plain HTTP.
enum class TlsMode : std::uint8_t { automatic, internal, off, files };

// What clients show of themselves.
enum class ClientAuthMode : std::uint8_t { none, request, require, verify };

struct Tls {
  TlsMode mode = TlsMode::automatic;
  std::string cert;  // PEM files when mode is `files`
  std::string key;
  bool min_tls13 = false;  // min: "1.3"
  Acme acme;               // of the names that are `by_acme`
  ClientAuthMode client_auth = ClientAuthMode::none;
  std::string client_ca;   // PEM file: who may have issued it
  bool on_demand = false;  // certificates for names that only a wildcard or any-host name covers
};

// When a log file is put aside for a new one.
struct LogRoll {
  std::uint64_t size = 100'000'000;  // bytes; 0 = never by size
  Duration age{0};                   // 0 = never by age
  unsigned keep = 10;                // old files
  bool compress = true;
};

enum class LogFilter : std::uint8_t { mask, hash, drop };

struct AccessLog {
  bool on = false;
  std::string file;             // "" = stderr
  std::string format = "auto";  // json, console, combined, auto
  std::string level = "info";   // "warn": statuses from 400, "error": from 500
  std::optional<LogRoll> roll;
  unsigned mode = 0640;
  std::string group;                                      // "" = the process's
  std::vector<std::pair<std::string, LogFilter>> filter;  // by field
};

struct Timeouts {
  Duration header{60'000};
  Duration body{60'000};   // without progress
  Duration idle{300'000};  // keep-alive
  Duration write{60'000};  // without progress
};

struct Site {
  Where where;
  std::vector<SiteName> names;
  Tls tls;
  AccessLog log;
  Timeouts timeouts;  // what the site does not give is the global one's
  std::vector<std::string>
      trusted_proxies;                 // networks, "private" expanded; the global list if none
  std::optional<HubRef> hub;           // beside or instead of routes
  std::vector<std::string> hub_allow;  // the site's `allow` and `deny`, for the hub
  std::vector<std::string> hub_deny;
  std::optional<unsigned> connections_per_ip;
  std::optional<RequestRate> handshakes;
  // Of the site itself: for the hub, and for what no route takes.
  std::vector<RequestRate> requests;
  std::vector<ErrorPage> errors;
  std::vector<Route> routes;  // a site with a terminal of its own is one route
};

}  // namespace portero::conf
